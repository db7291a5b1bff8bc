-- What is enqueued again and again. Static tasks are the configuration's, dynamic ones are made and
-- removed while everything runs. `updated_at` is since when the schedule holds: before that there was
-- nothing to miss.
create table queuekit_recurring_tasks (
  task_key      text collate "C" primary key,
  schedule      text not null,
  class_name    text,
  command       text,
  arguments     text not null,
  queue_name    text,
  priority      integer,
  description   text,
  timezone      text,
  missed        text not null,
  missed_within double precision,
  is_static     boolean not null,
  created_at    timestamptz not null,
  updated_at    timestamptz not null
);

-- A task's runs, each by the time at which its schedule wants it. Whoever writes the row enqueues the
-- job, in the same transaction; `job_uuid` is that job's, null where it is another library's task.
create table queuekit_recurring_executions (
  task_key   text collate "C" not null,
  run_at     timestamptz not null,
  job_uuid   uuid,
  created_at timestamptz not null,
  primary key (task_key, run_at)
);
create index queuekit_recurring_executions_by_time on queuekit_recurring_executions (created_at);
