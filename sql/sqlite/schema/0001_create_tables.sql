-- A job's state is the table that its execution row is in, and it is in exactly one.
--
-- No foreign keys between these tables, as on the servers: what holds on one database holds on all.
-- The query `jobs.misplaced` checks the invariant.
--
-- Times are seconds since 1970 in UTC, with a fraction. Ids are never used again (autoincrement): a
-- row id that a worker or a log remembers must not come to mean another job.

create table queuekit_jobs (
  id           integer primary key autoincrement,
  uuid         text not null,
  attempt      integer not null default 1,
  queue_name   text not null,
  class_name   text not null,
  arguments    text not null,
  priority     integer not null default 0,
  scheduled_at real not null,
  created_at   real not null,
  unique (uuid, attempt)
) strict;

create table queuekit_scheduled_executions (
  job_id       integer primary key,
  queue_name   text not null,
  priority     integer not null,
  scheduled_at real not null
) strict;
create index queuekit_scheduled_executions_due
  on queuekit_scheduled_executions (scheduled_at, priority, job_id);

create table queuekit_ready_executions (
  job_id       integer primary key,
  queue_name   text not null,
  priority     integer not null,
  created_at   real not null
) strict;
create index queuekit_ready_executions_by_queue
  on queuekit_ready_executions (queue_name, priority, job_id);
create index queuekit_ready_executions_by_priority
  on queuekit_ready_executions (priority, job_id);

create table queuekit_claimed_executions (
  job_id       integer primary key,
  process_id   integer not null,
  claimed_at   real not null
) strict;
create index queuekit_claimed_executions_by_process
  on queuekit_claimed_executions (process_id, job_id);

create table queuekit_failed_executions (
  job_id       integer primary key,
  error        text not null,
  failed_at    real not null
) strict;
create index queuekit_failed_executions_by_time
  on queuekit_failed_executions (failed_at, job_id);

create table queuekit_finished_executions (
  job_id       integer primary key,
  outcome      text not null,
  error        text,
  finished_at  real not null
) strict;
create index queuekit_finished_executions_by_time
  on queuekit_finished_executions (finished_at, job_id);

create table queuekit_processes (
  id                integer primary key autoincrement,
  kind              text not null,
  pid               integer not null,
  hostname          text not null,
  supervisor_id     integer,
  metadata          text not null,
  last_heartbeat_at real not null,
  created_at        real not null
) strict;
create index queuekit_processes_by_heartbeat on queuekit_processes (last_heartbeat_at);

create table queuekit_pauses (
  queue_name   text primary key,
  created_at   real not null
) strict;
