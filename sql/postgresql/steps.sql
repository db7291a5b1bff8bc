-- The steps of continuations, and what `context.progress` was told: by the id that all attempts of a
-- job share. Only the process that holds the job's claim writes them.

-- name: steps.of_job
-- The steps of a job, in the order in which they came.
select name, cursor_json, is_finished
from queuekit_steps
where uuid = :uuid::uuid
order by position;

-- name: steps.record
-- A step has finished or moved its cursor. Returns a row when the claim stands; without it nothing is
-- written. The claim is locked, so that whoever takes it away waits for what is recorded here.
with claim as (
  select job_id
  from queuekit_claimed_executions
  where job_id = :job_id::bigint and process_id = :process_id::bigint
  for key share
)
insert into queuekit_steps (uuid, name, position, cursor_json, is_finished)
select :uuid::uuid, :name::text, :position::integer, :cursor_json::text, :is_finished::boolean
from claim
on conflict (uuid, name) do update
  set cursor_json = excluded.cursor_json, is_finished = excluded.is_finished
returning 1;

-- name: steps.record_progress
-- How far a job says it is. Returns a row when the claim stands, as steps.record does.
with claim as (
  select job_id
  from queuekit_claimed_executions
  where job_id = :job_id::bigint and process_id = :process_id::bigint
  for key share
)
insert into queuekit_progress (uuid, done, total, updated_at)
select :uuid::uuid, :done::double precision, :total::double precision, statement_timestamp()
from claim
on conflict (uuid) do update
  set done = excluded.done, total = excluded.total, updated_at = excluded.updated_at
returning 1;

-- name: steps.progress_of_job
-- What a job has said last of its progress, and when.
select done, total, updated_at
from queuekit_progress
where uuid = :uuid::uuid;

-- name: steps.page
-- The next ids that have steps or progress, at most `limit`, and whether a job still goes by each.
select id.uuid::text, exists (select from queuekit_jobs job where job.uuid = id.uuid)
from (
  (
    select distinct uuid
    from queuekit_steps
    where uuid > :after_uuid::uuid
    order by uuid
    limit :limit::bigint
  )
  union
  (
    select uuid
    from queuekit_progress
    where uuid > :after_uuid::uuid
    order by uuid
    limit :limit::bigint
  )
  order by uuid
  limit :limit::bigint
) id
order by id.uuid;

-- name: steps.forget
-- Delete the steps and the progress of these ids, where no job goes by them any more.
with gone as (
  select value::uuid as uuid
  from json_array_elements_text(:uuids::json)
  where not exists (select from queuekit_jobs job where job.uuid = value::uuid)
), progress as (
  delete from queuekit_progress using gone where queuekit_progress.uuid = gone.uuid
)
delete from queuekit_steps using gone where queuekit_steps.uuid = gone.uuid;
