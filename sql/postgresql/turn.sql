-- A worker's turn: settle what has gathered and claim what the pool will use, in one transaction.
-- Both rest on the process's own row: without it (pruned) nothing is settled and nothing claimed.
-- The rows that a statement deletes it finds by their place (ctid), and what else is known by arrays of
-- ids, however the planner counts: by a plan that was made while the tables were nearly empty, it would
-- read all that was ever claimed, until autovacuum comes, or a million rows that are ready by now.
-- Hence `offset 0`, too, which keeps a lookup for each row.
-- Rows come back by kind: 'process' (the registration stands), 'settled', 'claimed', 'paused'.
-- A turn claims what comes after a position, a priority and a row id: processes/frontier.py says why.

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
-- Returns those that have no place yet, since they are due and have a concurrency limit, and its key.
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
      process_deaths, max_process_deaths, executions, exception_executions, context,
      concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
      throttle_key, throttle_to, throttle_per)
  select job.uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
      + row_number() over (partition by job.uuid order by job.id),
    coalesce(given.queue_name, job.queue_name), job.class_name, job.arguments,
    coalesce(given.priority, job.priority),
    statement_timestamp() + make_interval(secs => given.wait), statement_timestamp(),
    job.process_deaths, job.max_process_deaths, given.executions, given.exception_executions,
    job.context, job.concurrency_key, job.concurrency_limit, job.concurrency_duration,
    job.concurrency_on_conflict,
    job.throttle_key, job.throttle_to, job.throttle_per
  from given
  cross join lateral (
    select job_id
    from queuekit_claimed_executions
    where job_id = given.job_id and process_id = (select id from process)
    offset 0
  ) claimed
  cross join lateral (select * from queuekit_jobs where id = claimed.job_id offset 0) job
  order by job.id
  returning id, queue_name, priority, scheduled_at, concurrency_key
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from fresh
  where scheduled_at <= statement_timestamp() and concurrency_key is null
), scheduled as (
  insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
  select id, queue_name, priority, scheduled_at
  from fresh
  where scheduled_at > statement_timestamp()
)
select id, concurrency_key
from fresh
where scheduled_at <= statement_timestamp() and concurrency_key is not null;

-- name: turn.standing
-- Of these jobs, those that this process still has claimed. Its row is locked, so that it stays so
-- until the turn, in the same transaction, settles them.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
)
select claimed.job_id
from json_array_elements_text(:job_ids::json) given
cross join lateral (
  select job_id
  from queuekit_claimed_executions
  where job_id = given.value::bigint and process_id = (select id from process)
  offset 0
) claimed;

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), result as (
  select * from json_to_recordset(:results::json) as (job_id bigint, outcome text, error text)
), held as materialized (
  select claimed.ctid, result.outcome, result.error
  from result
  cross join lateral (
    select ctid
    from queuekit_claimed_executions
    where job_id = result.job_id and process_id = (select id from process)
    offset 0
  ) claimed
), settled as (
  delete from queuekit_claimed_executions claimed
  using held
  where claimed.ctid = held.ctid
  returning claimed.job_id, held.outcome, held.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, outcome, error, statement_timestamp()
  from settled
  where outcome <> 'failed' and :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from settled where outcome <> 'failed'))
    and not :preserve_finished::boolean
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select job_id, error, statement_timestamp()
  from settled
  where outcome = 'failed' and :has_failed::boolean
), picked as materialized (
  select ctid
  from queuekit_ready_executions
  where (priority, job_id) > (:after_priority::bigint, :after_job_id::bigint)
    and exists (select from process)
    and not exists (select from queuekit_pauses)
  order by priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_ready_executions
  where ctid = any (array(select ctid from picked))
  returning job_id
), claimed as (
  insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
  select job_id, :process_id::bigint, statement_timestamp()
  from taken
), started as (
  update queuekit_semaphore_slots slot
  set process_id = :process_id::bigint,
    expires_at = statement_timestamp() + make_interval(secs => slot.duration)
  where slot.job_id = any (array(select job_id from taken))
)
select 'process' as kind, id, null::text as uuid, null::integer as attempt,
  null::text as queue_name, null::text as class_name, null::text as arguments,
  null::integer as priority, null::integer as executions, null::text as exception_executions,
  null::text as context, null::timestamptz as scheduled_at, null::timestamptz as created_at,
  null::text as concurrency_key, null::text as throttle_key
from process
union all
select 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null, null,
  null
from settled
union all
select 'claimed', job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from queuekit_jobs job
where job.id = any (array(select job_id from taken))
union all
select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null,
  null, null
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), result as (
  select * from json_to_recordset(:results::json) as (job_id bigint, outcome text, error text)
), held as materialized (
  select claimed.ctid, result.outcome, result.error
  from result
  cross join lateral (
    select ctid
    from queuekit_claimed_executions
    where job_id = result.job_id and process_id = (select id from process)
    offset 0
  ) claimed
), settled as (
  delete from queuekit_claimed_executions claimed
  using held
  where claimed.ctid = held.ctid
  returning claimed.job_id, held.outcome, held.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, outcome, error, statement_timestamp()
  from settled
  where outcome <> 'failed' and :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from settled where outcome <> 'failed'))
    and not :preserve_finished::boolean
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select job_id, error, statement_timestamp()
  from settled
  where outcome = 'failed' and :has_failed::boolean
), picked as materialized (
  select ctid
  from queuekit_ready_executions
  where queue_name = :queue_name
    and (priority, job_id) > (:after_priority::bigint, :after_job_id::bigint)
    and exists (select from process)
    and not exists (select from queuekit_pauses where queue_name = :queue_name)
  order by priority, job_id
  limit :limit::bigint
  for update skip locked
), taken as (
  delete from queuekit_ready_executions
  where ctid = any (array(select ctid from picked))
  returning job_id
), claimed as (
  insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
  select job_id, :process_id::bigint, statement_timestamp()
  from taken
), started as (
  update queuekit_semaphore_slots slot
  set process_id = :process_id::bigint,
    expires_at = statement_timestamp() + make_interval(secs => slot.duration)
  where slot.job_id = any (array(select job_id from taken))
)
select 'process' as kind, id, null::text as uuid, null::integer as attempt,
  null::text as queue_name, null::text as class_name, null::text as arguments,
  null::integer as priority, null::integer as executions, null::text as exception_executions,
  null::text as context, null::timestamptz as scheduled_at, null::timestamptz as created_at,
  null::text as concurrency_key, null::text as throttle_key
from process
union all
select 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null, null,
  null
from settled
union all
select 'claimed', job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from queuekit_jobs job
where job.id = any (array(select job_id from taken))
union all
select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null,
  null, null
from queuekit_pauses;
