-- Recurring tasks and their runs. A run is the row (task_key, run_at): whoever inserts it, enqueues.

-- name: recurring.now
-- The database's clock, by which runs are due.
select statement_timestamp();

-- name: recurring.store
-- Write static tasks, or a dynamic one, which leaves a static one of its key alone. What stands there
-- already is not written again; `updated_at` changes with the schedule only.
insert into queuekit_recurring_tasks as task
  (task_key, schedule, class_name, command, arguments, queue_name, priority, description,
    timezone, missed, missed_within, is_static, created_at, updated_at)
select given.*, :is_static::boolean, statement_timestamp(), statement_timestamp()
from json_to_recordset(:tasks::json) as given (
  task_key text, schedule text, class_name text, command text, arguments text, queue_name text,
  priority integer, description text, timezone text, missed text, missed_within double precision
)
order by given.task_key collate "C"
on conflict (task_key) do update
set schedule = excluded.schedule, class_name = excluded.class_name, command = excluded.command,
  arguments = excluded.arguments, queue_name = excluded.queue_name, priority = excluded.priority,
  description = excluded.description, timezone = excluded.timezone, missed = excluded.missed,
  missed_within = excluded.missed_within, is_static = excluded.is_static,
  updated_at = case
    when (task.schedule, task.timezone) is not distinct from (excluded.schedule, excluded.timezone)
      then task.updated_at
    else excluded.updated_at
  end
where (excluded.is_static or not task.is_static)
  and (
    task.schedule, task.class_name, task.command, task.arguments, task.queue_name, task.priority,
    task.description, task.timezone, task.missed, task.missed_within, task.is_static
  ) is distinct from (
    excluded.schedule, excluded.class_name, excluded.command, excluded.arguments,
    excluded.queue_name, excluded.priority, excluded.description, excluded.timezone,
    excluded.missed, excluded.missed_within, excluded.is_static
  );

-- name: recurring.kinds
-- Every task's key, and whether it is static.
select task_key, is_static from queuekit_recurring_tasks order by task_key;

-- name: recurring.remove
-- Take away the static tasks, or the dynamic ones, of these keys. Returns the keys removed.
delete from queuekit_recurring_tasks
where is_static = :is_static::boolean
  and task_key in (select value from json_array_elements_text(:keys::json))
returning task_key;

-- name: recurring.find
-- Whether the task of this key is static; no row when there is none.
select is_static from queuekit_recurring_tasks where task_key = :task_key;

-- name: recurring.dynamic
-- The dynamic tasks.
select task_key, schedule, class_name, arguments, queue_name, priority, description, timezone,
  missed, missed_within, updated_at
from queuekit_recurring_tasks
where not is_static
order by task_key;

-- name: recurring.list
-- Every task, its last run, and what became of the newest attempt of that run's job: null when there is
-- no such job any more.
select task.task_key, task.schedule, task.class_name, task.command, task.queue_name, task.priority,
  task.description, task.timezone, task.missed, task.missed_within, task.is_static,
  run.run_at, run.job_uuid::text, job.queue_name, job.attempt,
  case
    when finished.job_id is not null then finished.outcome
    when failed.job_id is not null then 'failed'
    when claimed.job_id is not null then 'claimed'
    when job.id is not null then 'waiting'
  end
from queuekit_recurring_tasks task
left join queuekit_recurring_executions run
  on run.task_key = task.task_key
  and run.run_at = (
    select max(last.run_at)
    from queuekit_recurring_executions last
    where last.task_key = task.task_key
  )
left join queuekit_jobs job
  on job.uuid = run.job_uuid
  and job.attempt = (
    select max(latest.attempt) from queuekit_jobs latest where latest.uuid = run.job_uuid
  )
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
left join queuekit_failed_executions failed on failed.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
order by task.task_key;

-- name: recurring.standing
-- Of each task since when its schedule holds, and its last run until now.
select task.task_key, task.updated_at, (
  select run.run_at
  from queuekit_recurring_executions run
  where run.task_key = task.task_key and run.run_at <= statement_timestamp()
  order by run.run_at desc
  limit 1
)
from queuekit_recurring_tasks task;

-- name: recurring.record
-- Write the runs that nobody has written yet, in the order of their keys, so that schedulers wait for
-- each other and never deadlock. Returns those written. `token` is an id of the run's own.
insert into queuekit_recurring_executions (task_key, run_at, job_uuid, created_at)
select given.task_key, given.run_at, given.job_uuid, statement_timestamp()
from json_to_recordset(:runs::json) as given (
  task_key text, run_at timestamptz, token uuid, job_uuid uuid
)
order by given.task_key collate "C", given.run_at
on conflict (task_key, run_at) do nothing
returning task_key, run_at;

-- name: recurring.reassign
-- These runs have the given jobs, and not those that they were written with.
update queuekit_recurring_executions run
set job_uuid = given.job_uuid
from json_to_recordset(:runs::json) as given (task_key text, run_at timestamptz, job_uuid uuid)
where run.task_key = given.task_key and run.run_at = given.run_at;

-- name: recurring.clear
-- Delete runs that were written longer than `seconds` ago, at most `limit`, but of a task that there
-- still is never the last one. Returns their keys.
with old as materialized (
  select run.task_key, run.run_at
  from queuekit_recurring_executions run
  where run.created_at <= statement_timestamp() - make_interval(secs => :seconds::double precision)
    and (
      exists (
        select from queuekit_recurring_executions later
        where later.task_key = run.task_key and later.run_at > run.run_at
      )
      or not exists (
        select from queuekit_recurring_tasks task where task.task_key = run.task_key
      )
    )
  order by run.created_at
  limit :limit::bigint
  for update of run skip locked
)
delete from queuekit_recurring_executions run
using old
where run.task_key = old.task_key and run.run_at = old.run_at
returning run.task_key;
