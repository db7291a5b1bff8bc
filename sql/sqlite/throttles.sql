-- Throttles: at most so many starts of a key within a span of time. A row of `starts` is a start that
-- happened, or one that a scheduled job is to have. Whoever writes such rows holds the key's lock.

-- name: throttles.lock
-- Lock these keys until the end of the transaction, in their order.
insert into queuekit_throttles (throttle_key)
select value
from json_each(:keys)
where true
order by value
on conflict (throttle_key) do nothing;

-- name: throttles.asked
-- Of these jobs, those that the process still has claimed: how many may start in how many seconds, by
-- the word of each, and its stage if it has a row. With each comes the time.
select job.id, job.uuid, job.throttle_to, job.throttle_per, start.stage,
  round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:job_ids) given
cross join queuekit_claimed_executions claimed on claimed.job_id = given.value
cross join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_throttle_starts start on start.job_id = job.id
where claimed.process_id = :process_id;

-- name: throttles.latest
-- The latest starts of a key, without those of these jobs: `limit` of them after the first `skip`, from
-- `least_stage` up. Of each stage no more than `most` are read.
select starts_at
from (
  select starts_at
  from (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 2
      and job_id not in (select value from json_each(:job_ids))
    order by starts_at desc
    limit :most
  )
  union all
  select starts_at
  from (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 1
      and :least_stage <= 1
      and job_id not in (select value from json_each(:job_ids))
    order by starts_at desc
    limit :most
  )
  union all
  select starts_at
  from (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 0
      and :least_stage <= 0
      and job_id not in (select value from json_each(:job_ids))
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
select json_extract(value, '$.job_id'), json_extract(value, '$.throttle_key'),
  json_extract(value, '$.stage'), json_extract(value, '$.starts_at'),
  json_extract(value, '$.expires_at')
from json_each(:starts)
where true
order by json_extract(value, '$.job_id')
on conflict (job_id) do update
set throttle_key = excluded.throttle_key, stage = excluded.stage,
  starts_at = excluded.starts_at, expires_at = excluded.expires_at;

-- name: throttles.postpone
-- Those of these jobs that do not start now go from claimed to scheduled, if the process has them.
-- Differs: without data-changing CTEs the claims are found again in each statement.
insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, json_extract(given.value, '$.starts_at')
from json_each(:starts) given
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(given.value, '$.job_id')
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and json_extract(given.value, '$.stage') < 2
order by job.id
on conflict (job_id) do nothing;

delete from queuekit_claimed_executions
where process_id = :process_id
  and job_id in (
    select json_extract(value, '$.job_id')
    from json_each(:starts)
    where json_extract(value, '$.stage') < 2
  );

-- name: throttles.page
-- The next jobs that have a row, at most `limit`, and whether it is of no use any more: the job does
-- not wait and does not run, and never started, or long enough ago.
select start.job_id,
  (start.stage < 2 or start.expires_at <= round((julianday('now') - 2440587.5) * 86400.0, 3))
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
delete from queuekit_throttle_starts where job_id in (select value from json_each(:job_ids));

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
delete from queuekit_throttles where throttle_key in (select value from json_each(:keys));
