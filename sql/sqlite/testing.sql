-- What only `queuekit.testing` does with the tables.

-- name: testing.claim
-- Claim one waiting job, ready or scheduled, paused or not: a test runs the jobs that it names. One
-- that is blocked is not claimed. Returns its row.
-- Differs: without data-changing CTEs it is one statement after the other.
insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from (
  select job_id from queuekit_ready_executions where job_id = :job_id
  union all
  select job_id from queuekit_scheduled_executions where job_id = :job_id
) waiting
where true
returning job_id;

update queuekit_semaphore_slots
set process_id = :process_id,
  expires_at = round((julianday('now') - 2440587.5) * 86400.0, 3) + duration
where job_id in (select job_id from queuekit_ready_executions where job_id = :job_id);

delete from queuekit_ready_executions where job_id = :job_id;

delete from queuekit_scheduled_executions where job_id = :job_id;
