-- Throttles: at most so many starts of a key within a span of time. A row of `starts` is a start that
-- happened, or one that a scheduled job is to have. Whoever writes such rows holds the key's lock.

-- name: throttles.lock
-- Lock these keys until the end of the transaction, in their order.
insert into queuekit_throttles (throttle_key)
select value
from json_array_elements_text(:keys::json)
order by value collate "C"
on conflict (throttle_key) do update set throttle_key = excluded.throttle_key;

-- name: throttles.asked
-- Of these jobs, those that the process still has claimed: how many may start in how many seconds, by
-- the word of each, and its stage if it has a row. With each comes the time.
select job.id, job.uuid::text, job.throttle_to, job.throttle_per, start.stage,
  statement_timestamp()
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_throttle_starts start on start.job_id = job.id
where claimed.job_id = any (array(select value::bigint from json_array_elements_text(:job_ids::json)))
  and claimed.process_id + 0 = :process_id::bigint;

-- name: throttles.latest
-- The latest starts of a key, without those of these jobs: `limit` of them after the first `skip`, from
-- `least_stage` up. Of each stage no more than `most` are read.
select starts_at
from (
  (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 2
      and job_id <> all (array(select value::bigint from json_array_elements_text(:job_ids::json)))
    order by starts_at desc
    limit :most::bigint
  )
  union all
  (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 1
      and :least_stage::integer <= 1
      and job_id <> all (array(select value::bigint from json_array_elements_text(:job_ids::json)))
    order by starts_at desc
    limit :most::bigint
  )
  union all
  (
    select starts_at
    from queuekit_throttle_starts
    where throttle_key = :throttle_key
      and stage = 0
      and :least_stage::integer <= 0
      and job_id <> all (array(select value::bigint from json_array_elements_text(:job_ids::json)))
    order by starts_at desc
    limit :most::bigint
  )
) latest
order by starts_at desc
limit :limit::bigint
offset :skip::bigint;

-- name: throttles.record
-- Write down when these jobs start, or are to.
insert into queuekit_throttle_starts (job_id, throttle_key, stage, starts_at, expires_at)
select job_id, throttle_key, stage, starts_at, expires_at
from json_to_recordset(:starts::json) as (
  job_id bigint, throttle_key text, stage smallint, starts_at timestamptz, expires_at timestamptz
)
order by job_id
on conflict (job_id) do update
set throttle_key = excluded.throttle_key, stage = excluded.stage,
  starts_at = excluded.starts_at, expires_at = excluded.expires_at;

-- name: throttles.postpone
-- Those of these jobs that do not start now go from claimed to scheduled, if the process has them.
with taken as (
  delete from queuekit_claimed_executions claimed
  using json_to_recordset(:starts::json) as given (
    job_id bigint, stage smallint, starts_at timestamptz
  )
  where claimed.job_id = given.job_id
    and claimed.process_id + 0 = :process_id::bigint
    and given.stage < 2
  returning claimed.job_id, given.starts_at
)
insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, taken.starts_at
from taken
join queuekit_jobs job on job.id = taken.job_id
order by job.id
on conflict (job_id) do nothing;

-- name: throttles.page
-- The next jobs that have a row, at most `limit`, and whether it is of no use any more: the job does
-- not wait and does not run, and never started, or long enough ago.
select start.job_id,
  (start.stage < 2 or start.expires_at <= statement_timestamp())
  and not exists (
    select from queuekit_scheduled_executions scheduled where scheduled.job_id = start.job_id
  )
  and not exists (
    select from queuekit_ready_executions ready where ready.job_id = start.job_id
  )
  and not exists (
    select from queuekit_blocked_executions blocked where blocked.job_id = start.job_id
  )
  and not exists (
    select from queuekit_claimed_executions claimed where claimed.job_id = start.job_id
  )
from queuekit_throttle_starts start
where start.job_id > :after::bigint
order by start.job_id
limit :limit::bigint;

-- name: throttles.forget_starts
-- Delete the rows of these jobs.
delete from queuekit_throttle_starts
where job_id = any (array(select value::bigint from json_array_elements_text(:job_ids::json)));

-- name: throttles.unused
-- Keys of which no start is known.
select throttle.throttle_key
from queuekit_throttles throttle
where not exists (
  select
  from queuekit_throttle_starts start
  where start.throttle_key = throttle.throttle_key
)
order by throttle.throttle_key
limit :limit::bigint;

-- name: throttles.forget
-- Delete the lock rows of these keys.
delete from queuekit_throttles
where throttle_key = any (array(select value from json_array_elements_text(:keys::json)));
