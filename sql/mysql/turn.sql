-- A worker's turn: settle what has gathered and claim what the pool will use, in one transaction.
-- Both rest on the process's own row: without it (pruned) nothing is settled and nothing claimed.
-- Rows come back by kind: 'process' (the registration stands), 'settled', 'claimed', 'paused'.
-- A turn claims what comes after a position, a priority and a row id: processes/frontier.py says why.

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
-- Returns those that have no place yet, since they are due and have a concurrency limit, and its key.
-- Differs: without data-changing CTEs the new rows are found again: they are the later ones of their
-- jobs that have no execution yet. What is due was settled when they were written:
-- scheduled_at <= created_at.
select 1 into @queuekit_process from queuekit_processes where id = :process_id for update;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  coalesce(given.queue_name, job.queue_name), job.class_name, job.arguments,
  coalesce(given.priority, job.priority),
  utc_timestamp(6) + interval given.wait * 1000000 microsecond, utc_timestamp(6),
  job.process_deaths, job.max_process_deaths, given.executions, given.exception_executions,
  job.context, job.concurrency_key, job.concurrency_limit, job.concurrency_duration,
  job.concurrency_on_conflict,
  job.throttle_key, job.throttle_to, job.throttle_per
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
  and fresh.concurrency_key is null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

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
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

select distinct fresh.id, fresh.concurrency_key
from json_table(:retries, '$[*]' columns (job_id bigint path '$.job_id')) given
straight_join queuekit_claimed_executions claimed on claimed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = claimed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at <= fresh.created_at
  and fresh.concurrency_key is not null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

-- name: turn.standing
-- Of these jobs, those that this process still has claimed. Its row is locked, so that it stays so
-- until the turn, in the same transaction, settles them.
-- Differs: the lock is a statement of its own.
select 1 into @queuekit_process from queuekit_processes where id = :process_id for update;

select claimed.job_id
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = given.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without RETURNING, what was claimed is what stands in claimed and still in ready: within
-- this transaction only, and only under this process. The own row is locked for update, which makes
-- the plain reads of its claims safe.
-- A delete locks what it joins, and would wait for a job that completes itself in a transaction of its
-- own; so what was taken is read before, plainly, into a user variable, and claims are joined by their
-- primary key, which finds no others. Slots are begun by an insert that finds them all there: MariaDB
-- makes a temporary table for an update that joins, in every turn, and takes 0.1 ms for it.
select 'process', process.id
from queuekit_processes process
where process.id = :process_id
for update;

select 'settled', claimed.job_id
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

-- when: preserve_finished
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
  and result.outcome <> 'failed';

-- unless: preserve_finished
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
  and result.outcome <> 'failed';

-- when: has_failed
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
where (ready.priority > :after_priority
    or ready.priority = :after_priority and ready.job_id > :after_job_id)
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses)
order by ready.priority, ready.job_id
limit :limit
for update skip locked;

select json_arrayagg(claimed.job_id) into @queuekit_taken
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
where claimed.process_id = :process_id;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_jobs job on job.id = taken.job_id;

delete ready
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_ready_executions ready on ready.job_id = taken.job_id;

insert into queuekit_semaphore_slots
  (concurrency_key, job_id, duration, process_id, expires_at)
select slot.concurrency_key, slot.job_id, slot.duration, :process_id,
  utc_timestamp(6) + interval slot.duration * 1000000 microsecond
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = taken.job_id
on duplicate key update process_id = values(process_id), expires_at = values(expires_at);

select 'paused', null, null, null, queue_name
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
-- Differs: as turn.any_queue does.
select 'process', process.id
from queuekit_processes process
where process.id = :process_id
for update;

select 'settled', claimed.job_id
from (select job_id from json_table(:results, '$[*]' columns (job_id bigint path '$.job_id')) r) result
straight_join queuekit_claimed_executions claimed force index (primary)
  on claimed.job_id = result.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

-- when: preserve_finished
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
  and result.outcome <> 'failed';

-- unless: preserve_finished
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
  and result.outcome <> 'failed';

-- when: has_failed
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
  and (ready.priority > :after_priority
    or ready.priority = :after_priority and ready.job_id > :after_job_id)
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses where queue_name = :queue_name)
order by ready.priority, ready.job_id
limit :limit
for update skip locked;

select json_arrayagg(claimed.job_id) into @queuekit_taken
from queuekit_claimed_executions claimed
straight_join queuekit_ready_executions ready on ready.job_id = claimed.job_id
where claimed.process_id = :process_id;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_jobs job on job.id = taken.job_id;

delete ready
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_ready_executions ready on ready.job_id = taken.job_id;

insert into queuekit_semaphore_slots
  (concurrency_key, job_id, duration, process_id, expires_at)
select slot.concurrency_key, slot.job_id, slot.duration, :process_id,
  utc_timestamp(6) + interval slot.duration * 1000000 microsecond
from json_table(coalesce(@queuekit_taken, '[]'), '$[*]' columns (job_id bigint path '$')) taken
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = taken.job_id
on duplicate key update process_id = values(process_id), expires_at = values(expires_at);

select 'paused', null, null, null, queue_name
from queuekit_pauses;
