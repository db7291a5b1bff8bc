-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved.
-- Differs: what was moved is what stands in ready and still in scheduled, in this transaction only.
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job_id, queue_name, priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_scheduled_executions
where scheduled_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
order by scheduled_at, priority, job_id
limit :limit
on conflict (job_id) do nothing;

delete from queuekit_scheduled_executions
where scheduled_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
  and exists (
    select 1
    from queuekit_ready_executions ready
    where ready.job_id = queuekit_scheduled_executions.job_id
  )
returning job_id;

-- name: scheduled.next_due
-- Seconds until the next job is due: negative when it is late, null when none is scheduled.
select min(scheduled_at) - round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_scheduled_executions;
