-- What version 0003 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
-- Differs: without data-changing CTEs the new rows are found again by their uuid. Each statement has
-- a later clock than the one before it, so what is due was settled by the first:
-- scheduled_at <= created_at. The jobs travel once, in a user variable: four copies of them would
-- not fit the packets that a server takes. A caller's connection may be of a character set in which
-- MariaDB could not unfold what JSON has escaped; and REPEATABLE READ, in which a select that feeds an
-- insert locks what it reads, so that the index is forced: a small table would be read as a whole.
set @queuekit_jobs = convert(:jobs using utf8mb4);

insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, executions, exception_executions, context)
select given.uuid, given.queue_name, given.class_name, given.arguments, given.priority,
  coalesce(given.at, utc_timestamp(6) + interval coalesce(given.wait, 0) * 1000000 microsecond),
  utc_timestamp(6), given.max_process_deaths, coalesce(given.executions, 0),
  given.exception_executions, given.context
from json_table(@queuekit_jobs, '$[*]' columns (
  position for ordinality,
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  queue_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.queue_name',
  class_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.class_name',
  arguments longtext character set utf8mb4 collate utf8mb4_bin path '$.arguments',
  priority integer path '$.priority',
  at datetime(6) path '$.at',
  wait decimal(20, 6) path '$.wait',
  max_process_deaths integer path '$.max_process_deaths',
  executions integer path '$.executions',
  exception_executions longtext character set utf8mb4 collate utf8mb4_bin
    path '$.exception_executions',
  context longtext character set utf8mb4 collate utf8mb4_bin path '$.context'
)) given
order by given.position;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, job.created_at
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at <= job.created_at;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, job.scheduled_at
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at > job.created_at;

select job.uuid, job.id, job.scheduled_at
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1;

-- name: jobs.enqueue_one
-- Write one job that is due at once: most are, and this is cheaper than a list of one.
-- Differs: as jobs.enqueue does, but the id is the one that the session remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
values (:uuid, :queue_name, :class_name, :arguments, :priority, utc_timestamp(6), utc_timestamp(6),
  :max_process_deaths, :context);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
values (last_insert_id(), :queue_name, :priority, utc_timestamp(6));

select :uuid, last_insert_id(), null;

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
-- Differs: without data-changing CTEs the new rows are found again: they are the later ones of their
-- jobs that have no execution yet. What is due was settled when they were written:
-- scheduled_at <= created_at.
select 1 from queuekit_processes where id = :process_id for update;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  coalesce(given.queue_name, job.queue_name), job.class_name, job.arguments,
  coalesce(given.priority, job.priority),
  utc_timestamp(6) + interval given.wait * 1000000 microsecond, utc_timestamp(6),
  job.process_deaths, job.max_process_deaths, given.executions, given.exception_executions,
  job.context
from json_table(:retries, '$[*]' columns (
  job_id bigint path '$.job_id',
  wait decimal(20, 6) path '$.wait',
  queue_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.queue_name',
  priority integer path '$.priority',
  executions integer path '$.executions',
  exception_executions longtext character set utf8mb4 collate utf8mb4_bin
    path '$.exception_executions'
)) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, fresh.created_at
from json_table(:retries, '$[*]' columns (job_id bigint path '$.job_id')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at <= fresh.created_at
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id);

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, fresh.scheduled_at
from json_table(:retries, '$[*]' columns (job_id bigint path '$.job_id')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at > fresh.created_at
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id);

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without RETURNING, what was claimed is what stands in claimed and still in ready: within
-- this transaction only, and only under this process. The own row is locked for update, which makes
-- the plain reads of its claims safe.
-- A delete locks what it joins, and would wait for a job that completes itself in a transaction of its
-- own; so what was taken is read before, plainly, into a user variable, and claims are joined by their
-- primary key, which finds no others.
select 'process', process.id, null, null, null, null, null, null, null, null, null, null, null
from queuekit_processes process
where process.id = :process_id
for update;

select 'settled', claimed.job_id, null, null, null, null, null, null, null, null, null, null, null
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, result.outcome, result.error, utc_timestamp(6)
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome',
  error longtext character set utf8mb4 collate utf8mb4_bin path '$.error'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome <> 'failed'
  and :preserve_finished;

delete job
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome <> 'failed'
  and not :preserve_finished;

insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, result.error, utc_timestamp(6)
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome',
  error longtext character set utf8mb4 collate utf8mb4_bin path '$.error'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome = 'failed';

delete claimed
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select ready.job_id, :process_id, utc_timestamp(6)
from queuekit_ready_executions ready force index (queuekit_ready_executions_by_priority)
where exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses)
order by ready.priority, ready.job_id
limit :limit
for update skip locked;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

select json_arrayagg(claimed.job_id) into @queuekit_taken
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
where claimed.process_id = :process_id;

delete ready
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_ready_executions ready on ready.job_id = taken.job_id;

