-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved.
with due as materialized (
  select job_id
  from queuekit_scheduled_executions
  where scheduled_at <= statement_timestamp()
  order by scheduled_at, priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_scheduled_executions scheduled
  using due
  where scheduled.job_id = due.job_id
  returning scheduled.job_id, scheduled.queue_name, scheduled.priority
)
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job_id, queue_name, priority, statement_timestamp()
from taken
on conflict (job_id) do nothing
returning job_id;

-- name: scheduled.next_due
-- Seconds until the next job is due: negative when it is late, null when none is scheduled.
select extract(epoch from min(scheduled_at) - statement_timestamp())::double precision
from queuekit_scheduled_executions;
