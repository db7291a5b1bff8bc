-- Concurrency limits. A semaphore is the lock row of a key; a slot is a row of a job that is ready or
-- claimed under the key. Whoever puts a limited job to ready, or takes one away, does in one
-- transaction: lock the keys, free, place, promote. Jobs that are to be placed have no execution yet.
--
-- Slots are counted without locks: a worker that claims writes into the slots of its jobs without
-- their key's lock, and may be waiting for that. And they are found by their job with a forced index:
-- of a small table the server would rather read, and lock, all rows.

-- name: semaphores.lock
-- Lock these keys until the end of the transaction, in their order. A key may come with what a job
-- says of its number of slots, `to`: what the job that was enqueued last has said counts.
-- Differs: an update has no condition of its own; slots come first, since said_by decides of both.
insert into queuekit_semaphores (concurrency_key, slots, said_by)
select given.concurrency_key, given.slots, given.said_by
from json_table(:semaphores, '$[*]' columns (
  concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  slots integer path '$.to',
  said_by char(36) character set ascii collate ascii_bin path '$.said_by'
)) given
order by given.concurrency_key
on duplicate key update
  slots = if(values(said_by) >= coalesce(queuekit_semaphores.said_by, ''), values(slots),
    queuekit_semaphores.slots),
  said_by = if(values(said_by) >= coalesce(queuekit_semaphores.said_by, ''), values(said_by),
    queuekit_semaphores.said_by);

-- name: semaphores.free
-- These jobs hold no slots any more.
delete slot
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = given.job_id;

-- name: semaphores.line_up
-- Of these jobs, which were accepted once and have not ended, those that their limit would discard now,
-- since their slot's time has passed, are blocked instead. Returns their ids.
-- Differs: without data-changing CTEs it is one step after the other.
delete slot
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = given.job_id
where slot.expires_at <= utc_timestamp(6);

insert into queuekit_blocked_executions
  (job_id, queue_name, priority, concurrency_key, created_at)
select job.id, job.queue_name, job.priority, job.concurrency_key, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
where job.concurrency_on_conflict is not null
  and not exists (select 1 from queuekit_semaphore_slots slot where slot.job_id = job.id)
on duplicate key update job_id = queuekit_blocked_executions.job_id;

select blocked.job_id
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_blocked_executions blocked on blocked.job_id = given.job_id;

-- name: semaphores.place
-- Jobs without an execution get one: ready with a slot of their own, where one is free and nobody
-- waits for it already, else blocked, or discarded where their limit says so. One that still has a
-- slot that counts keeps it. An execution that is there already, after a restore of some tables, is
-- passed over. Returns their ids and where they are now.
-- Differs: without data-changing CTEs it is one step after the other.
delete slot
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = given.job_id
where slot.expires_at <= utc_timestamp(6);