select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
-- Differs: as turn.any_queue does.
select 'process', process.id, null, null, null, null, null, null, null, null, null, null, null
from queuekit_processes process
where process.id = :process_id
for update;

select 'settled', claimed.job_id, null, null, null, null, null, null, null, null, null, null, null
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, result.outcome, result.error, utc_timestamp(6)
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome',
  error longtext character set utf8mb4 collate utf8mb4_bin path '$.error'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome <> 'failed'
  and :preserve_finished;

delete job
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome <> 'failed'
  and not :preserve_finished;

insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, result.error, utc_timestamp(6)
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome',
  error longtext character set utf8mb4 collate utf8mb4_bin path '$.error'
)) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome = 'failed';

delete claimed
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select ready.job_id, :process_id, utc_timestamp(6)
from queuekit_ready_executions ready force index (queuekit_ready_executions_by_queue)
where ready.queue_name = :queue_name
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses where queue_name = :queue_name)
order by ready.priority, ready.job_id
limit :limit
for update skip locked;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

select json_arrayagg(claimed.job_id) into @queuekit_taken
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
where claimed.process_id = :process_id;

delete ready
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_ready_executions ready on ready.job_id = taken.job_id;

select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved.
-- Differs: the ids travel from the locking read to the other statements in a user variable. Finding
-- them again by their time would wait for the rows that another dispatcher has locked.
set @queuekit_due = (
  select json_arrayagg(due.job_id)
  from (
    select scheduled.job_id
    from queuekit_scheduled_executions scheduled
      force index (queuekit_scheduled_executions_due)
    where scheduled.scheduled_at <= utc_timestamp(6)
    order by scheduled.scheduled_at, scheduled.priority, scheduled.job_id
    limit :limit
    for update skip locked
  ) due
);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select scheduled.job_id, scheduled.queue_name, scheduled.priority, utc_timestamp(6)
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due
straight_join queuekit_scheduled_executions scheduled on scheduled.job_id = due.job_id
order by scheduled.job_id
on duplicate key update job_id = queuekit_ready_executions.job_id;

delete scheduled
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due
straight_join queuekit_scheduled_executions scheduled on scheduled.job_id = due.job_id;

select due.job_id
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due;

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'. It
-- is numbered, and found again, as in turn.retry.
-- Differs: without data-changing CTEs a no-op update locks the rows, so that of two people who retry
-- one job the second finds it gone, and the later statements find the rows again.
update (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
set failed.failed_at = failed.failed_at;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  utc_timestamp(6), utc_timestamp(6), job.max_process_deaths, job.context
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select failed.job_id, 'retried', failed.error, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
where :preserve_finished;

select job.uuid
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id;

delete job
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
where not :preserve_finished;

delete failed
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id;

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released. Its row goes
-- first: that waits for a turn under way, whose claims the later statements then see.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
on duplicate key update job_id = queuekit_ready_executions.job_id;

select job_id from queuekit_claimed_executions where process_id = :process_id;

delete claimed
from queuekit_claimed_executions claimed force index (queuekit_claimed_executions_by_process)
where claimed.process_id = :process_id;

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds. Its row goes first, as in
-- processes.deregister; read the other way round, the claims of a turn under way would be left
-- behind. Then each claim goes where its job's share in this death sends it:
--   not among `begun` (null: nobody knows, all count as begun)    back to ready, uncharged
--   begun, and deaths are left (`may_retry`, max_process_deaths)  retried: a new attempt, ready
--   begun, and none are left                                      failed, with `error`
-- Returns each job's id and what became of it, and a row 'buried' when the process's own was there.
-- Differs: without data-changing CTEs the claims are locked by a no-op update (two processes may bury
-- the same one) and found again in each statement; without RETURNING, the number of rows that the
-- delete took is asked for. The index is forced: of a small table the server would rather read, and
-- lock, the claims of all processes.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= utc_timestamp(6) - interval :silent_for * 1000000 microsecond;
select null, 'buried' from (select row_count() as taken) process where taken = 1;

update queuekit_claimed_executions force index (queuekit_claimed_executions_by_process)
set claimed_at = claimed_at
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

select job.uuid,
  case
    when not (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
      then 'released'
    when (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
      then 'retried'
    else 'failed'
  end
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and not (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
on duplicate key update job_id = queuekit_ready_executions.job_id;

insert into queuekit_failed_executions (job_id, error, failed_at)
select job.id, :error, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
  and not (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
on duplicate key update job_id = queuekit_failed_executions.job_id;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  utc_timestamp(6), utc_timestamp(6), job.process_deaths + 1, job.max_process_deaths,
  job.executions + 1, job.exception_executions, job.context
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
  and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job.id, 'retried', :error, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
  and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
  and :preserve_finished
on duplicate key update job_id = queuekit_finished_executions.job_id;

delete job
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
  and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
  and not :preserve_finished;

delete claimed
from queuekit_claimed_executions claimed force index (queuekit_claimed_executions_by_process)
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);
