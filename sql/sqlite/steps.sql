-- The steps of continuations, and what `context.progress` was told: by the id that all attempts of a
-- job share. Only the process that holds the job's claim writes them.

-- name: steps.of_job
-- The steps of a job, in the order in which they came.
select name, cursor_json, is_finished
from queuekit_steps
where uuid = :uuid
order by position;

-- name: steps.record
-- A step has finished or moved its cursor. Returns a row when the claim stands; without it nothing is
-- written.
insert into queuekit_steps (uuid, name, position, cursor_json, is_finished)
select :uuid, :name, :position, :cursor_json, :is_finished
from queuekit_claimed_executions
where job_id = :job_id and process_id = :process_id
on conflict (uuid, name) do update
  set cursor_json = excluded.cursor_json, is_finished = excluded.is_finished
returning 1;

-- name: steps.record_progress
-- How far a job says it is. Returns a row when the claim stands, as steps.record does.
insert into queuekit_progress (uuid, done, total, updated_at)
select :uuid, :done, :total, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions
where job_id = :job_id and process_id = :process_id
on conflict (uuid) do update
  set done = excluded.done, total = excluded.total, updated_at = excluded.updated_at
returning 1;

-- name: steps.progress_of_job
-- What a job has said last of its progress, and when.
select done, total, updated_at
from queuekit_progress
where uuid = :uuid;

-- name: steps.page
-- The next ids that have steps or progress, at most `limit`, and whether a job still goes by each.
select id.uuid, exists (select 1 from queuekit_jobs job where job.uuid = id.uuid)
from (
  select uuid
  from (select distinct uuid from queuekit_steps where uuid > :after_uuid order by uuid limit :limit)
  union
  select uuid
  from (select uuid from queuekit_progress where uuid > :after_uuid order by uuid limit :limit)
  order by uuid
  limit :limit
) id
order by id.uuid;

-- name: steps.forget
-- Delete the steps and the progress of these ids, where no job goes by them any more.
-- Differs: without data-changing CTEs each table is a statement.
delete from queuekit_progress
where uuid in (
  select value
  from json_each(:uuids)
  where not exists (select 1 from queuekit_jobs job where job.uuid = value)
);

delete from queuekit_steps
where uuid in (
  select value
  from json_each(:uuids)
  where not exists (select 1 from queuekit_jobs job where job.uuid = value)
);
