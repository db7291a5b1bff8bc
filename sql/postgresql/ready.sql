-- name: ready.peek
-- Is there anything to claim at all? Idle workers ask this in place of a whole turn.
select 1
from queuekit_ready_executions
limit 1;

-- name: ready.forget_claimed
-- Jobs that are claimed are not ready, too: after a restore of some tables they may be. Claiming them
-- once more is an error that nobody could get past. The claims are locked, so that none goes back to
-- ready meanwhile; those that a job is about to end itself are left alone.
with claimed as (
  select job_id
  from queuekit_claimed_executions
  where job_id in (select job_id from queuekit_ready_executions)
  for update skip locked
)
delete from queuekit_ready_executions
where job_id in (select job_id from claimed);
