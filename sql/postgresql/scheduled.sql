-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved, and for jobs
-- with a concurrency limit, which have no place yet, the key, the number of slots and the job's id.
with due as materialized (
  select ctid
  from queuekit_scheduled_executions
  where scheduled_at <= statement_timestamp()
  order by scheduled_at, priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_scheduled_executions
  where ctid = any (array(select ctid from due))
  returning job_id, queue_name, priority
), moved as materialized (
  select taken.*, job.concurrency_key, job.concurrency_limit, job.uuid
  from taken
  join queuekit_jobs job on job.id = taken.job_id
  where job.id = any (array(select job_id from taken))
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select job_id, queue_name, priority, statement_timestamp()
  from moved
  where concurrency_key is null
  on conflict (job_id) do nothing
)
select job_id, concurrency_key, concurrency_limit, uuid::text from moved;

-- name: scheduled.next_due
-- Seconds until the next job is due: negative when it is late, null when none is scheduled.
select extract(epoch from (
  select scheduled_at
  from queuekit_scheduled_executions
  order by scheduled_at, priority, job_id
  limit 1
) - statement_timestamp())::double precision;
