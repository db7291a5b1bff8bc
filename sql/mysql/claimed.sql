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
-- Its own row is locked first, as in a turn.
-- Differs: without data-changing CTEs the claims are found again in each statement; the process's row
-- is locked by a no-op update.
update queuekit_processes set last_heartbeat_at = last_heartbeat_at where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete claimed
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) j) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
where claimed.process_id = :process_id;
