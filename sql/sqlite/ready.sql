-- name: ready.peek
-- Is there anything to claim after this position? Idle workers ask this in place of a whole turn.
select 1
from queuekit_ready_executions
where (priority, job_id) > (:after_priority, :after_job_id)
order by priority, job_id
limit 1;

-- name: ready.front
-- The position of the first ready job, or where there is none, of the job that was enqueued last;
-- and how many seconds it took to find: all that was claimed may lie before it, for as long as an old
-- transaction could see it.
-- Differs: what is deleted is gone at once, so that it takes no time worth measuring.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  0.0
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
  order by priority, job_id
  limit 1
) front on true
left join queuekit_jobs newest on newest.id = (select max(id) from queuekit_jobs);

-- name: ready.front_of_queue
-- The same of one queue: the position of its first ready job, or of the newest job of all; and the
-- seconds that it took to find.
-- Differs: as ready.front does.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  0.0
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
  where queue_name = :queue_name
  order by priority, job_id
  limit 1
) front on true
left join queuekit_jobs newest on newest.id = (select max(id) from queuekit_jobs);

-- name: ready.forget_claimed
-- Jobs that are claimed are not ready, too: after a restore of some tables they may be. Claiming them
-- once more is an error that nobody could get past.
delete from queuekit_ready_executions
where job_id in (select job_id from queuekit_claimed_executions);
