-- Unique keys: executions/unique_keys.py says how these follow one another. Names and keys come back
-- in hexadecimal, which every client encoding takes.

-- name: unique_keys.lock
-- Lock these keys until the end of the transaction, in their order; one that nobody has is the given
-- job's. Returns for each the job that has it, its first row, its queue, the time it was enqueued for,
-- whether it was scheduled, and whether its window is still open.
insert into queuekit_unique_keys as held (unique_key, uuid, queue_name)
select given.key, given.uuid, given.queue_name
from json_to_recordset(:unique_keys::json) as given (key text, uuid uuid, queue_name text)
order by given.key collate "C"
on conflict (unique_key) do update set uuid = held.uuid
returning encode(convert_to(unique_key, 'UTF8'), 'hex'), uuid::text, job_id,
  encode(convert_to(queue_name, 'UTF8'), 'hex'), scheduled_at, is_scheduled,
  coalesce(expires_at > statement_timestamp(), false);

-- name: unique_keys.held
-- What unique_keys.lock returns, without a lock.
select encode(convert_to(unique_key, 'UTF8'), 'hex'), uuid::text, job_id,
  encode(convert_to(queue_name, 'UTF8'), 'hex'), scheduled_at, is_scheduled,
  coalesce(expires_at > statement_timestamp(), false)
from queuekit_unique_keys
where unique_key = any (array(
  select value ->> 'key' from json_array_elements(:unique_keys::json)
));

-- name: unique_keys.holders
-- Where the jobs are that have keys. Those scheduled or ready are locked and come as 'locked', with
-- their row; a dispatch or a claim that is under way is waited for. Then each as 'job', with its newest
-- row, and its rows that wait, are blocked, are claimed.
-- Ids are compared with arrays, as in semaphores.sql: of a table that has just grown the planner
-- expects thousands of rows for a uuid, and would read all that is ready. A statement does not see
-- where what it waited for has gone to, so each is one of its own.
select 'locked', (select uuid::text from queuekit_jobs where id = job_id), job_id
from queuekit_scheduled_executions
where job_id = any (array(
  select job.id
  from queuekit_jobs job
  where job.uuid = any (array(
    select (value ->> 'uuid')::uuid from json_array_elements(:holders::json)
  ))
))
order by job_id
for key share;

select 'locked', (select uuid::text from queuekit_jobs where id = job_id), job_id
from queuekit_ready_executions
where job_id = any (array(
  select job.id
  from queuekit_jobs job
  where job.uuid = any (array(
    select (value ->> 'uuid')::uuid from json_array_elements(:holders::json)
  ))
))
order by job_id
for key share;

select 'job', job.uuid::text, max(job.id),
  max(coalesce(scheduled.job_id, ready.job_id)), max(blocked.job_id), max(claimed.job_id)
from queuekit_jobs job
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
where job.id = any (array(
  select job.id
  from queuekit_jobs job
  where job.uuid = any (array(
    select (value ->> 'uuid')::uuid from json_array_elements(:holders::json)
  ))
))
group by job.uuid;

-- name: unique_keys.keep
-- These keys are the given jobs' from now on, for `seconds` in any case.
with given as materialized (
  select *
  from json_to_recordset(:unique_keys::json)
    as g (key text, uuid uuid, seconds double precision, is_timed boolean, is_scheduled boolean)
), job as materialized (
  select *
  from queuekit_jobs
  where uuid = any (array(select uuid from given)) and attempt = 1
)
update queuekit_unique_keys held
set uuid = job.uuid, job_id = job.id, queue_name = job.queue_name,
  scheduled_at = case when given.is_timed then job.scheduled_at end,
  is_scheduled = given.is_scheduled,
  expires_at = job.created_at + make_interval(secs => given.seconds)
from given
join job on job.uuid = given.uuid
where held.unique_key = any (array(select key from given)) and held.unique_key = given.key;

-- name: unique_keys.page
-- The next keys above `after_key`, the jobs that have them, and whether nobody will ask for them: the
-- window is over and the job has ended. One that failed may be retried.
-- Counted, since the planner would make a set of all jobs for a question whether there is one.
select held.unique_key, held.uuid::text,
  coalesce(held.expires_at <= statement_timestamp(), true) and (
    select count(*)
    from queuekit_jobs job
    where job.uuid = held.uuid
      and (select job_id from queuekit_finished_executions where job_id = job.id) is null
  ) = 0
from queuekit_unique_keys held
where held.unique_key > :after_key
order by held.unique_key
limit :limit::bigint;

-- name: unique_keys.forget
-- Forget these keys, where the given jobs still have them. Whoever enqueues meanwhile is not waited
-- for.
with given as (
  select held.unique_key
  from json_to_recordset(:unique_keys::json) as g (key text, uuid uuid)
  join queuekit_unique_keys held on held.unique_key = g.key and held.uuid = g.uuid
  order by held.unique_key
  for update of held skip locked
)
delete from queuekit_unique_keys held
using given
where held.unique_key = given.unique_key;
