-- What version 0001 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
-- Differs: without data-changing CTEs the new rows are found again by their uuid. Each statement has
-- a later clock than the one before it, so what is due was settled by the first:
-- scheduled_at <= created_at.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
select given.uuid, given.queue_name, given.class_name, given.arguments, given.priority,
  coalesce(given.at, utc_timestamp(6) + interval coalesce(given.wait, 0) * 1000000 microsecond),
  utc_timestamp(6)
from json_table(:jobs, '$[*]' columns (
  position for ordinality,
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  queue_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.queue_name',
  class_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.class_name',
  arguments longtext character set utf8mb4 collate utf8mb4_bin path '$.arguments',
  priority integer path '$.priority',
  at datetime(6) path '$.at',
  wait decimal(20, 6) path '$.wait'
)) given
order by given.position;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, job.created_at
from json_table(:jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at <= job.created_at;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, job.scheduled_at
from json_table(:jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at > job.created_at;

select job.uuid, job.id, job.scheduled_at
from json_table(:jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job on job.uuid = given.uuid and job.attempt = 1;

-- name: jobs.enqueue_one
-- Write one job, as jobs.enqueue does: without a list to take apart, for a third less time.
-- Differs: as jobs.enqueue does, but the row is found again by the id that the session remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
values (:uuid, :queue_name, :class_name, :arguments, :priority,
  coalesce(:at, utc_timestamp(6) + interval coalesce(:wait, 0) * 1000000 microsecond),
  utc_timestamp(6));

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from queuekit_jobs
where id = last_insert_id() and scheduled_at <= created_at;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select id, queue_name, priority, scheduled_at
from queuekit_jobs
where id = last_insert_id() and scheduled_at > created_at;

select uuid, id, scheduled_at from queuekit_jobs where id = last_insert_id();

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'.
-- Differs: without data-changing CTEs a no-op update locks the rows, so that of two people who retry
-- one job the second finds it gone, and the later statements find the rows again.
update (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
set failed.failed_at = failed.failed_at;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at)
select job.uuid, job.attempt + 1, job.queue_name, job.class_name, job.arguments, job.priority,
  utc_timestamp(6), utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select fresh.id, fresh.queue_name, fresh.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt = job.attempt + 1;

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

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds: its claims fail. Returns the ids
-- of the jobs failed. Its row goes first, as in processes.deregister; read the other way round, the
-- claims of a turn under way would be left behind.
-- Differs: without data-changing CTEs the claims are locked by a no-op update (two processes may bury
-- the same one) and found again in each statement.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= utc_timestamp(6) - interval :silent_for * 1000000 microsecond;

update queuekit_claimed_executions
set claimed_at = claimed_at
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

select job.uuid
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, :error, utc_timestamp(6)
from queuekit_claimed_executions claimed
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

delete from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without RETURNING, what was claimed is what stands in claimed and still in ready: within
-- this transaction only, and only under this process. The own row is locked for update, which makes
-- the plain reads of its claims safe.
select 'process', process.id, null, null, null, null, null, null
from queuekit_processes process
where process.id = :process_id
for update;

select 'settled', claimed.job_id, null, null, null, null, null, null
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, result.outcome, result.error, utc_timestamp(6)
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome',
  error longtext character set utf8mb4 collate utf8mb4_bin path '$.error'
)) result
straight_join queuekit_claimed_executions claimed on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome <> 'failed'
  and :preserve_finished;

delete job
from json_table(:results, '$[*]' columns (
  job_id bigint path '$.job_id',
  outcome varchar(20) character set ascii collate ascii_bin path '$.outcome'
)) result
straight_join queuekit_claimed_executions claimed on claimed.job_id = result.job_id
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
straight_join queuekit_claimed_executions claimed on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and result.outcome = 'failed';

delete claimed
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed on claimed.job_id = result.job_id
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
  job.arguments, job.priority
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete ready
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
where claimed.process_id = :process_id;

select 'paused', null, null, null, queue_name, null, null, null
from queuekit_pauses;
