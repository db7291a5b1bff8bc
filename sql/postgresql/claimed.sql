-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, job.concurrency_key, job.throttle_key
from queuekit_jobs job
where job.id = any (array(
  select job_id from queuekit_claimed_executions where process_id = :process_id
))
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
with completed as (
  delete from queuekit_claimed_executions
  where job_id = :job_id::bigint and process_id = :process_id::bigint
  returning job_id
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, 'finished', null, statement_timestamp()
  from completed
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from completed)) and not :preserve_finished::boolean
)
select job_id from completed;

-- name: claimed.completions
-- What became of the claims of jobs that said they had completed themselves. No row: it is gone, they
-- have. Else 'stands', and 'free' too once no open transaction has a lock on it.
-- Claims are looked up one by one, as turns do.
with claimed as materialized (
  select claimed.ctid, claimed.job_id
  from json_array_elements_text(:job_ids::json) given
  cross join lateral (
    select ctid, job_id
    from queuekit_claimed_executions
    where job_id = given.value::bigint and process_id = :process_id::bigint
    offset 0
  ) claimed
), free as (
  select job_id
  from queuekit_claimed_executions
  where ctid = any (array(select ctid from claimed))
  for update skip locked
)
select job_id, 'free' from free
union all
select job_id, 'stands' from claimed;

-- name: claimed.running
-- What runs now, or waits for a thread of the worker that has claimed it; the longest first: since
-- when, for how many seconds, and what the job has said of its progress.
select job.uuid::text, job.class_name, job.queue_name, job.attempt, claimed.process_id,
  claimed.claimed_at,
  extract(epoch from statement_timestamp() - claimed.claimed_at)::double precision,
  progress.done, progress.total
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
left join queuekit_progress progress on progress.uuid = job.uuid
order by claimed.claimed_at, claimed.job_id
limit :limit::bigint;

-- name: claimed.release
-- A process that begins no more jobs gives these claims back to ready, where it still holds them.
-- Its own row is locked first, as in a turn. Returns the jobs with a concurrency limit, which have no
-- place yet, and their keys.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), taken as (
  delete from queuekit_claimed_executions claimed
  using process
  where claimed.process_id + 0 = process.id
    and claimed.job_id = any (array(
      select value::bigint from json_array_elements_text(:job_ids::json)
    ))
  returning claimed.job_id
), job as (
  select job.id, job.queue_name, job.priority, job.concurrency_key
  from taken
  join queuekit_jobs job on job.id = taken.job_id
  where job.id = any (array(select job_id from taken))
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where concurrency_key is null
  on conflict (job_id) do nothing
)
select id, concurrency_key
from job
where concurrency_key is not null;
