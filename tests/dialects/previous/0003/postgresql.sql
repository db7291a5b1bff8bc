-- What version 0003 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
with given as (
  select g.*
  from rows from (
    json_to_recordset(:jobs::json) as (
      uuid uuid, queue_name text, class_name text, arguments text, priority integer,
      at timestamptz, wait double precision, max_process_deaths integer, executions integer,
      exception_executions text, context text
    )
  ) with ordinality as g
  (uuid, queue_name, class_name, arguments, priority, at, wait, max_process_deaths, executions,
    exception_executions, context, position)
), job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, executions, exception_executions, context)
  select uuid, queue_name, class_name, arguments, priority,
    coalesce(at, statement_timestamp() + make_interval(secs => coalesce(wait, 0))),
    statement_timestamp(), max_process_deaths, coalesce(executions, 0), exception_executions,
    context
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
-- Write one job that is due at once: most are, and this is cheaper than a list of one.
with job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, context)
  values (:uuid, :queue_name, :class_name, :arguments, :priority::integer, statement_timestamp(),
    statement_timestamp(), :max_process_deaths::integer, :context)
  returning id, uuid, queue_name, priority, created_at
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, created_at from job
)
select uuid::text, id, null from job;

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), given as (
  select * from json_to_recordset(:retries::json) as (
    job_id bigint, wait double precision, queue_name text, priority integer, executions integer,
    exception_executions text
  )
), fresh as (
  insert into queuekit_jobs
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      process_deaths, max_process_deaths, executions, exception_executions, context)
  select job.uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
      + row_number() over (partition by job.uuid order by job.id),
    coalesce(given.queue_name, job.queue_name), job.class_name, job.arguments,
    coalesce(given.priority, job.priority),
    statement_timestamp() + make_interval(secs => given.wait), statement_timestamp(),
    job.process_deaths, job.max_process_deaths, given.executions, given.exception_executions,
    job.context
  from given
  join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
  join process on process.id = claimed.process_id
  join queuekit_jobs job on job.id = given.job_id
  order by job.id
  returning id, queue_name, priority, scheduled_at
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from fresh
  where scheduled_at <= statement_timestamp()
)
insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select id, queue_name, priority, scheduled_at
from fresh
where scheduled_at > statement_timestamp();

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
  null::integer as priority, null::integer as executions, null::text as exception_executions,
  null::text as context, null::timestamptz as scheduled_at, null::timestamptz as created_at
from process
union all
select 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null
from settled
union all
select 'claimed', job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from taken
join queuekit_jobs job on job.id = taken.job_id
union all
select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
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
  where queue_name = :queue_name
    and exists (select from process)
    and not exists (select from queuekit_pauses where queue_name = :queue_name)
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
  null::integer as priority, null::integer as executions, null::text as exception_executions,
  null::text as context, null::timestamptz as scheduled_at, null::timestamptz as created_at
from process
union all
select 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null
from settled
union all
select 'claimed', job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from taken
join queuekit_jobs job on job.id = taken.job_id
union all
select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved.
with due as materialized (
  select job_id
  from queuekit_scheduled_executions
  where scheduled_at <= statement_timestamp()
  order by scheduled_at, priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_scheduled_executions scheduled
  using due
  where scheduled.job_id = due.job_id
  returning scheduled.job_id, scheduled.queue_name, scheduled.priority
)
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job_id, queue_name, priority, statement_timestamp()
from taken
on conflict (job_id) do nothing
returning job_id;

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'. It
-- is numbered as in turn.retry.
with old as (
  delete from queuekit_failed_executions failed
  using queuekit_jobs job
  where failed.job_id = job.id
    and failed.job_id in (select value::bigint from json_array_elements_text(:job_ids::json))
  returning job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
    job.priority, job.max_process_deaths, job.context, failed.error
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
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, context)
  select uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = old.uuid)
      + row_number() over (partition by uuid order by id),
    queue_name, class_name, arguments, priority, statement_timestamp(), statement_timestamp(),
    max_process_deaths, context
  from old
  order by id
  returning id, uuid, queue_name, priority
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
)
select uuid::text from job;

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released. Its row goes
-- first: that waits for a turn under way, whose claims the later statement then sees.
delete from queuekit_processes where id = :process_id;

with taken as (
  delete from queuekit_claimed_executions
  where process_id = :process_id
  returning job_id
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select job.id, job.queue_name, job.priority, statement_timestamp()
  from taken
  join queuekit_jobs job on job.id = taken.job_id
  on conflict (job_id) do nothing
)
select job_id from taken;

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds. Its row goes first, as in
-- processes.deregister; read the other way round, the claims of a turn under way would be left
-- behind. Then each claim goes where its job's share in this death sends it:
--   not among `begun` (null: nobody knows, all count as begun)    back to ready, uncharged
--   begun, and deaths are left (`may_retry`, max_process_deaths)  retried: a new attempt, ready
--   begun, and none are left                                      failed, with `error`
-- Returns each job's id and what became of it, and a row 'buried' when the process's own was there.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at
    <= statement_timestamp() - make_interval(secs => :silent_for::double precision)
returning null::text, 'buried';

with taken as (
  delete from queuekit_claimed_executions
  where process_id = :process_id
    and not exists (select from queuekit_processes where id = :process_id)
  returning job_id
), job as (
  select job.*,
    :begun::json is null
      or job.id in (select value::bigint from json_array_elements_text(:begun::json)) as has_begun,
    :may_retry::boolean
      and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths::integer)
      as may_die_again
  from taken
  join queuekit_jobs job on job.id = taken.job_id
), released as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp() from job where not has_begun
  on conflict (job_id) do nothing
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select id, :error, statement_timestamp() from job where has_begun and not may_die_again
  on conflict (job_id) do nothing
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'retried', :error, statement_timestamp()
  from job
  where has_begun and may_die_again and :preserve_finished::boolean
  on conflict (job_id) do nothing
), forgotten as (
  delete from queuekit_jobs
  where id in (select id from job where has_begun and may_die_again)
    and not :preserve_finished::boolean
), fresh as (
  insert into queuekit_jobs
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      process_deaths, max_process_deaths, executions, exception_executions, context)
  select uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
      + row_number() over (partition by uuid order by id),
    queue_name, class_name, arguments, priority, statement_timestamp(), statement_timestamp(),
    process_deaths + 1, max_process_deaths, executions + 1, exception_executions, context
  from job
  where has_begun and may_die_again
  order by id
  returning id, queue_name, priority
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp() from fresh
)
select uuid::text,
  case when not has_begun then 'released' when may_die_again then 'retried' else 'failed' end
from job;
