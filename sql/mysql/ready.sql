-- name: ready.peek
-- Is there anything to claim after this position? Idle workers ask this in place of a whole turn.
select 1
from queuekit_ready_executions force index (queuekit_ready_executions_by_priority)
where priority > :after_priority
  or priority = :after_priority and job_id > :after_job_id
order by priority, job_id
limit 1;

-- name: ready.front
-- The position of the first ready job, or where there is none, of the job that was enqueued last;
-- and how many seconds it took to find: all that was claimed may lie before it, for as long as an old
-- transaction could see it.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  timestampdiff(microsecond, now(6), sysdate(6)) / 1e6
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
    force index (queuekit_ready_executions_by_priority)
  order by priority, job_id
  limit 1
) front on true
left join queuekit_jobs newest on newest.id = (select max(id) from queuekit_jobs);

-- name: ready.front_of_queue
-- The same of one queue: the position of its first ready job, or of the newest job of all; and the
-- seconds that it took to find.
select coalesce(front.priority, newest.priority), coalesce(front.job_id, newest.id),
  timestampdiff(microsecond, now(6), sysdate(6)) / 1e6
from (select 1 as one) one
left join (
  select priority, job_id
  from queuekit_ready_executions
    force index (queuekit_ready_executions_by_queue)
  where queue_name = :queue_name
  order by priority, job_id
  limit 1
) front on true
left join queuekit_jobs newest on newest.id = (select max(id) from queuekit_jobs);

-- name: ready.forget_claimed
-- Jobs that are claimed are not ready, too: after a restore of some tables they may be. Claiming them
-- once more is an error that nobody could get past. The claims are locked, so that none goes back to
-- ready meanwhile; those that a job is about to end itself are left alone.
-- Differs: the ids travel from the locking read in a user variable, as in scheduled.dispatch.
set @queuekit_claimed = (
  select json_arrayagg(held.job_id)
  from (
    select claimed.job_id
    from queuekit_claimed_executions claimed
    where claimed.job_id in (select job_id from queuekit_ready_executions)
    for update skip locked
  ) held
);

delete ready
from json_table(coalesce(@queuekit_claimed, '[]'), '$[*]' columns (job_id bigint path '$')) held
straight_join queuekit_ready_executions ready on ready.job_id = held.job_id;
