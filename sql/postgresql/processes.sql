-- name: processes.register
-- A process begins: only a registered one may claim. Returns its id.
insert into queuekit_processes
  (kind, pid, hostname, supervisor_id, metadata, last_heartbeat_at, created_at)
values (:kind, :pid, :hostname, :supervisor_id, :metadata, statement_timestamp(),
  statement_timestamp())
returning id;

-- name: processes.heartbeat
-- The process is alive. Returns a row while its registration stands, none once it was pruned.
update queuekit_processes
set last_heartbeat_at = statement_timestamp()
where id = :process_id
returning id;

-- name: processes.hold
-- Lock a process's own row, as its turn does. Returns a row while its registration stands.
select id from queuekit_processes where id = :process_id for key share;

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released, and the keys
-- of those with a concurrency limit, which have no place yet. Its row goes first: that waits for a turn
-- under way, whose claims the later statement then sees.
delete from queuekit_processes where id = :process_id;

with taken as (
  delete from queuekit_claimed_executions
  where process_id = :process_id
  returning job_id
), job as (
  select job.id, job.queue_name, job.priority, job.concurrency_key
  from taken
  join queuekit_jobs job on job.id = taken.job_id
  where job.id = any (array(select job_id from taken))
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where concurrency_key is null
  on conflict (job_id) do nothing
)
select id, concurrency_key from job;

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
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at
    <= statement_timestamp() - make_interval(secs => :silent_for::double precision)
returning null::text, 'buried', null::text, null::bigint, null::bigint;

with taken as (
  delete from queuekit_claimed_executions
  where process_id = :process_id
    and not exists (select from queuekit_processes where id = :process_id)
  returning job_id
), job as (
  select job.*,
    :begun::json is null
      or job.id in (select value::bigint from json_array_elements_text(:begun::json)) as has_begun,
    :may_retry::boolean
      and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths::integer)
      as may_die_again
  from taken
  join queuekit_jobs job on job.id = taken.job_id
  where job.id = any (array(select job_id from taken))
), released as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where not has_begun and concurrency_key is null
  on conflict (job_id) do nothing
), failed as (
  insert into queuekit_failed_executions (job_id, error, failed_at)
  select id, :error, statement_timestamp() from job where has_begun and not may_die_again
  on conflict (job_id) do nothing
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'retried', :error, statement_timestamp()
  from job
  where has_begun and may_die_again and :preserve_finished::boolean
  on conflict (job_id) do nothing
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select id from job where has_begun and may_die_again))
    and not :preserve_finished::boolean
), fresh as (
  insert into queuekit_jobs
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      process_deaths, max_process_deaths, executions, exception_executions, context,
      concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
      throttle_key, throttle_to, throttle_per)
  select uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
      + row_number() over (partition by uuid order by id),
    queue_name, class_name, arguments, priority, statement_timestamp(), statement_timestamp(),
    process_deaths + 1, max_process_deaths, executions + 1, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per
  from job
  where has_begun and may_die_again
  order by id
  returning id, queue_name, priority, concurrency_key
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from fresh
  where concurrency_key is null
)
select job.uuid::text,
  case when not has_begun then 'released' when may_die_again then 'retried' else 'failed' end,
  job.concurrency_key, job.id, null::bigint
from job
union all
select null::text, 'retried', fresh.concurrency_key, null::bigint, fresh.id
from fresh
where fresh.concurrency_key is not null;

-- name: processes.silent
-- Processes whose last heartbeat is longer than `silent_for` seconds ago.
select id, kind, pid, hostname, supervisor_id
from queuekit_processes
where last_heartbeat_at
  <= statement_timestamp() - make_interval(secs => :silent_for::double precision)
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
  extract(epoch from statement_timestamp() - process.last_heartbeat_at)::double precision,
  process.created_at,
  (
    select count(*)
    from queuekit_claimed_executions claimed
    where claimed.process_id = process.id
  )
from queuekit_processes process
order by process.hostname, coalesce(process.supervisor_id, process.id), process.id;
