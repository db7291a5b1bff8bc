-- name: finished.clear
-- Delete jobs that finished longer than `seconds` ago, at most `limit`, from a time on: that of the last
-- batch, so that what it has deleted is not read again. Returns how many, and the latest time, as one
-- row or several.
-- Differs: what was cleared is what has a finished row whose job is gone, in this transaction only.
delete from queuekit_jobs
where id in (
  select job_id
  from queuekit_finished_executions
  where finished_at >= :since
    and finished_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :seconds
  order by finished_at, job_id
  limit :limit
);

delete from queuekit_finished_executions
where job_id in (
  select finished.job_id
  from queuekit_finished_executions finished
  where finished.finished_at >= :since
    and finished.finished_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :seconds
    and not exists (select 1 from queuekit_jobs job where job.id = finished.job_id)
  order by finished.finished_at, finished.job_id
  limit :limit
)
returning 1, finished_at;

-- name: finished.count
-- How many jobs finished longer than `seconds` ago.
select count(*)
from queuekit_finished_executions
where finished_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :seconds;
