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
-- Differs: without data-changing CTEs the claim is found again in each statement.
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job_id, 'finished', null, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions
where job_id = :job_id and process_id = :process_id and :preserve_finished;

delete from queuekit_jobs
where not :preserve_finished
  and id in (
    select job_id
    from queuekit_claimed_executions
    where job_id = :job_id and process_id = :process_id
  );

delete from queuekit_claimed_executions
where job_id = :job_id and process_id = :process_id
returning job_id;

-- name: claimed.completions
-- What became of the claims of jobs that said they had completed themselves. No row: it is gone, they
-- have. Else 'stands', and 'free' too once no open transaction has a lock on it.
-- Differs: there are no row locks. An open transaction that has written holds up every other writer,
-- the next turn too, which then sees how it ended.
select claimed.job_id, found.what
from queuekit_claimed_executions claimed
cross join (select 'stands' as what union all select 'free') found
where claimed.job_id in (select value from json_each(:job_ids))
  and claimed.process_id = :process_id;

-- name: claimed.running
-- What runs now, or waits for a thread of the worker that has claimed it; the longest first: since
-- when, for how many seconds, and what the job has said of its progress.
select job.uuid, job.class_name, job.queue_name, job.attempt, claimed.process_id,
  claimed.claimed_at,
  round((julianday('now') - 2440587.5) * 86400.0, 3) - claimed.claimed_at,
  progress.done, progress.total
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_progress progress on progress.uuid = job.uuid
order by claimed.claimed_at, claimed.job_id
limit :limit;

-- name: claimed.release
-- A process that begins no more jobs gives these claims back to ready, where it still holds them.
-- Returns the jobs with a concurrency limit, which have no place yet, and their keys.
-- Differs: without data-changing CTEs the claims are found again in each statement.
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:job_ids) given
cross join queuekit_claimed_executions claimed on claimed.job_id = given.value
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and job.concurrency_key is null
on conflict (job_id) do nothing;

select job.id, job.concurrency_key
from json_each(:job_ids) given
cross join queuekit_claimed_executions claimed on claimed.job_id = given.value
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and job.concurrency_key is not null;

delete from queuekit_claimed_executions
where job_id in (select value from json_each(:job_ids)) and process_id = :process_id;
