-- What a job carries from one attempt to the next: how many runs came before this one, how often each
-- of its policies has retried it (JSON), and the context it was enqueued in (JSON).
alter table queuekit_jobs add column executions integer not null default 0;
alter table queuekit_jobs add column exception_executions longtext character set utf8mb4 collate utf8mb4_bin;
alter table queuekit_jobs add column context longtext character set utf8mb4 collate utf8mb4_bin;

-- How far a job has come, by the id that all its attempts share: the steps of a continuation, each
-- with its place and its cursor (JSON), finished or not, and what `context.progress` was told last.
create table queuekit_steps (
  uuid        char(36) character set ascii collate ascii_bin not null,
  name        varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  position    integer not null,
  cursor_json longtext character set utf8mb4 collate utf8mb4_bin,
  is_finished boolean not null,
  primary key (uuid, name)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_progress (
  uuid       char(36) character set ascii collate ascii_bin not null primary key,
  done       double not null,
  total      double,
  updated_at datetime(6) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;
