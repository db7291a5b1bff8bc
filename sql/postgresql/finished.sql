-- name: finished.clear
-- Delete jobs that finished longer than `seconds` ago, at most `limit`, from a time on: that of the last
-- batch, so that what it has deleted is not read again. Returns how many, and the latest time, as one
-- row or several.
with old as materialized (
  select ctid
  from queuekit_finished_executions
  where finished_at >= :since::timestamptz
    and finished_at <= statement_timestamp() - make_interval(secs => :seconds::double precision)
  order by finished_at, job_id
  limit :limit::bigint
  for update skip locked
), gone as (
  delete from queuekit_finished_executions
  where ctid = any (array(select ctid from old))
  returning job_id, finished_at
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from gone))
)
select count(*), max(finished_at) from gone;

-- name: finished.count
-- How many jobs finished longer than `seconds` ago.
select count(*)
from queuekit_finished_executions
where finished_at <= statement_timestamp() - make_interval(secs => :seconds::double precision);
