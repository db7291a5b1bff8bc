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
-- Differs: two statements find the rows by themselves, so both lock them with a no-op update first.
update queuekit_claimed_executions claimed
set claimed.claimed_at = claimed.claimed_at
where not exists (select 1 from queuekit_processes process where process.id = claimed.process_id);

select job.uuid
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where not exists (select 1 from queuekit_processes process where process.id = claimed.process_id);

insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, :error, utc_timestamp(6)
from queuekit_claimed_executions claimed
where not exists (select 1 from queuekit_processes process where process.id = claimed.process_id);

delete claimed
from queuekit_claimed_executions claimed
where not exists (select 1 from queuekit_processes process where process.id = claimed.process_id);
