-- Recurring tasks and their runs. A run is the row (task_key, run_at): whoever inserts it, enqueues.

-- name: recurring.now
-- The database's clock, by which runs are due.
select utc_timestamp(6);

-- name: recurring.store
-- Write static tasks, or a dynamic one, which leaves a static one of its key alone. What stands there
-- already is not written again; `updated_at` changes with the schedule only.
-- Differs: an update has no condition of its own, so the static ones are left out before; updated_at
-- comes first, since later it would compare the schedule with itself.
insert into queuekit_recurring_tasks
  (task_key, schedule, class_name, command, arguments, queue_name, priority, description,
    timezone, missed, missed_within, is_static, created_at, updated_at)
select given.task_key, given.schedule, given.class_name, given.command, given.arguments,
  given.queue_name, given.priority, given.description, given.timezone, given.missed,
  given.missed_within, :is_static, utc_timestamp(6), utc_timestamp(6)
from json_table(:tasks, '$[*]' columns (
  task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.task_key',
  schedule longtext character set utf8mb4 collate utf8mb4_bin path '$.schedule',
  class_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.class_name',
  command longtext character set utf8mb4 collate utf8mb4_bin path '$.command',
  arguments longtext character set utf8mb4 collate utf8mb4_bin path '$.arguments',
  queue_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.queue_name',
  priority integer path '$.priority',
  description longtext character set utf8mb4 collate utf8mb4_bin path '$.description',
  timezone varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.timezone',
  missed varchar(20) character set ascii collate ascii_bin path '$.missed',
  missed_within double path '$.missed_within'
)) given
where :is_static or not exists (
  select 1 from queuekit_recurring_tasks task where task.task_key = given.task_key and task.is_static
)
order by given.task_key
on duplicate key update
  updated_at = if(
    queuekit_recurring_tasks.schedule <=> values(schedule)
      and queuekit_recurring_tasks.timezone <=> values(timezone),
    queuekit_recurring_tasks.updated_at, values(updated_at)
  ),
  schedule = values(schedule), class_name = values(class_name), command = values(command),
  arguments = values(arguments), queue_name = values(queue_name), priority = values(priority),
  description = values(description), timezone = values(timezone), missed = values(missed),
  missed_within = values(missed_within), is_static = values(is_static);

-- name: recurring.kinds
-- Every task's key, and whether it is static.
select task_key, is_static from queuekit_recurring_tasks order by task_key;

-- name: recurring.remove
-- Take away the static tasks, or the dynamic ones, of these keys. Returns the keys removed.
-- Differs: without RETURNING, the keys are asked for, and locked, first.
select task.task_key
from (
  select task_key
  from json_table(:keys, '$[*]' columns (
    task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) g
) given
straight_join queuekit_recurring_tasks task on task.task_key = given.task_key
where task.is_static = :is_static;

delete task
from (
  select task_key
  from json_table(:keys, '$[*]' columns (
    task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) g
) given
straight_join queuekit_recurring_tasks task on task.task_key = given.task_key
where task.is_static = :is_static;

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
  where run.task_key = task.task_key and run.run_at <= utc_timestamp(6)
  order by run.run_at desc
  limit 1
)
from queuekit_recurring_tasks task;

-- name: recurring.record
-- Write the runs that nobody has written yet, in the order of their keys, so that schedulers wait for
-- each other and never deadlock. Returns those written. `token` is an id of the run's own.
-- Differs: without RETURNING, a run that was written is known by its token, which stands in place of
-- the job's id where there is none. The runs travel once, in a user variable, as in jobs.enqueue.
set @queuekit_runs = convert(:runs using utf8mb4);

insert into queuekit_recurring_executions (task_key, run_at, job_uuid, created_at)
select given.task_key, given.run_at, given.token, utc_timestamp(6)
from json_table(@queuekit_runs, '$[*]' columns (
  task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.task_key',
  run_at datetime(6) path '$.run_at',
  token char(36) character set ascii collate ascii_bin path '$.token'
)) given
order by given.task_key, given.run_at
on duplicate key update job_uuid = queuekit_recurring_executions.job_uuid;

select run.task_key, run.run_at
from json_table(@queuekit_runs, '$[*]' columns (
  task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.task_key',
  run_at datetime(6) path '$.run_at',
  token char(36) character set ascii collate ascii_bin path '$.token'
)) given
straight_join queuekit_recurring_executions run
  on run.task_key = given.task_key and run.run_at = given.run_at and run.job_uuid = given.token;

update (
  select task_key, run_at, token
  from json_table(@queuekit_runs, '$[*]' columns (
    task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.task_key',
    run_at datetime(6) path '$.run_at',
    token char(36) character set ascii collate ascii_bin path '$.token',
    job_uuid char(36) character set ascii collate ascii_bin path '$.job_uuid'
  )) g
  where job_uuid is null
) given
straight_join queuekit_recurring_executions run
  on run.task_key = given.task_key and run.run_at = given.run_at and run.job_uuid = given.token
set run.job_uuid = null;

-- name: recurring.reassign
-- These runs have the given jobs, and not those that they were written with.
update (
  select task_key, run_at, job_uuid
  from json_table(:runs, '$[*]' columns (
    task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.task_key',
    run_at datetime(6) path '$.run_at',
    job_uuid char(36) character set ascii collate ascii_bin path '$.job_uuid'
  )) g
) given
straight_join queuekit_recurring_executions run
  on run.task_key = given.task_key and run.run_at = given.run_at
set run.job_uuid = given.job_uuid;

-- name: recurring.clear
-- Delete runs that were written longer than `seconds` ago, at most `limit`, but of a task that there
-- still is never the last one. Returns their keys.
-- Differs: the runs travel in a user variable, as the ids do in scheduled.dispatch.
set @queuekit_old = (
  select json_arrayagg(json_object('key', old.task_key, 'at', old.run_at))
  from (
    select run.task_key, run.run_at
    from queuekit_recurring_executions run
      force index (queuekit_recurring_executions_by_time)
    where run.created_at <= utc_timestamp(6) - interval :seconds * 1000000 microsecond
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
    for update skip locked
  ) old
);

delete run
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (
  task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  run_at datetime(6) path '$.at'
)) old
straight_join queuekit_recurring_executions run
  on run.task_key = old.task_key and run.run_at = old.run_at;

select old.task_key
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (
  task_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key'
)) old;
