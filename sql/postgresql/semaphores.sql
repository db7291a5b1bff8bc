-- Concurrency limits. A semaphore is the lock row of a key; a slot is a row of a job that is ready or
-- claimed under the key. Whoever puts a limited job to ready, or takes one away, does in one
-- transaction: lock the keys, free, place, promote. Jobs that are to be placed have no execution yet.
--
-- The lock and the count are two statements: one would count in the snapshot from before it waited.
-- Ids and keys are compared with arrays, which the planner takes for ten: it takes a set out of JSON
-- for a hundred, and would read all jobs for these.

-- name: semaphores.lock
-- Lock these keys until the end of the transaction, in their order. A key may come with what a job
-- says of its number of slots, `to`: what the job that was enqueued last has said counts.
insert into queuekit_semaphores as semaphore (concurrency_key, slots, said_by)
select given.key, given."to", given.said_by
from json_to_recordset(:semaphores::json) as given (key text, "to" integer, said_by text)
order by given.key collate "C"
on conflict (concurrency_key) do update
set slots = excluded.slots, said_by = excluded.said_by
where excluded.said_by collate "C" >= coalesce(semaphore.said_by, '');

-- name: semaphores.free
-- These jobs hold no slots any more.
delete from queuekit_semaphore_slots
where job_id = any (array(
  select value::bigint from json_array_elements_text(:job_ids::json)
));

-- name: semaphores.line_up
-- Of these jobs, which were accepted once and have not ended, those that their limit would discard now,
-- since their slot's time has passed, are blocked instead. Returns their ids.
with job as materialized (
  select job.*
  from queuekit_jobs job
  where job.id = any (array(
    select value::bigint from json_array_elements_text(:job_ids::json)
  ))
    and job.concurrency_on_conflict is not null
    and not exists (
      select
      from queuekit_semaphore_slots slot
      where slot.job_id = job.id
        and (slot.expires_at is null or slot.expires_at > statement_timestamp())
    )
), overdue as (
  delete from queuekit_semaphore_slots
  where job_id = any (array(select id from job))
)
insert into queuekit_blocked_executions
  (job_id, queue_name, priority, concurrency_key, created_at)
select id, queue_name, priority, concurrency_key, statement_timestamp()
from job
order by id
on conflict (job_id) do nothing
returning job_id;

-- name: semaphores.place
-- Jobs without an execution get one: ready with a slot of their own, where one is free and nobody
-- waits for it already, else blocked, or discarded where their limit says so. One that still has a
-- slot that counts keeps it. An execution that is there already, after a restore of some tables, is
-- passed over. Returns their ids and where they are now.
with job as materialized (
  select *
  from queuekit_jobs
  where id = any (array(
    select value::bigint from json_array_elements_text(:job_ids::json)
  ))
), kept as (
  update queuekit_semaphore_slots slot
  set expires_at = null, process_id = null
  from job
  where slot.job_id = job.id
    and (slot.expires_at is null or slot.expires_at > statement_timestamp())
  returning slot.job_id
), wanted as (
  select job.id, job.concurrency_key,
    row_number() over (partition by job.concurrency_key order by job.priority, job.id) as place
  from job
  where job.id not in (select job_id from kept)
), semaphore as materialized (
  select semaphore.concurrency_key,
    case when exists (
      select
      from queuekit_blocked_executions blocked
      where blocked.concurrency_key = semaphore.concurrency_key
    ) then 0 else coalesce(semaphore.slots, 1) - (
      select count(*)
      from queuekit_semaphore_slots slot
      where slot.concurrency_key = semaphore.concurrency_key
        and (slot.expires_at is null or slot.expires_at > statement_timestamp())
    ) end as free
  from (select distinct concurrency_key from wanted) given
  join queuekit_semaphores semaphore on semaphore.concurrency_key = given.concurrency_key
), placed as materialized (
  select job.*,
    case
      when wanted.id is null or wanted.place <= semaphore.free then 'ready'
      when job.concurrency_on_conflict is null then 'blocked'
      else 'discarded'
    end as state
  from job
  left join wanted on wanted.id = job.id
  left join semaphore on semaphore.concurrency_key = wanted.concurrency_key
), slot as (
  insert into queuekit_semaphore_slots (concurrency_key, job_id, duration)
  select concurrency_key, id, concurrency_duration
  from placed
  where state = 'ready' and id not in (select job_id from kept)
  order by id
  on conflict (job_id) do update set expires_at = null, process_id = null
), overdue as (
  delete from queuekit_semaphore_slots slot
  using placed
  where slot.job_id = placed.id and placed.state <> 'ready'
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from placed
  where state = 'ready'
  order by id
  on conflict (job_id) do nothing
), blocked as (
  insert into queuekit_blocked_executions
    (job_id, queue_name, priority, concurrency_key, created_at)
  select id, queue_name, priority, concurrency_key, statement_timestamp()
  from placed
  where state = 'blocked'
  order by id
  on conflict (job_id) do nothing
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'discarded', null, statement_timestamp()
  from placed
  where state = 'discarded' and :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id in (select id from placed where state = 'discarded') and not :preserve_finished::boolean
)
select id, state from placed;

