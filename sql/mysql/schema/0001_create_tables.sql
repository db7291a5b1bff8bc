-- A job's state is the table that its execution row is in, and it is in exactly one.
--
-- No foreign keys between these tables: InnoDB would lock the jobs row at every transition, and lock
-- it in an order that this project does not choose. The query `jobs.misplaced` checks the invariant.
--
-- Names compare byte by byte (utf8mb4_bin: 'a' and 'A' are two queues), 191 characters fit every
-- index. Times are DATETIME(6) in UTC: without a fraction MySQL rounds up, into the future.

create table queuekit_jobs (
  id           bigint not null auto_increment primary key,
  uuid         char(36) character set ascii collate ascii_bin not null,
  attempt      integer not null default 1,
  queue_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  class_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  arguments    longtext character set utf8mb4 collate utf8mb4_bin not null,
  priority     integer not null default 0,
  scheduled_at datetime(6) not null,
  created_at   datetime(6) not null,
  unique key queuekit_jobs_by_uuid (uuid, attempt)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_scheduled_executions (
  job_id       bigint not null primary key,
  queue_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  priority     integer not null,
  scheduled_at datetime(6) not null,
  key queuekit_scheduled_executions_due (scheduled_at, priority, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_ready_executions (
  job_id       bigint not null primary key,
  queue_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  priority     integer not null,
  created_at   datetime(6) not null,
  key queuekit_ready_executions_by_queue (queue_name, priority, job_id),
  key queuekit_ready_executions_by_priority (priority, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_claimed_executions (
  job_id       bigint not null primary key,
  process_id   bigint not null,
  claimed_at   datetime(6) not null,
  key queuekit_claimed_executions_by_process (process_id, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_failed_executions (
  job_id       bigint not null primary key,
  error        longtext character set utf8mb4 collate utf8mb4_bin not null,
  failed_at    datetime(6) not null,
  key queuekit_failed_executions_by_time (failed_at, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_finished_executions (
  job_id       bigint not null primary key,
  outcome      varchar(20) character set ascii collate ascii_bin not null,
  error        longtext character set utf8mb4 collate utf8mb4_bin,
  finished_at  datetime(6) not null,
  key queuekit_finished_executions_by_time (finished_at, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_processes (
  id                bigint not null auto_increment primary key,
  kind              varchar(20) character set ascii collate ascii_bin not null,
  pid               bigint not null,
  hostname          varchar(255) not null,
  supervisor_id     bigint,
  metadata          longtext not null,
  last_heartbeat_at datetime(6) not null,
  created_at        datetime(6) not null,
  key queuekit_processes_by_heartbeat (last_heartbeat_at)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_pauses (
  queue_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null primary key,
  created_at   datetime(6) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;
