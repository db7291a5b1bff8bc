-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved, and for jobs
-- with a concurrency limit, which have no place yet, the key, the number of slots and the job's id.
-- Differs: the clock moves from statement to statement, so the first one marks what is moved, with a
-- time that nothing else is scheduled at. The index is named: once analyzed, a table of jobs that were
-- all scheduled for one moment would be read as a whole.
update queuekit_scheduled_executions
set scheduled_at = -1e9
where job_id in (
  select job_id
  from queuekit_scheduled_executions
  where scheduled_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
  order by scheduled_at, priority, job_id
  limit :limit
);

select scheduled.job_id, job.concurrency_key, job.concurrency_limit, job.uuid
from queuekit_scheduled_executions scheduled indexed by queuekit_scheduled_executions_due
cross join queuekit_jobs job on job.id = scheduled.job_id
where scheduled.scheduled_at = -1e9;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select scheduled.job_id, scheduled.queue_name, scheduled.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_scheduled_executions scheduled indexed by queuekit_scheduled_executions_due
cross join queuekit_jobs job on job.id = scheduled.job_id
where scheduled.scheduled_at = -1e9 and job.concurrency_key is null
order by scheduled.job_id
on conflict (job_id) do nothing;

delete from queuekit_scheduled_executions indexed by queuekit_scheduled_executions_due
where scheduled_at = -1e9;

-- name: scheduled.next_due
-- Seconds until the next job is due: negative when it is late, null when none is scheduled.
select min(scheduled_at) - round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_scheduled_executions;
