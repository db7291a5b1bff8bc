-- A job's concurrency limit: the key that it shares with others, how many of them may be ready or
-- claimed at a time, for how many seconds a claim counts, and what becomes of a job that finds no
-- slot. Null: it is blocked until there is one.
alter table queuekit_jobs add column concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin;
alter table queuekit_jobs add column concurrency_limit integer;
alter table queuekit_jobs add column concurrency_duration double;
alter table queuekit_jobs add column concurrency_on_conflict varchar(20) character set ascii collate ascii_bin;

-- The lock row of a key: whoever gives or takes a slot locks it first. How many slots it has, and by
-- which job's word: the one enqueued last.
create table queuekit_semaphores (
  concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin not null primary key,
  slots           integer,
  said_by         char(36) character set ascii collate ascii_bin
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- Who holds a slot. It is a row, so that freeing it twice does no harm and no counter can leak. It
-- counts until it expires; the time begins with the claim, by the process that is named then.
-- Differs: a job has one slot, since it has one key, and no unique index says so: for that the server
-- would lock the gaps around a job that has had a slot before, and hold up those of other keys.
create table queuekit_semaphore_slots (
  concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  job_id          bigint not null,
  duration        double not null,
  expires_at      datetime(6),
  process_id      bigint,
  primary key (concurrency_key, job_id),
  key queuekit_semaphore_slots_by_job (job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table queuekit_blocked_executions (
  job_id          bigint not null primary key,
  queue_name      varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  priority        integer not null,
  concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  created_at      datetime(6) not null,
  key queuekit_blocked_executions_by_key (concurrency_key, priority, job_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- A job's throttle: the key that it shares with others, and how many of them may start within so many
-- seconds.
alter table queuekit_jobs add column throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin;
alter table queuekit_jobs add column throttle_to integer;
alter table queuekit_jobs add column throttle_per double;

-- The lock row of a throttle's key: whoever starts its jobs locks it first.
create table queuekit_throttles (
  throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin not null primary key
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- The starts of throttled jobs. Stage 2: it has started then. Before that, it is to: stage 0, since it
-- came too early; 1, since it came when it should have, and others had been late. After `expires_at` it
-- is of no account.
create table queuekit_throttle_starts (
  job_id       bigint not null primary key,
  throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  stage        smallint not null,
  starts_at    datetime(6) not null,
  expires_at   datetime(6) not null,
  key queuekit_throttle_starts_by_key (throttle_key, stage, starts_at)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- Which job has a unique key: by its id, since all attempts of it count. Beside that what its receipt
-- said, the row of its first attempt, and whether this was scheduled. Until `expires_at` it has the
-- key whatever becomes of it; afterwards, or without one, as long as its executions say so.
create table queuekit_unique_keys (
  unique_key   varchar(191) character set utf8mb4 collate utf8mb4_bin not null primary key,
  uuid         char(36) character set ascii collate ascii_bin not null,
  job_id       bigint,
  queue_name   varchar(191) character set utf8mb4 collate utf8mb4_bin not null,
  scheduled_at datetime(6),
  is_scheduled boolean not null default false,
  expires_at   datetime(6)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;
