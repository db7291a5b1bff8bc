-- A job's concurrency limit: the key that it shares with others, how many of them may be ready or
-- claimed at a time, for how many seconds a claim counts, and what becomes of a job that finds no
-- slot. Null: it is blocked until there is one.
alter table queuekit_jobs add column concurrency_key text;
alter table queuekit_jobs add column concurrency_limit integer;
alter table queuekit_jobs add column concurrency_duration real;
alter table queuekit_jobs add column concurrency_on_conflict text;

-- The lock row of a key: whoever gives or takes a slot locks it first. How many slots it has, and by
-- which job's word: the one enqueued last.
create table queuekit_semaphores (
  concurrency_key text primary key,
  slots           integer,
  said_by         text
) strict, without rowid;

-- Who holds a slot. It is a row, so that freeing it twice does no harm and no counter can leak. It
-- counts until it expires; the time begins with the claim, by the process that is named then.
create table queuekit_semaphore_slots (
  concurrency_key text not null,
  job_id          integer not null unique,
  duration        real not null,
  expires_at      real,
  process_id      integer,
  primary key (concurrency_key, job_id)
) strict, without rowid;

create table queuekit_blocked_executions (
  job_id          integer primary key,
  queue_name      text not null,
  priority        integer not null,
  concurrency_key text not null,
  created_at      real not null
) strict;
create index queuekit_blocked_executions_by_key
  on queuekit_blocked_executions (concurrency_key, priority, job_id);

-- A job's throttle: the key that it shares with others, and how many of them may start within so many
-- seconds.
alter table queuekit_jobs add column throttle_key text;
alter table queuekit_jobs add column throttle_to integer;
alter table queuekit_jobs add column throttle_per real;

-- The lock row of a throttle's key: whoever starts its jobs locks it first.
create table queuekit_throttles (
  throttle_key text primary key
) strict, without rowid;

-- The starts of throttled jobs. Stage 2: it has started then. Before that, it is to: stage 0, since it
-- came too early; 1, since it came when it should have, and others had been late. After `expires_at` it
-- is of no account.
create table queuekit_throttle_starts (
  job_id       integer primary key,
  throttle_key text not null,
  stage        integer not null,
  starts_at    real not null,
  expires_at   real not null
) strict;
create index queuekit_throttle_starts_by_key
  on queuekit_throttle_starts (throttle_key, stage, starts_at);

-- Which job has a unique key: by its id, since all attempts of it count. Beside that what its receipt
-- said, the row of its first attempt, and whether this was scheduled. Until `expires_at` it has the
-- key whatever becomes of it; afterwards, or without one, as long as its executions say so.
create table queuekit_unique_keys (
  unique_key   text primary key,
  uuid         text not null,
  job_id       integer,
  queue_name   text not null,
  scheduled_at real,
  is_scheduled integer not null default 0,
  expires_at   real
) strict, without rowid;
