-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: claimed.orphaned
-- The processes that have claims and are not registered any more.
select distinct claimed.process_id
from queuekit_claimed_executions claimed
left join queuekit_processes process on process.id = claimed.process_id
where process.id is null;

-- name: claimed.release
-- A process that begins no more jobs gives these claims back to ready, where it still holds them.
-- Its own row is locked first, as in a turn.
with process as (
  select id from queuekit_processes where id = :process_id::bigint for key share
), taken as (
  delete from queuekit_claimed_executions claimed
  using process
  where claimed.process_id = process.id
    and claimed.job_id in (select value::bigint from json_array_elements_text(:job_ids::json))
  returning claimed.job_id
)
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, statement_timestamp()
from taken
join queuekit_jobs job on job.id = taken.job_id;
