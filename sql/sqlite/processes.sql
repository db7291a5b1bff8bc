-- name: processes.register
-- A process begins: only a registered one may claim. Returns its id.
insert into queuekit_processes
  (kind, pid, hostname, supervisor_id, metadata, last_heartbeat_at, created_at)
values (:kind, :pid, :hostname, :supervisor_id, :metadata, round((julianday('now') - 2440587.5) * 86400.0, 3),
  round((julianday('now') - 2440587.5) * 86400.0, 3))
returning id;

-- name: processes.heartbeat
-- The process is alive. Returns a row while its registration stands, none once it was pruned.
update queuekit_processes
set last_heartbeat_at = round((julianday('now') - 2440587.5) * 86400.0, 3)
where id = :process_id
returning id;

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released. Its row goes
-- first: that waits for a turn under way, whose claims the later statements then see.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete from queuekit_claimed_executions where process_id = :process_id returning job_id;

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds: its claims fail. Returns the ids
-- of the jobs failed. Its row goes first, as in processes.deregister; read the other way round, the
-- claims of a turn under way would be left behind.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :silent_for;

select job.uuid
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_failed_executions (job_id, error, failed_at)
select job_id, :error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

delete from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

-- name: processes.silent
-- Processes whose last heartbeat is longer than `silent_for` seconds ago: id, kind, pid, hostname.
select id, kind, pid, hostname
from queuekit_processes
where last_heartbeat_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :silent_for
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
  round((julianday('now') - 2440587.5) * 86400.0, 3) - process.last_heartbeat_at,
  process.created_at,
  (
    select count(*)
    from queuekit_claimed_executions claimed
    where claimed.process_id = process.id
  )
from queuekit_processes process
order by process.hostname, coalesce(process.supervisor_id, process.id), process.id;
