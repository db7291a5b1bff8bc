-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not. One with a
-- concurrency limit that is due has no place yet: `semaphores.place` gives it one. With
-- `places_later` it is scheduled, due now, and the dispatcher sees to it. Returns for each whether it
-- has no place, too. `wakes` is for servers that tell those who listen.
-- Differs: without data-changing CTEs the new rows are found again by their uuid. Each statement has
-- a later clock than the one before it, so what is due was settled by the first:
-- scheduled_at <= created_at. The jobs travel once, in a user variable: four copies of them would
-- not fit the packets that a server takes. A caller's connection may be of a character set in which
-- MariaDB could not unfold what JSON has escaped; and REPEATABLE READ, in which a select that feeds an
-- insert locks what it reads, so that the index is forced: a small table would be read as a whole.
set @queuekit_jobs = convert(:jobs using utf8mb4);

insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, executions, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select given.uuid, given.queue_name, given.class_name, given.arguments, given.priority,
  coalesce(given.at, utc_timestamp(6) + interval coalesce(given.wait, 0) * 1000000 microsecond),
  utc_timestamp(6), given.max_process_deaths, coalesce(given.executions, 0),
  given.exception_executions, given.context, given.concurrency_key, given.concurrency_limit,
  given.concurrency_duration, given.concurrency_on_conflict,
  given.throttle_key, given.throttle_to, given.throttle_per
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
  context longtext character set utf8mb4 collate utf8mb4_bin path '$.context',
  concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.concurrency_key',
  concurrency_limit integer path '$.concurrency_limit',
  concurrency_duration double path '$.concurrency_duration',
  concurrency_on_conflict varchar(20) character set ascii collate ascii_bin
    path '$.concurrency_on_conflict',
  throttle_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.throttle_key',
  throttle_to integer path '$.throttle_to',
  throttle_per double path '$.throttle_per'
)) given
order by given.position;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, job.created_at
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at <= job.created_at and job.concurrency_key is null;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select job.id, job.queue_name, job.priority, job.scheduled_at
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1
where job.scheduled_at > job.created_at or job.concurrency_key is not null and :places_later;

select job.uuid, job.id, job.scheduled_at,
  job.concurrency_key is not null and job.scheduled_at <= job.created_at and not :places_later,
  :wakes
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1;

-- name: jobs.enqueue_alike
-- Write jobs that differ in nothing but their ids and arguments, all due at once: the entries are an
-- object of the arguments by id. Returns a list of the new rows' ids, which ascend as the entries do.
-- Differs: json_table does not tell keys, so that the entries are pairs. As in jobs.enqueue they travel
-- once, and the new rows are found again by their uuid. The list comes in any order.
set @queuekit_jobs = convert(:entries using utf8mb4);

insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
select given.uuid, :queue_name, :class_name, given.arguments, :priority, utc_timestamp(6),
  utc_timestamp(6), :max_process_deaths, :context
from json_table(@queuekit_jobs, '$[*]' columns (
  position for ordinality,
  uuid char(36) character set ascii collate ascii_bin path '$[0]',
  arguments longtext character set utf8mb4 collate utf8mb4_bin path '$[1]'
)) given
order by given.position;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, :queue_name, :priority, utc_timestamp(6)
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$[0]'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1;

select json_arrayagg(job.id), :wakes
from json_table(@queuekit_jobs, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$[0]'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1;

-- name: jobs.enqueue_one
-- Write one job that is due at once: most are, and this is cheaper than a list of one. The last statement
-- only asks for the new row's id.
-- Differs: as jobs.enqueue does, but the id is the one that the session remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
values (:uuid, :queue_name, :class_name, :arguments, :priority, utc_timestamp(6), utc_timestamp(6),
  :max_process_deaths, :context);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
values (last_insert_id(), :queue_name, :priority, utc_timestamp(6));

select last_insert_id(), :wakes;

-- name: jobs.receipts
-- What enqueueing these would have returned: asked when the answer to a commit was lost.
select job.uuid, job.id, job.scheduled_at,
  case
    when blocked.job_id is not null then 'blocked'
    when finished.outcome = 'discarded' then 'discarded'
    else 'enqueued'
  end
from json_table(:uuids, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$'
)) given
straight_join queuekit_jobs job on job.uuid = given.uuid and job.attempt = 1
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id;

