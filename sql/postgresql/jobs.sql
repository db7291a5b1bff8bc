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

-- name: jobs.receipts
-- What enqueueing these would have returned: asked when the answer to a commit was lost.
select uuid::text, id, scheduled_at
from queuekit_jobs
where attempt = 1
  and uuid in (select value::uuid from json_array_elements_text(:uuids::json));

-- name: jobs.waiting
-- Every job that waits for its time or for a worker, in the order in which they were enqueued.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, waiting.state
from (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
) waiting
join queuekit_jobs job on job.id = waiting.job_id
order by job.id;

-- name: jobs.history
-- Every attempt of one job, where it is or how it ended, and who has it claimed.
select job.id, job.uuid::text, job.attempt,
  case
    when finished.job_id is not null then 'finished'
    when failed.job_id is not null then 'failed'
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    else 'scheduled'
  end,
  finished.outcome, job.queue_name, job.class_name, job.arguments, job.priority, job.executions,
  job.created_at, job.scheduled_at, claimed.claimed_at,
  coalesce(finished.finished_at, failed.failed_at), coalesce(finished.error, failed.error),
  claimed.process_id, process.pid, process.hostname
from queuekit_jobs job
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
left join queuekit_failed_executions failed on failed.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
left join queuekit_processes process on process.id = claimed.process_id
where job.uuid = :uuid::uuid
order by job.attempt;

-- name: jobs.counts
-- How many jobs are in each state, by queue where the state's table knows it.
select 'scheduled', queue_name, count(*) from queuekit_scheduled_executions group by queue_name
union all
select 'ready', queue_name, count(*) from queuekit_ready_executions group by queue_name
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
