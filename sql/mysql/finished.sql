-- name: finished.clear
-- Delete jobs that finished longer than `seconds` ago, at most `limit`. Returns the ids deleted.
-- Differs: the ids travel in a user variable, as in scheduled.dispatch.
set @queuekit_old = (
  select json_arrayagg(old.job_id)
  from (
    select finished.job_id
    from queuekit_finished_executions finished
      force index (queuekit_finished_executions_by_time)
    where finished.finished_at <= utc_timestamp(6) - interval :seconds * 1000000 microsecond
    order by finished.finished_at, finished.job_id
    limit :limit
    for update skip locked
  ) old
);

delete finished
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (job_id bigint path '$')) old
straight_join queuekit_finished_executions finished on finished.job_id = old.job_id;

delete job
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (job_id bigint path '$')) old
straight_join queuekit_jobs job on job.id = old.job_id;

select old.job_id
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (job_id bigint path '$')) old;

-- name: finished.count
-- How many jobs finished longer than `seconds` ago.
select count(*)
from queuekit_finished_executions
where finished_at <= utc_timestamp(6) - interval :seconds * 1000000 microsecond;
