-- What is enqueued again and again. Static tasks are the configuration's, dynamic ones are made and
-- removed while everything runs. `updated_at` is since when the schedule holds: before that there was
-- nothing to miss.
create table queuekit_recurring_tasks (
  task_key      varchar(191) character set utf8mb4 collate utf8mb4_bin not null primary key,
  schedule      longtext character set utf8mb4 collate utf8mb4_bin not null,
  class_name    varchar(191) character set utf8mb4 collate utf8mb4_bin,
  command       longtext character set utf8mb4 collate utf8mb4_bin,
  arguments     longtext character set utf8mb4 collate utf8mb4_bin not null,
  queue_name    varchar(191) character set utf8mb4 collate utf8mb4_bin,
  priority      integer,
  description   longtext character set utf8mb4 collate utf8mb4_bin,
  timezone      varchar(191) character set utf8mb4 collate utf8mb4_bin,
  missed        varchar(20) character set ascii collate ascii_bin not null,
  missed_within double,
  is_static     boolean not null,
  created_at    datetime(6) not null,
  updated_at    datetime(6) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- A task's runs, each by the time at which its schedule wants it. Whoever writes the row enqueues the
-- job, in the same transaction; `job_uuid` is that job's, null where it is another library's task.
create table queuekit_recurring_executions (
  task_key   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  run_at     datetime(6) not null,
  job_uuid   char(36) character set ascii collate ascii_bin,
  created_at datetime(6) not null,
  primary key (task_key, run_at),
  key queuekit_recurring_executions_by_time (created_at)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;