update (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = given.job_id
set slot.expires_at = null, slot.process_id = null;

insert into queuekit_semaphore_slots (concurrency_key, job_id, duration)
select wanted.concurrency_key, wanted.id, wanted.concurrency_duration
from (
  select job.id, job.concurrency_key, job.concurrency_duration,
    row_number() over (partition by job.concurrency_key order by job.priority, job.id) as place
  from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
  straight_join queuekit_jobs job on job.id = given.job_id
  where not exists (select 1 from queuekit_semaphore_slots slot where slot.job_id = job.id)
) wanted
join (
  select semaphore.concurrency_key, coalesce(semaphore.slots, 1) - (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and (slot.expires_at is null or slot.expires_at > utc_timestamp(6))
  ) as free
  from (
    select distinct job.concurrency_key
    from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
    straight_join queuekit_jobs job on job.id = given.job_id
  ) used
  straight_join queuekit_semaphores semaphore
    on semaphore.concurrency_key = used.concurrency_key
) semaphore on semaphore.concurrency_key = wanted.concurrency_key
where wanted.place <= semaphore.free
  and not exists (
    select 1
    from queuekit_blocked_executions blocked
    where blocked.concurrency_key = wanted.concurrency_key
  );

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = job.id
on duplicate key update job_id = queuekit_ready_executions.job_id;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job.id, 'discarded', null, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
where job.concurrency_on_conflict = 'discard'
  and not exists (select 1 from queuekit_semaphore_slots slot where slot.job_id = job.id)
  and :preserve_finished;

insert into queuekit_blocked_executions
  (job_id, queue_name, priority, concurrency_key, created_at)
select job.id, job.queue_name, job.priority, job.concurrency_key, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
where job.concurrency_on_conflict is null
  and not exists (select 1 from queuekit_semaphore_slots slot where slot.job_id = job.id)
on duplicate key update job_id = queuekit_blocked_executions.job_id;

select job.id,
  case
    when slot.job_id is not null then 'ready'
    when job.concurrency_on_conflict is null then 'blocked'
    else 'discarded'
  end
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_jobs job on job.id = given.job_id
left join queuekit_semaphore_slots slot on slot.job_id = job.id;

delete job
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_jobs job on job.id = given.job_id
where job.concurrency_on_conflict = 'discard'
  and not exists (
    select 1
    from queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
    where slot.job_id = job.id
  )
  and not :preserve_finished;

-- name: semaphores.promote
-- As many blocked jobs of each key as it has free slots go to ready, lower priority first, at most
-- 500 of a key. Returns their ids.
-- Differs: MariaDB has no lateral join, so each key's jobs are found one after the other: all of them
-- would be too many to be ranked. What was promoted is what has a slot and is blocked, in this
-- transaction only; a delete locks what it joins, so that is read before, into a user variable.
insert into queuekit_semaphore_slots (concurrency_key, job_id, duration)
with recursive semaphore (concurrency_key, free) as (
  select semaphore.concurrency_key, least(500, coalesce(semaphore.slots, 1) - (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and (slot.expires_at is null or slot.expires_at > utc_timestamp(6))
  ))
  from json_table(:keys, '$[*]' columns (
    concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) given
  straight_join queuekit_semaphores semaphore
    on semaphore.concurrency_key = given.concurrency_key
), chosen (concurrency_key, priority, job_id, more) as (
  select semaphore.concurrency_key, blocked.priority, blocked.job_id, semaphore.free - 1
  from semaphore
  straight_join queuekit_blocked_executions blocked on blocked.job_id = (
    select first.job_id
    from queuekit_blocked_executions first
    where first.concurrency_key = semaphore.concurrency_key
    order by first.priority, first.job_id
    limit 1
  )
  where semaphore.free > 0
  union all
  select chosen.concurrency_key, blocked.priority, blocked.job_id, chosen.more - 1
  from chosen
  straight_join queuekit_blocked_executions blocked on blocked.job_id = (
    select next.job_id
    from queuekit_blocked_executions next
    where next.concurrency_key = chosen.concurrency_key
      and (next.priority > chosen.priority
        or next.priority = chosen.priority and next.job_id > chosen.job_id)
    order by next.priority, next.job_id
    limit 1
  )
  where chosen.more > 0
)
select chosen.concurrency_key, chosen.job_id, job.concurrency_duration
from chosen
straight_join queuekit_jobs job on job.id = chosen.job_id;

select json_arrayagg(blocked.job_id) into @queuekit_promoted
from json_table(:keys, '$[*]' columns (
    concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) given
straight_join queuekit_semaphore_slots slot on slot.concurrency_key = given.concurrency_key
straight_join queuekit_blocked_executions blocked on blocked.job_id = slot.job_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select blocked.job_id, blocked.queue_name, blocked.priority, utc_timestamp(6)
from json_table(coalesce(@queuekit_promoted, '[]'), '$[*]' columns (job_id bigint path '$')) promoted
straight_join queuekit_blocked_executions blocked on blocked.job_id = promoted.job_id
on duplicate key update job_id = queuekit_ready_executions.job_id;

delete blocked
from json_table(coalesce(@queuekit_promoted, '[]'), '$[*]' columns (job_id bigint path '$')) promoted
straight_join queuekit_blocked_executions blocked on blocked.job_id = promoted.job_id;

select promoted.job_id
from json_table(coalesce(@queuekit_promoted, '[]'), '$[*]' columns (job_id bigint path '$')) promoted;

-- name: semaphores.of_jobs
-- The slots that these jobs hold: the jobs and the keys.
select slot.job_id, slot.concurrency_key
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = given.job_id;

-- name: semaphores.of_process
-- The slots of the jobs that this process claimed, those too that have ended without its knowing.
select job_id, concurrency_key
from queuekit_semaphore_slots
where process_id = :process_id;

-- name: semaphores.astray
-- Slots that nobody is going to free: their jobs are neither ready nor claimed, and the process that
-- claimed them last is gone, or their time is over. A worker that knows of no limits leaves them.
select slot.job_id, slot.concurrency_key
from queuekit_semaphore_slots slot
where not exists (
    select 1 from queuekit_ready_executions ready where ready.job_id = slot.job_id
  )
  and not exists (
    select 1 from queuekit_claimed_executions claimed where claimed.job_id = slot.job_id
  )
  and (
    slot.expires_at <= utc_timestamp(6)
    or not exists (select 1 from queuekit_processes process where process.id = slot.process_id)
  )
order by slot.concurrency_key, slot.job_id
limit :limit;

-- name: semaphores.waiting
-- Keys behind which jobs are blocked, above `after_key`, in their order.
select distinct concurrency_key
from queuekit_blocked_executions
where concurrency_key > :after_key
order by concurrency_key
limit :limit;

-- name: semaphores.unused
-- Keys of which no job holds a slot and none is blocked.
select semaphore.concurrency_key
from queuekit_semaphores semaphore
where not exists (
    select 1
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
  )
  and not exists (
    select 1
    from queuekit_blocked_executions blocked
    where blocked.concurrency_key = semaphore.concurrency_key
  )
order by semaphore.concurrency_key
limit :limit;

-- name: semaphores.forget
-- Delete the lock rows of these keys.
delete semaphore
from (
  select concurrency_key
  from json_table(:keys, '$[*]' columns (
    concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) g
) given
straight_join queuekit_semaphores semaphore
  on semaphore.concurrency_key = given.concurrency_key;

-- name: semaphores.in_use
-- Keys of which slots are held or behind which jobs are blocked, above `after_key`, in their order.
select semaphore.concurrency_key
from queuekit_semaphores semaphore
where semaphore.concurrency_key > :after_key
  and (
    exists (
      select 1 from queuekit_semaphore_slots slot
      where slot.concurrency_key = semaphore.concurrency_key
    )
    or exists (
      select 1 from queuekit_blocked_executions blocked
      where blocked.concurrency_key = semaphore.concurrency_key
    )
  )
order by semaphore.concurrency_key
limit :limit;

-- name: semaphores.counts
-- Of each of these keys: its number of slots, how many are held, how many have expired, and how many
-- jobs are blocked.
select semaphore.concurrency_key, coalesce(semaphore.slots, 1),
  (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and (slot.expires_at is null or slot.expires_at > utc_timestamp(6))
  ),
  (
    select count(*)
    from queuekit_semaphore_slots slot
    where slot.concurrency_key = semaphore.concurrency_key
      and slot.expires_at <= utc_timestamp(6)
  ),
  (
    select count(*)
    from queuekit_blocked_executions blocked
    where blocked.concurrency_key = semaphore.concurrency_key
  )
from json_table(:keys, '$[*]' columns (
    concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) given
straight_join queuekit_semaphores semaphore on semaphore.concurrency_key = given.concurrency_key
order by semaphore.concurrency_key;

-- name: semaphores.holders
-- Who holds the slots of these keys: the job, whether it is ready, claimed or has ended, since when it
-- is, who has claimed it, and when the slot expires or that it has.
select slot.concurrency_key, slot.job_id, job.uuid, job.class_name, job.queue_name,
  case
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    else 'ended'
  end,
  coalesce(claimed.claimed_at, ready.created_at),
  coalesce(claimed.process_id, slot.process_id), process.pid, process.hostname,
  slot.expires_at, coalesce(slot.expires_at <= utc_timestamp(6), 0)
from json_table(:keys, '$[*]' columns (
    concurrency_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$'
  )) given
straight_join queuekit_semaphore_slots slot on slot.concurrency_key = given.concurrency_key
left join queuekit_jobs job on job.id = slot.job_id
left join queuekit_ready_executions ready on ready.job_id = slot.job_id
left join queuekit_claimed_executions claimed on claimed.job_id = slot.job_id
left join queuekit_processes process
  on process.id = coalesce(claimed.process_id, slot.process_id)
order by slot.concurrency_key, slot.job_id
limit :limit;

-- name: semaphores.blocked
-- The jobs that are blocked behind a key, in the order in which they come in.
select blocked.job_id, job.uuid, job.class_name, blocked.queue_name, blocked.priority,
  blocked.created_at
from queuekit_blocked_executions blocked
left join queuekit_jobs job on job.id = blocked.job_id
where blocked.concurrency_key = :concurrency_key
order by blocked.priority, blocked.job_id
limit :limit;

-- name: semaphores.blocked_of_queue
-- The blocked jobs of a queue, above the id `after`, in their order, and their keys.
select job_id, concurrency_key
from queuekit_blocked_executions
where queue_name = :queue_name and job_id > :after
order by job_id
limit :limit;

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
straight_join queuekit_semaphore_slots slot force index (queuekit_semaphore_slots_by_job)
  on slot.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = slot.job_id
left join queuekit_claimed_executions claimed on claimed.job_id = slot.job_id
where job.uuid = :uuid
order by slot.job_id;

-- name: semaphores.discard
-- Discard these jobs, whose keys are locked, where they are blocked still. Returns those that were.
-- Differs: without data-changing CTEs it is one step after the other; the locks keep others away.
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select blocked.job_id, 'discarded', null, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_blocked_executions blocked on blocked.job_id = given.job_id
where :preserve_finished;

delete job
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_blocked_executions blocked on blocked.job_id = given.job_id
straight_join queuekit_jobs job on job.id = blocked.job_id
where not :preserve_finished;

select blocked.job_id
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_blocked_executions blocked on blocked.job_id = given.job_id;

delete blocked
from (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_blocked_executions blocked on blocked.job_id = given.job_id;
