-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, job.concurrency_key, job.throttle_key
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

-- name: claimed.complete
-- A job ends itself, in its own transaction: finished when that commits, claimed again when it does
-- not. Returns the job's row while its claim stands.
-- Differs: without RETURNING the claim is locked and read first. The caller's transaction may be
-- REPEATABLE READ, whose locks on an index that is not unique, or on a row that is not there, would
-- keep every worker from claiming: so the claim is looked for plainly, and locked by its primary key.
set @queuekit_held = null, @queuekit_completed = null;

select job_id into @queuekit_held
from queuekit_claimed_executions
where job_id = :job_id and process_id = :process_id;

select job_id into @queuekit_completed
from queuekit_claimed_executions force index (primary)
where job_id = @queuekit_held and process_id = :process_id
for update;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select @queuekit_completed, 'finished', null, utc_timestamp(6)
from dual
where @queuekit_completed is not null and :preserve_finished;

delete from queuekit_jobs where id = @queuekit_completed and not :preserve_finished;

delete from queuekit_claimed_executions where job_id = @queuekit_completed;

select @queuekit_completed from dual where @queuekit_completed is not null;

-- name: claimed.completions
-- What became of the claims of jobs that said they had completed themselves. No row: it is gone, they
-- have. Else 'stands', and 'free' too once no open transaction has a lock on it.
-- Differs: MySQL takes no JSON_TABLE in a statement that locks, so there the ids are compared as JSON
-- is; the claims of one process are few.
select claimed.job_id, 'stands'
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
where claimed.process_id = :process_id;

select claimed.job_id, 'free'
from queuekit_claimed_executions claimed
where claimed.process_id = :process_id
  and json_contains(:job_ids, cast(claimed.job_id as char))
for update skip locked;

-- name: claimed.running
-- What runs now, or waits for a thread of the worker that has claimed it; the longest first: since
-- when, for how many seconds, and what the job has said of its progress.
select job.uuid, job.class_name, job.queue_name, job.attempt, claimed.process_id,
  claimed.claimed_at,
  timestampdiff(microsecond, claimed.claimed_at, utc_timestamp(6)) / 1000000e0,
  progress.done, progress.total
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_progress progress on progress.uuid = job.uuid
order by claimed.claimed_at, claimed.job_id
limit :limit;

-- name: claimed.release
-- A process that begins no more jobs gives these claims back to ready, where it still holds them.
-- Its own row is locked first, as in a turn. Returns the jobs with a concurrency limit, which have no
-- place yet, and their keys.
-- Differs: without data-changing CTEs the claims are found again in each statement; the process's row
-- is locked by a no-op update.
update queuekit_processes set last_heartbeat_at = last_heartbeat_at where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and job.concurrency_key is null
on duplicate key update job_id = queuekit_ready_executions.job_id;

select job.id, job.concurrency_key
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and job.concurrency_key is not null;

delete claimed
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) j) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
where claimed.process_id = :process_id;
