-- name: finished.clear
-- Delete jobs that finished longer than `seconds` ago, at most `limit`. Returns the ids deleted.
with old as materialized (
  select job_id
  from queuekit_finished_executions
  where finished_at <= statement_timestamp() - make_interval(secs => :seconds::double precision)
  order by finished_at, job_id
  limit :limit::bigint
  for update skip locked
), gone as (
  delete from queuekit_finished_executions finished
  using old
  where finished.job_id = old.job_id
  returning finished.job_id
), forgotten as (
  delete from queuekit_jobs
  where id in (select job_id from gone)
)
select job_id from gone;

-- name: finished.count
-- How many jobs finished longer than `seconds` ago.
select count(*)
from queuekit_finished_executions
where finished_at <= statement_timestamp() - make_interval(secs => :seconds::double precision);
