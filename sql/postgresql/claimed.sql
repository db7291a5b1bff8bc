-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: claimed.fail_orphans
-- Fail the claims of processes that are not registered. Returns the ids of the jobs failed.
with orphan as materialized (
  select claimed.job_id
  from queuekit_claimed_executions claimed
  left join queuekit_processes process on process.id = claimed.process_id
  where process.id is null
  for update of claimed skip locked
), taken as (
  delete from queuekit_claimed_executions claimed
  using orphan
  where claimed.job_id = orphan.job_id
  returning claimed.job_id
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select job_id, :error, statement_timestamp()
  from taken
)
select job.uuid::text
from taken
join queuekit_jobs job on job.id = taken.job_id;
