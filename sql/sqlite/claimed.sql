-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: claimed.fail_orphans
-- Fail the claims of processes that are not registered. Returns the ids of the jobs failed.
-- Differs: without data-changing CTEs each statement finds the rows by itself.
select job.uuid
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id not in (select id from queuekit_processes);

insert into queuekit_failed_executions (job_id, error, failed_at)
select job_id, :error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions
where process_id not in (select id from queuekit_processes);

delete from queuekit_claimed_executions
where process_id not in (select id from queuekit_processes);
