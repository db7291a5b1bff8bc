-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved, and for jobs
-- with a concurrency limit, which have no place yet, the key, the number of slots and the job's id.
-- Differs: the ids travel from the locking read to the other statements in a user variable. Finding
-- them again by their time would wait for the rows that another dispatcher has locked.
set @queuekit_due = (
  select json_arrayagg(due.job_id)
  from (
    select scheduled.job_id
    from queuekit_scheduled_executions scheduled
      force index (queuekit_scheduled_executions_due)
    where scheduled.scheduled_at <= utc_timestamp(6)
    order by scheduled.scheduled_at, scheduled.priority, scheduled.job_id
    limit :limit
    for update skip locked
  ) due
);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select scheduled.job_id, scheduled.queue_name, scheduled.priority, utc_timestamp(6)
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due
straight_join queuekit_scheduled_executions scheduled on scheduled.job_id = due.job_id
straight_join queuekit_jobs job on job.id = due.job_id
where job.concurrency_key is null
order by scheduled.job_id
on duplicate key update job_id = queuekit_ready_executions.job_id;

delete scheduled
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due
straight_join queuekit_scheduled_executions scheduled on scheduled.job_id = due.job_id;

select due.job_id, job.concurrency_key, job.concurrency_limit, job.uuid
from json_table(coalesce(@queuekit_due, '[]'), '$[*]' columns (job_id bigint path '$')) due
left join queuekit_jobs job on job.id = due.job_id;

-- name: scheduled.next_due
-- Seconds until the next job is due: negative when it is late, null when none is scheduled.
select timestampdiff(microsecond, utc_timestamp(6), min(scheduled_at)) / 1e6
from queuekit_scheduled_executions;
