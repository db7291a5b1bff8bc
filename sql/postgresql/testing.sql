-- What only `queuekit.testing` does with the tables.

-- name: testing.claim
-- Claim one waiting job, ready or scheduled, paused or not: a test runs the jobs that it names. One
-- that is blocked is not claimed. Returns its row.
with ready as (
  delete from queuekit_ready_executions where job_id = :job_id::bigint returning job_id
), scheduled as (
  delete from queuekit_scheduled_executions where job_id = :job_id::bigint returning job_id
), started as (
  update queuekit_semaphore_slots
  set process_id = :process_id::bigint,
    expires_at = statement_timestamp() + make_interval(secs => duration)
  where job_id in (select job_id from ready)
)
insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id::bigint, statement_timestamp()
from (select job_id from ready union all select job_id from scheduled) waiting
returning job_id;
