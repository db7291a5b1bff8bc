-- Throttles: at most so many starts of a key within a span of time. A row of `starts` is a start that
-- happened, or one that a scheduled job is to have. Whoever writes such rows holds the key's lock.

-- name: throttles.lock
-- Lock these keys until the end of the transaction, in their order.
insert into queuekit_throttles (throttle_key)
select given.throttle_key
from json_table(:keys, '$[*]' columns (
  throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
)) given
order by given.throttle_key
on duplicate key update throttle_key = queuekit_throttles.throttle_key;

-- name: throttles.asked
-- Of these jobs, those that the process still has claimed: how many may start in how many seconds, by
-- the word of each, and its stage if it has a row. With each comes the time.
select job.id, job.uuid, job.throttle_to, job.throttle_per, start.stage, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_throttle_starts start on start.job_id = job.id
where claimed.process_id = :process_id;

-- name: throttles.latest
-- The latest starts of a key, without those of these jobs: `limit` of them after the first `skip`, from
-- `least_stage` up. Of each stage no more than `most` are read.
select starts_at
from (
  (
    select starts_at
    from queuekit_throttle_starts force index (queuekit_throttle_starts_by_key)
    where throttle_key = :throttle_key
      and stage = 2
      and not json_contains(:job_ids, cast(job_id as char))
    order by starts_at desc
    limit :most
  )
  union all
  (
    select starts_at
    from queuekit_throttle_starts force index (queuekit_throttle_starts_by_key)
    where throttle_key = :throttle_key
      and stage = 1
      and :least_stage <= 1
      and not json_contains(:job_ids, cast(job_id as char))
    order by starts_at desc
    limit :most
  )
  union all
  (
    select starts_at
    from queuekit_throttle_starts force index (queuekit_throttle_starts_by_key)
    where throttle_key = :throttle_key
      and stage = 0
      and :least_stage <= 0
      and not json_contains(:job_ids, cast(job_id as char))
    order by starts_at desc
    limit :most
  )
) latest
order by starts_at desc
limit :limit
offset :skip;

-- name: throttles.record
-- Write down when these jobs start, or are to.
insert into queuekit_throttle_starts (job_id, throttle_key, stage, starts_at, expires_at)
select given.job_id, given.throttle_key, given.stage, given.starts_at, given.expires_at
from json_table(:starts, '$[*]' columns (
  job_id bigint path '$.job_id',
  throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.throttle_key',
  stage smallint path '$.stage',
  starts_at datetime(6) path '$.starts_at',
  expires_at datetime(6) path '$.expires_at'
)) given
order by given.job_id
on duplicate key update throttle_key = values(throttle_key), stage = values(stage),
  starts_at = values(starts_at), expires_at = values(expires_at);

-- name: throttles.postpone
-- Those of these jobs that do not start now go from claimed to scheduled, if the process has them.
-- Differs: without data-changing CTEs the claims are found again in each statement.
insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, given.starts_at
from json_table(:starts, '$[*]' columns (
  job_id bigint path '$.job_id',
  stage smallint path '$.stage',
  starts_at datetime(6) path '$.starts_at'
)) given
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and given.stage < 2
on duplicate key update job_id = queuekit_scheduled_executions.job_id;

delete claimed
from (
  select job_id
  from json_table(:starts, '$[*]' columns (
    job_id bigint path '$.job_id',
    stage smallint path '$.stage'
  )) g
  where stage < 2
) given
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = given.job_id
where claimed.process_id = :process_id;

-- name: throttles.page
-- The next jobs that have a row, at most `limit`, and whether it is of no use any more: the job does
-- not wait and does not run, and never started, or long enough ago.
select start.job_id,
  (start.stage < 2 or start.expires_at <= utc_timestamp(6))
  and not exists (
    select 1 from queuekit_scheduled_executions scheduled where scheduled.job_id = start.job_id
  )
  and not exists (
    select 1 from queuekit_ready_executions ready where ready.job_id = start.job_id
  )
  and not exists (
    select 1 from queuekit_blocked_executions blocked where blocked.job_id = start.job_id
  )
  and not exists (
    select 1 from queuekit_claimed_executions claimed where claimed.job_id = start.job_id
  )
from queuekit_throttle_starts start
where start.job_id > :after
order by start.job_id
limit :limit;

-- name: throttles.forget_starts
-- Delete the rows of these jobs.
delete start
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_throttle_starts start force index (primary)
  on start.job_id = given.job_id;

-- name: throttles.unused
-- Keys of which no start is known.
select throttle.throttle_key
from queuekit_throttles throttle
where not exists (
  select 1
  from queuekit_throttle_starts start
  where start.throttle_key = throttle.throttle_key
)
order by throttle.throttle_key
limit :limit;

-- name: throttles.forget
-- Delete the lock rows of these keys.
delete throttle
from (
  select throttle_key
  from json_table(:keys, '$[*]' columns (
    throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) g
) given
straight_join queuekit_throttles throttle on throttle.throttle_key = given.throttle_key;
