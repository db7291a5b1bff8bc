-- What a job carries from one attempt to the next: how many runs came before this one, how often each
-- of its policies has retried it (JSON), and the context it was enqueued in (JSON).
alter table queuekit_jobs add column executions integer not null default 0;
alter table queuekit_jobs add column exception_executions text;
alter table queuekit_jobs add column context text;

-- How far a job has come, by the id that all its attempts share: the steps of a continuation, each
-- with its place and its cursor (JSON), finished or not, and what `context.progress` was told last.
create table queuekit_steps (
  uuid        uuid not null,
  name        text collate "C" not null,
  position    integer not null,
  cursor_json text,
  is_finished boolean not null,
  primary key (uuid, name)
);

create table queuekit_progress (
  uuid       uuid primary key,
  done       double precision not null,
  total      double precision,
  updated_at timestamptz not null
);