-- name: jobs.waiting
-- Every job that waits for its time, a worker or a slot, in the order in which they were enqueued.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, job.concurrency_key, job.throttle_key, waiting.state
from (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
) waiting
join queuekit_jobs job on job.id = waiting.job_id
order by job.id;

-- name: jobs.history
-- Every attempt of one job, where it is or how it ended, and who has it claimed. What is scheduled comes
-- with the time that it waits for: a throttle may have given it another.
select job.id, job.uuid, job.attempt,
  case
    when finished.job_id is not null then 'finished'
    when failed.job_id is not null then 'failed'
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    when blocked.job_id is not null then 'blocked'
    else 'scheduled'
  end,
  finished.outcome, job.queue_name, job.class_name, job.arguments, job.priority, job.executions,
  job.created_at, coalesce(scheduled.scheduled_at, job.scheduled_at), claimed.claimed_at,
  coalesce(finished.finished_at, failed.failed_at), coalesce(finished.error, failed.error),
  claimed.process_id, process.pid, process.hostname, job.concurrency_key
from queuekit_jobs job
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
left join queuekit_failed_executions failed on failed.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
left join queuekit_processes process on process.id = claimed.process_id
where job.uuid = :uuid
order by job.attempt;

-- name: jobs.discard
-- Discard a job that is scheduled or ready. Returns its row when it was.
-- Differs: without RETURNING the row is locked and read first: a claim or a dispatch that has it already
-- is waited for, and then it is gone.
set @queuekit_discarded = null;

select job_id into @queuekit_discarded
from queuekit_scheduled_executions
where job_id = :job_id
for update;

select job_id into @queuekit_discarded
from queuekit_ready_executions
where job_id = :job_id
for update;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select @queuekit_discarded, 'discarded', null, utc_timestamp(6)
from dual
where @queuekit_discarded is not null and :preserve_finished;

delete from queuekit_jobs where id = @queuekit_discarded and not :preserve_finished;

delete from queuekit_scheduled_executions where job_id = @queuekit_discarded;

delete from queuekit_ready_executions where job_id = @queuekit_discarded;

select @queuekit_discarded from dual where @queuekit_discarded is not null;

-- name: jobs.ids
-- The ids of jobs by their rows.
select job.id, job.uuid
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
order by job.id;

-- name: jobs.counts
-- How many jobs are in each state, by queue where the state's table knows it.
select 'scheduled', queue_name, count(*) from queuekit_scheduled_executions group by queue_name
union all
select 'ready', queue_name, count(*) from queuekit_ready_executions group by queue_name
union all
select 'blocked', queue_name, count(*) from queuekit_blocked_executions group by queue_name
union all
select 'claimed', null, count(*) from queuekit_claimed_executions
union all
select 'failed', null, count(*) from queuekit_failed_executions
union all
select 'finished', null, count(*) from queuekit_finished_executions;

-- name: jobs.misplaced
-- The invariant: every job has exactly one execution, every execution a job. Lists what breaks it.
-- Differs: there is no full join, so jobs and executions without a job are read one after the other.
with execution as (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
  union all
  select job_id, 'claimed' from queuekit_claimed_executions
  union all
  select job_id, 'failed' from queuekit_failed_executions
  union all
  select job_id, 'finished' from queuekit_finished_executions
)
select job.id as job_id, 'job' as found,
  coalesce(group_concat(execution.state order by execution.state separator ', '), '') as states
from queuekit_jobs job
left join execution on execution.job_id = job.id
group by job.id
having count(execution.job_id) <> 1
union all
select execution.job_id, 'no job',
  group_concat(execution.state order by execution.state separator ', ')
from execution
left join queuekit_jobs job on job.id = execution.job_id
where job.id is null
group by execution.job_id
order by job_id
limit :limit;