-- name: semaphores.promote
-- As many blocked jobs of each key as it has free slots go to ready, lower priority first, at most
-- 500 of a key. Returns their ids.
with semaphore as materialized (
  select semaphore.concurrency_key, least(500, coalesce(semaphore.slots, 1) - (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and (slot.expires_at is null or slot.expires_at > statement_timestamp())
  )) as free
  from queuekit_semaphores semaphore
  where semaphore.concurrency_key = any (array(
    select value from json_array_elements_text(:keys::json)
  ))
), chosen as materialized (
  select blocked.job_id
  from semaphore
  cross join lateral (
    select job_id
    from queuekit_blocked_executions
    where concurrency_key = semaphore.concurrency_key
    order by priority, job_id
    limit greatest(semaphore.free, 0)
  ) blocked
), taken as (
  delete from queuekit_blocked_executions
  where job_id = any (array(select job_id from chosen))
  returning job_id, queue_name, priority
), slot as (
  insert into queuekit_semaphore_slots (concurrency_key, job_id, duration)
  select concurrency_key, id, concurrency_duration
  from queuekit_jobs
  where id = any (array(select job_id from taken))
  order by id
)
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job_id, queue_name, priority, statement_timestamp()
from taken
order by job_id
on conflict (job_id) do nothing
returning job_id;

-- name: semaphores.of_jobs
-- The slots that these jobs hold: the jobs and the keys.
select job_id, concurrency_key
from queuekit_semaphore_slots
where job_id = any (array(
  select value::bigint from json_array_elements_text(:job_ids::json)
));

-- name: semaphores.of_process
-- The slots of the jobs that this process claimed, those too that have ended without its knowing.
select job_id, concurrency_key
from queuekit_semaphore_slots
where process_id = :process_id::bigint;

-- name: semaphores.astray
-- Slots that nobody is going to free: their jobs are neither ready nor claimed, and the process that
-- claimed them last is gone, or their time is over. A worker that knows of no limits leaves them.
select slot.job_id, slot.concurrency_key
from queuekit_semaphore_slots slot
where not exists (
    select from queuekit_ready_executions ready where ready.job_id = slot.job_id
  )
  and not exists (
    select from queuekit_claimed_executions claimed where claimed.job_id = slot.job_id
  )
  and (
    slot.expires_at <= statement_timestamp()
    or not exists (select from queuekit_processes process where process.id = slot.process_id)
  )
order by slot.concurrency_key, slot.job_id
limit :limit::bigint;

-- name: semaphores.waiting
-- Keys behind which jobs are blocked, above `after_key`, in their order.
select distinct concurrency_key
from queuekit_blocked_executions
where concurrency_key > :after_key
order by concurrency_key
limit :limit::bigint;

-- name: semaphores.unused
-- Keys of which no job holds a slot and none is blocked.
select semaphore.concurrency_key
from queuekit_semaphores semaphore
where not exists (
    select
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
  )
  and not exists (
    select
    from queuekit_blocked_executions blocked
    where blocked.concurrency_key = semaphore.concurrency_key
  )
order by semaphore.concurrency_key
limit :limit::bigint;

