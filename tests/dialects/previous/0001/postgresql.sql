-- What version 0001 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
with given as (
  select g.*
  from rows from (
    json_to_recordset(:jobs::json) as (
      uuid uuid, queue_name text, class_name text, arguments text, priority integer,
      at timestamptz, wait double precision
    )
  ) with ordinality as g
  (uuid, queue_name, class_name, arguments, priority, at, wait, position)
), job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
  select uuid, queue_name, class_name, arguments, priority,
    coalesce(at, statement_timestamp() + make_interval(secs => coalesce(wait, 0))),
    statement_timestamp()
  from given
  order by position
  returning id, uuid, queue_name, priority, scheduled_at
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where scheduled_at <= statement_timestamp()
), scheduled as (
  insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
  select id, queue_name, priority, scheduled_at
  from job
  where scheduled_at > statement_timestamp()
)
select uuid::text, id, scheduled_at
from job;

-- name: jobs.enqueue_one
-- Write one job, as jobs.enqueue does: without a list to take apart, for a fifth less time.
with job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
  values (:uuid, :queue_name, :class_name, :arguments, :priority::integer,
    coalesce(
      :at::timestamptz,
      statement_timestamp() + make_interval(secs => coalesce(:wait::double precision, 0))
    ),
    statement_timestamp())
  returning id, uuid, queue_name, priority, scheduled_at, created_at
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, created_at from job where scheduled_at <= created_at
), scheduled as (
  insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
  select id, queue_name, priority, scheduled_at from job where scheduled_at > created_at
)
select uuid::text, id, scheduled_at from job;

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'.
with old as (
  delete from queuekit_failed_executions failed
  using queuekit_jobs job
  where failed.job_id = job.id
    and failed.job_id in (select value::bigint from json_array_elements_text(:job_ids::json))
  returning job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
    job.priority, failed.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'retried', error, statement_timestamp()
  from old
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id in (select id from old) and not :preserve_finished::boolean
), job as (
  insert into queuekit_jobs
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at)
  select uuid, attempt + 1, queue_name, class_name, arguments, priority,
    statement_timestamp(), statement_timestamp()
  from old
  order by id
  returning id, uuid, queue_name, priority
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
)
select uuid::text from job;

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds: its claims fail. Returns the ids
-- of the jobs failed. Its row goes first, as in processes.deregister; read the other way round, the
-- claims of a turn under way would be left behind.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at
    <= statement_timestamp() - make_interval(secs => :silent_for::double precision);

with taken as (
  delete from queuekit_claimed_executions
  where process_id = :process_id
    and not exists (select from queuekit_processes where id = :process_id)
  returning job_id
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select job_id, :error, statement_timestamp()
  from taken
)
select job.uuid::text
from taken
join queuekit_jobs job on job.id = taken.job_id;

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), result as (
  select * from json_to_recordset(:results::json) as (job_id bigint, outcome text, error text)
), settled as (
  delete from queuekit_claimed_executions claimed
  using result, process
  where claimed.job_id = result.job_id and claimed.process_id = process.id
  returning claimed.job_id, result.outcome, result.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, outcome, error, statement_timestamp()
  from settled
  where outcome <> 'failed' and :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id in (select job_id from settled where outcome <> 'failed')
    and not :preserve_finished::boolean
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select job_id, error, statement_timestamp()
  from settled
  where outcome = 'failed'
), picked as materialized (
  select job_id
  from queuekit_ready_executions
  where exists (select from process) and not exists (select from queuekit_pauses)
  order by priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_ready_executions ready
  using picked
  where ready.job_id = picked.job_id
  returning ready.job_id
), claimed as (
  insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
  select job_id, :process_id::bigint, statement_timestamp()
  from taken
)
select 'process' as kind, id, null::text as uuid, null::integer as attempt,
  null::text as queue_name, null::text as class_name, null::text as arguments,
  null::integer as priority
from process
union all
select 'settled', job_id, null, null, null, null, null, null from settled
union all
select 'claimed', job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority
from taken
join queuekit_jobs job on job.id = taken.job_id
union all
select 'paused', null, null, null, queue_name, null, null, null from queuekit_pauses;
