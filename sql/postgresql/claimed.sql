-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: claimed.orphaned
-- The processes that have claims and are not registered any more.
select distinct claimed.process_id
from queuekit_claimed_executions claimed
left join queuekit_processes process on process.id = claimed.process_id
where process.id is null;