-- name: semaphores.forget
-- Delete the lock rows of these keys.
delete from queuekit_semaphores
where concurrency_key = any (array(select value from json_array_elements_text(:keys::json)));

-- name: semaphores.in_use
-- Keys of which slots are held or behind which jobs are blocked, above `after_key`, in their order.
select semaphore.concurrency_key
from queuekit_semaphores semaphore
where semaphore.concurrency_key > :after_key
  and (
    exists (
      select from queuekit_semaphore_slots slot
      where slot.concurrency_key = semaphore.concurrency_key
    )
    or exists (
      select from queuekit_blocked_executions blocked
      where blocked.concurrency_key = semaphore.concurrency_key
    )
  )
order by semaphore.concurrency_key
limit :limit::bigint;

-- name: semaphores.counts
-- Of each of these keys: its number of slots, how many are held, how many have expired, and how many
-- jobs are blocked.
select semaphore.concurrency_key, coalesce(semaphore.slots, 1),
  (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and (slot.expires_at is null or slot.expires_at > statement_timestamp())
  ),
  (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and slot.expires_at <= statement_timestamp()
  ),
  (
    select count(*)
    from queuekit_blocked_executions blocked
    where blocked.concurrency_key = semaphore.concurrency_key
  )
from queuekit_semaphores semaphore
where semaphore.concurrency_key = any (array(
  select value from json_array_elements_text(:keys::json)
))
order by semaphore.concurrency_key;

-- name: semaphores.holders
-- Who holds the slots of these keys: the job, whether it is ready, claimed or has ended, since when it
-- is, who has claimed it, and when the slot expires or that it has.
select slot.concurrency_key, slot.job_id, job.uuid::text, job.class_name, job.queue_name,
  case
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    else 'ended'
  end,
  coalesce(claimed.claimed_at, ready.created_at),
  coalesce(claimed.process_id, slot.process_id), process.pid, process.hostname,
  slot.expires_at, coalesce(slot.expires_at <= statement_timestamp(), false)
from queuekit_semaphore_slots slot
left join queuekit_jobs job on job.id = slot.job_id
left join queuekit_ready_executions ready on ready.job_id = slot.job_id
left join queuekit_claimed_executions claimed on claimed.job_id = slot.job_id
left join queuekit_processes process
  on process.id = coalesce(claimed.process_id, slot.process_id)
where slot.concurrency_key = any (array(
  select value from json_array_elements_text(:keys::json)
))
order by slot.concurrency_key, slot.job_id
limit :limit::bigint;

-- name: semaphores.blocked
-- The jobs that are blocked behind a key, in the order in which they come in.
select blocked.job_id, job.uuid::text, job.class_name, blocked.queue_name, blocked.priority,
  blocked.created_at
from queuekit_blocked_executions blocked
left join queuekit_jobs job on job.id = blocked.job_id
where blocked.concurrency_key = :concurrency_key
order by blocked.priority, blocked.job_id
limit :limit::bigint;

-- name: semaphores.blocked_of_queue
-- The blocked jobs of a queue, above the id `after`, in their order, and their keys.
select job_id, concurrency_key
from queuekit_blocked_executions
where queue_name = :queue_name and job_id > :after::bigint
order by job_id
limit :limit::bigint;

-- name: semaphores.of_job
-- The slots that the attempts of one job hold: the rows, the keys, and whether they are ready, claimed
-- or have ended.
select slot.job_id, slot.concurrency_key,
  case
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    else 'ended'
  end
from queuekit_jobs job
join queuekit_semaphore_slots slot on slot.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = slot.job_id
left join queuekit_claimed_executions claimed on claimed.job_id = slot.job_id
where job.uuid = :uuid::uuid
order by slot.job_id;

-- name: semaphores.discard
-- Discard these jobs, whose keys are locked, where they are blocked still. Returns those that were.
with gone as (
  delete from queuekit_blocked_executions
  where job_id = any (array(
    select value::bigint from json_array_elements_text(:job_ids::json)
  ))
  returning job_id
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, 'discarded', null, statement_timestamp()
  from gone
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id in (select job_id from gone) and not :preserve_finished::boolean
)
select job_id from gone;
