-- name: ready.peek
-- Is there anything to claim after this position? Idle workers ask this in place of a whole turn.
select 1
from queuekit_ready_executions
where (priority, job_id) > (:after_priority::bigint, :after_job_id::bigint)
order by priority, job_id
limit 1;

-- name: ready.front
-- The position of the first ready job, or where there is none, of the job that was enqueued last;
-- and how many seconds it took to find: all that was claimed may lie before it, for as long as an old
-- transaction could see it.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  extract(epoch from clock_timestamp() - statement_timestamp())::double precision
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
  order by priority, job_id
  limit 1
) front on true
left join (
  select priority, id
  from queuekit_jobs
  order by id desc
  limit 1
) newest on true;

-- name: ready.front_of_queue
-- The same of one queue: the position of its first ready job, or of the newest job of all; and the
-- seconds that it took to find.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  extract(epoch from clock_timestamp() - statement_timestamp())::double precision
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
  where queue_name = :queue_name
  order by priority, job_id
  limit 1
) front on true
left join (
  select priority, id
  from queuekit_jobs
  order by id desc
  limit 1
) newest on true;

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
