-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
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

-- name: claimed.release
-- A process that begins no more jobs gives these claims back to ready, where it still holds them.
-- Differs: without data-changing CTEs the claims are found again in each statement.
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:job_ids) given
cross join queuekit_claimed_executions claimed on claimed.job_id = given.value
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete from queuekit_claimed_executions
where job_id in (select value from json_each(:job_ids)) and process_id = :process_id;
