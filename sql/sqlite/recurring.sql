-- Recurring tasks and their runs. A run is the row (task_key, run_at): whoever inserts it, enqueues.

-- name: recurring.now
-- The database's clock, by which runs are due.
select round((julianday('now') - 2440587.5) * 86400.0, 3);

-- name: recurring.store
-- Write static tasks, or a dynamic one, which leaves a static one of its key alone. What stands there
-- already is not written again; `updated_at` changes with the schedule only.
insert into queuekit_recurring_tasks as task
  (task_key, schedule, class_name, command, arguments, queue_name, priority, description,
    timezone, missed, missed_within, is_static, created_at, updated_at)
select json_extract(value, '$.task_key'), json_extract(value, '$.schedule'),
  json_extract(value, '$.class_name'), json_extract(value, '$.command'),
  json_extract(value, '$.arguments'), json_extract(value, '$.queue_name'),
  json_extract(value, '$.priority'), json_extract(value, '$.description'),
  json_extract(value, '$.timezone'), json_extract(value, '$.missed'),
  json_extract(value, '$.missed_within'), :is_static,
  round((julianday('now') - 2440587.5) * 86400.0, 3),
  round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:tasks)
where true
on conflict (task_key) do update
set schedule = excluded.schedule, class_name = excluded.class_name, command = excluded.command,
  arguments = excluded.arguments, queue_name = excluded.queue_name, priority = excluded.priority,
  description = excluded.description, timezone = excluded.timezone, missed = excluded.missed,
  missed_within = excluded.missed_within, is_static = excluded.is_static,
  updated_at = case
    when (task.schedule, task.timezone) is (excluded.schedule, excluded.timezone)
      then task.updated_at
    else excluded.updated_at
  end
where (excluded.is_static or not task.is_static)
  and (
    task.schedule, task.class_name, task.command, task.arguments, task.queue_name, task.priority,
    task.description, task.timezone, task.missed, task.missed_within, task.is_static
  ) is not (
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
where is_static = :is_static and task_key in (select value from json_each(:keys))
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
  run.run_at, run.job_uuid, job.queue_name, job.attempt,
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
  where run.task_key = task.task_key
    and run.run_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
  order by run.run_at desc
  limit 1
)
from queuekit_recurring_tasks task;

-- name: recurring.record
-- Write the runs that nobody has written yet, in the order of their keys, so that schedulers wait for
-- each other and never deadlock. Returns those written. `token` is an id of the run's own.
insert into queuekit_recurring_executions (task_key, run_at, job_uuid, created_at)
select json_extract(value, '$.task_key'), json_extract(value, '$.run_at'),
  json_extract(value, '$.job_uuid'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:runs)
where true
order by 1, 2
on conflict (task_key, run_at) do nothing
returning task_key, run_at;

-- name: recurring.reassign
-- These runs have the given jobs, and not those that they were written with.
update queuekit_recurring_executions
set job_uuid = json_extract(given.value, '$.job_uuid')
from json_each(:runs) given
where task_key = json_extract(given.value, '$.task_key')
  and run_at = json_extract(given.value, '$.run_at');

-- name: recurring.clear
-- Delete runs that were written longer than `seconds` ago, at most `limit`, but of a task that there
-- still is never the last one. Returns their keys.
delete from queuekit_recurring_executions
where (task_key, run_at) in (
  select run.task_key, run.run_at
  from queuekit_recurring_executions run
  where run.created_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :seconds
    and (
      exists (
        select 1
        from queuekit_recurring_executions later
        where later.task_key = run.task_key and later.run_at > run.run_at
      )
      or not exists (
        select 1 from queuekit_recurring_tasks task where task.task_key = run.task_key
      )
    )
  order by run.created_at
  limit :limit
)
returning task_key;
