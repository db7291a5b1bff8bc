-- What only `queuekit.testing` does with the tables.

-- name: testing.claim
-- Claim one waiting job, ready or not, paused or not: a test runs the jobs that it names.
with ready as (
  delete from queuekit_ready_executions where job_id = :job_id::bigint returning job_id
), scheduled as (
  delete from queuekit_scheduled_executions where job_id = :job_id::bigint returning job_id
)
insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id::bigint, statement_timestamp()
from (select job_id from ready union all select job_id from scheduled) waiting
returning job_id;
