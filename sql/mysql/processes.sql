-- name: processes.register
-- A process begins: only a registered one may claim. Returns its id.
-- Differs: without RETURNING, the id is asked for.
insert into queuekit_processes
  (kind, pid, hostname, supervisor_id, metadata, last_heartbeat_at, created_at)
values (:kind, :pid, :hostname, :supervisor_id, :metadata, utc_timestamp(6), utc_timestamp(6));
select last_insert_id();

-- name: processes.heartbeat
-- The process is alive. Returns a row while its registration stands, none once it was pruned.
-- Differs: without RETURNING, the row is asked for.
update queuekit_processes set last_heartbeat_at = utc_timestamp(6) where id = :process_id;
select id from queuekit_processes where id = :process_id;

-- name: processes.hold
-- Lock a process's own row, as its turn does. Returns a row while its registration stands.
select id from queuekit_processes where id = :process_id for update;

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released, and the keys
-- of those with a concurrency limit, which have no place yet. Its row goes first: that waits for a turn
-- under way, whose claims the later statements then see.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id and job.concurrency_key is null
on duplicate key update job_id = queuekit_ready_executions.job_id;

select claimed.job_id, job.concurrency_key
from queuekit_claimed_executions claimed
left join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

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
-- Jobs with a concurrency limit that are to be ready have no place yet: with its key comes the old row,
-- and in a row of its own each new one.
-- Differs: without data-changing CTEs the claims are locked by a no-op update (two processes may bury
-- the same one) and found again in each statement; without RETURNING, the number of rows that the
-- delete took is asked for. The index is forced: of a small table the server would rather read, and
-- lock, the claims of all processes.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= utc_timestamp(6) - interval :silent_for * 1000000 microsecond;
select null, 'buried', null, null, null from (select row_count() as taken) process where taken = 1;

update queuekit_claimed_executions force index (queuekit_claimed_executions_by_process)
set claimed_at = claimed_at
where process_id = :process_id
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
  and job.concurrency_key is null
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
    process_deaths, max_process_deaths, executions, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  utc_timestamp(6), utc_timestamp(6), job.process_deaths + 1, job.max_process_deaths,
  job.executions + 1, job.exception_executions, job.context, job.concurrency_key,
  job.concurrency_limit, job.concurrency_duration, job.concurrency_on_conflict,
  job.throttle_key, job.throttle_to, job.throttle_per
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
  and fresh.concurrency_key is null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

select job.uuid,
  case
    when not (:begun is null or job.id in (
    select begun.job_id from json_table(:begun, '$[*]' columns (job_id bigint path '$')) begun
  ))
      then 'released'
    when (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
      then 'retried'
    else 'failed'
  end,
  job.concurrency_key, job.id, null
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

select distinct null, 'retried', fresh.concurrency_key, null, fresh.id
from queuekit_claimed_executions claimed
straight_join queuekit_jobs job on job.id = claimed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.concurrency_key is not null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

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

-- name: processes.silent
-- Processes whose last heartbeat is longer than `silent_for` seconds ago.
select id, kind, pid, hostname, supervisor_id
from queuekit_processes
where last_heartbeat_at <= utc_timestamp(6) - interval :silent_for * 1000000 microsecond
order by id;

-- name: processes.children
-- The processes that a supervisor has started: id, kind, pid.
select id, kind, pid
from queuekit_processes
where supervisor_id = :supervisor_id
order by id;

-- name: processes.list
-- Every registered process, with the seconds since its last heartbeat and its claims.
select process.id, process.kind, process.pid, process.hostname, process.supervisor_id,
  process.metadata,
  timestampdiff(microsecond, process.last_heartbeat_at, utc_timestamp(6)) / 1e6,
  process.created_at,
  (
    select count(*)
    from queuekit_claimed_executions claimed
    where claimed.process_id = process.id
  )
from queuekit_processes process
order by process.hostname, coalesce(process.supervisor_id, process.id), process.id;
