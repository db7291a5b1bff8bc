-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not. One with a
-- concurrency limit that is due has no place yet: `semaphores.place` gives it one. With
-- `places_later` it is scheduled, due now, and the dispatcher sees to it. Returns for each whether it
-- has no place, too. `wakes` is the word for those who wait for jobs, if it is to be sent.
with given as (
  select g.*
  from rows from (
    json_to_recordset(:jobs::json) as (
      uuid uuid, queue_name text, class_name text, arguments text, priority integer,
      at timestamptz, wait double precision, max_process_deaths integer, executions integer,
      exception_executions text, context text, concurrency_key text, concurrency_limit integer,
      concurrency_duration double precision, concurrency_on_conflict text,
      throttle_key text, throttle_to integer, throttle_per double precision
    )
  ) with ordinality as g
  (uuid, queue_name, class_name, arguments, priority, at, wait, max_process_deaths, executions,
    exception_executions, context, concurrency_key, concurrency_limit, concurrency_duration,
    concurrency_on_conflict, throttle_key, throttle_to, throttle_per, position)
), job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, executions, exception_executions, context, concurrency_key,
      concurrency_limit, concurrency_duration, concurrency_on_conflict,
      throttle_key, throttle_to, throttle_per)
  select uuid, queue_name, class_name, arguments, priority,
    coalesce(at, statement_timestamp() + make_interval(secs => coalesce(wait, 0))),
    statement_timestamp(), max_process_deaths, coalesce(executions, 0), exception_executions,
    context, concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per
  from given
  order by position
  returning id, uuid, queue_name, priority, scheduled_at,
    scheduled_at > statement_timestamp() or concurrency_key is not null and :places_later::boolean
      as waits,
    concurrency_key is not null as is_limited
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where not waits and not is_limited
), scheduled as (
  insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
  select id, queue_name, priority, scheduled_at
  from job
  where waits
)
select uuid::text, id, scheduled_at, is_limited and not waits,
  (select pg_notify('queuekit', :wakes::text) where :wakes::text is not null)
from job;

-- name: jobs.enqueue_alike
-- Write jobs that differ in nothing but their ids and arguments, all due at once: the entries are an
-- object of the arguments by id. Returns a list of the new rows' ids, which ascend as the entries do.
-- `wakes` is as in jobs.enqueue.
with job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, context)
  select uuid::uuid, :queue_name::text, :class_name::text, arguments,
    :priority::integer, statement_timestamp(), statement_timestamp(),
    :max_process_deaths::integer, :context::text
  from json_each_text(:entries::json) with ordinality as given (uuid, arguments, position)
  order by position
  returning id
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, :queue_name::text, :priority::integer, statement_timestamp()
  from job
)
select json_agg(id)::text,
  (select pg_notify('queuekit', :wakes::text) where :wakes::text is not null)
from job;

-- name: jobs.enqueue_one
-- Write one job that is due at once: most are, and this is cheaper than a list of one. Returns the new
-- row's id. `wakes` is as in jobs.enqueue.
with job as (
  insert into queuekit_jobs
    (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, context)
  values (:uuid, :queue_name, :class_name, :arguments, :priority::integer, statement_timestamp(),
    statement_timestamp(), :max_process_deaths::integer, :context)
  returning id, queue_name, priority, created_at
)
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from job
returning job_id, (select pg_notify('queuekit', :wakes::text) where :wakes::text is not null);

-- name: jobs.receipts
-- What enqueueing these would have returned: asked when the answer to a commit was lost.
select job.uuid::text, job.id, job.scheduled_at,
  case
    when blocked.job_id is not null then 'blocked'
    when finished.outcome = 'discarded' then 'discarded'
    else 'enqueued'
  end
from queuekit_jobs job
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
where job.attempt = 1
  and job.uuid = any (array(
    select value::uuid from json_array_elements_text(:uuids::json)
  ));

-- name: jobs.waiting
-- Every job that waits for its time, a worker or a slot, in the order in which they were enqueued.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, job.concurrency_key, job.throttle_key, waiting.state
from (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
) waiting
join queuekit_jobs job on job.id = waiting.job_id
order by job.id;

-- name: jobs.history
-- Every attempt of one job, where it is or how it ended, and who has it claimed. What is scheduled comes
-- with the time that it waits for: a throttle may have given it another.
select job.id, job.uuid::text, job.attempt,
  case
    when finished.job_id is not null then 'finished'
    when failed.job_id is not null then 'failed'
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    when blocked.job_id is not null then 'blocked'
    else 'scheduled'
  end,
  finished.outcome, job.queue_name, job.class_name, job.arguments, job.priority, job.executions,
  job.created_at, coalesce(scheduled.scheduled_at, job.scheduled_at), claimed.claimed_at,
  coalesce(finished.finished_at, failed.failed_at), coalesce(finished.error, failed.error),
  claimed.process_id, process.pid, process.hostname, job.concurrency_key
from queuekit_jobs job
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
left join queuekit_failed_executions failed on failed.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
left join queuekit_processes process on process.id = claimed.process_id
where job.uuid = :uuid::uuid
order by job.attempt;

-- name: jobs.discard
-- Discard a job that is scheduled or ready. Returns its row when it was.
with scheduled as (
  delete from queuekit_scheduled_executions where job_id = :job_id::bigint returning job_id
), ready as (
  delete from queuekit_ready_executions where job_id = :job_id::bigint returning job_id
), gone as (
  select job_id from scheduled union select job_id from ready
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, 'discarded', null, statement_timestamp()
  from gone
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from gone)) and not :preserve_finished::boolean
)
select job_id from gone;

-- name: jobs.ids
-- The ids of jobs by their rows.
select id, uuid::text
from queuekit_jobs
where id = any (array(
  select value::bigint from json_array_elements_text(:job_ids::json)
))
order by id;

-- name: jobs.counts
-- How many jobs are in each state, by queue where the state's table knows it.
select 'scheduled', queue_name, count(*) from queuekit_scheduled_executions group by queue_name
union all
select 'ready', queue_name, count(*) from queuekit_ready_executions group by queue_name
union all
select 'blocked', queue_name, count(*) from queuekit_blocked_executions group by queue_name
union all
select 'claimed', null, count(*) from queuekit_claimed_executions
union all
select 'failed', null, count(*) from queuekit_failed_executions
union all
select 'finished', null, count(*) from queuekit_finished_executions;

-- name: jobs.misplaced
-- The invariant: every job has exactly one execution, every execution a job. Lists what breaks it.
with execution as (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
  union all
  select job_id, 'claimed' from queuekit_claimed_executions
  union all
  select job_id, 'failed' from queuekit_failed_executions
  union all
  select job_id, 'finished' from queuekit_finished_executions
)
select coalesce(job.id, execution.job_id) as job_id,
  case when job.id is null then 'no job' else 'job' end,
  coalesce(string_agg(execution.state, ', ' order by execution.state), '')
from queuekit_jobs job
full join execution on execution.job_id = job.id
group by job.id, execution.job_id
having job.id is null or count(execution.job_id) <> 1
order by 1
limit :limit;
