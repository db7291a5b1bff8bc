-- name: finished.clear
-- Delete jobs that finished longer than `seconds` ago, at most `limit`, from a time on: that of the last
-- batch, so that what it has deleted is not read again. Returns how many, and the latest time, as one
-- row or several.
-- Differs: the ids travel in a user variable, as in scheduled.dispatch.
select json_arrayagg(old.job_id), count(*), max(old.finished_at)
into @queuekit_old, @queuekit_old_count, @queuekit_old_until
from (
  select finished.job_id, finished.finished_at
  from queuekit_finished_executions finished
    force index (queuekit_finished_executions_by_time)
  where finished.finished_at >= :since
    and finished.finished_at <= utc_timestamp(6) - interval :seconds * 1000000 microsecond
  order by finished.finished_at, finished.job_id
  limit :limit
  for update skip locked
) old;

delete finished
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (job_id bigint path '$')) old
straight_join queuekit_finished_executions finished on finished.job_id = old.job_id;

delete job
from json_table(coalesce(@queuekit_old, '[]'), '$[*]' columns (job_id bigint path '$')) old
straight_join queuekit_jobs job on job.id = old.job_id;

select @queuekit_old_count, @queuekit_old_until;

-- name: finished.count
-- How many jobs finished longer than `seconds` ago.
select count(*)
from queuekit_finished_executions
where finished_at <= utc_timestamp(6) - interval :seconds * 1000000 microsecond;
