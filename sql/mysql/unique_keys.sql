-- Unique keys: executions/unique_keys.py says how these follow one another. Names and keys come back
-- in hexadecimal, which every client's character set takes.
--
-- A caller's transaction may be REPEATABLE READ. Then plain reads see what was committed before its
-- first one, and locking reads what is there now; one of these that finds nothing locks the gap, and
-- with it whoever writes there. So rows are locked by their primary key, and only where they have been
-- seen, or must have been put after that first read. What locks joins no JSON_TABLE, which MySQL
-- refuses, but what was selected from one.

-- name: unique_keys.lock
-- Lock these keys until the end of the transaction, in their order; one that nobody has is the given
-- job's. Returns for each the job that has it, its first row, its queue, the time it was enqueued for,
-- whether it was scheduled, and whether its window is still open.
-- Differs: without RETURNING the keys are read again, with a lock, as they are now.
set @queuekit_keys = convert(:unique_keys using utf8mb4);

insert into queuekit_unique_keys (unique_key, uuid, queue_name)
select given.unique_key, given.uuid, given.queue_name
from json_table(@queuekit_keys, '$[*]' columns (
  unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  queue_name varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.queue_name'
)) given
order by given.unique_key
on duplicate key update uuid = queuekit_unique_keys.uuid;

select hex(held.unique_key), held.uuid, held.job_id, hex(held.queue_name), held.scheduled_at,
  held.is_scheduled, coalesce(held.expires_at > utc_timestamp(6), false)
from (
  select distinct unique_key
  from json_table(@queuekit_keys, '$[*]' columns (
    unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key'
  )) g
) given
straight_join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key
for update;

-- name: unique_keys.held
-- What unique_keys.lock returns, without a lock.
select hex(held.unique_key), held.uuid, held.job_id, hex(held.queue_name), held.scheduled_at,
  held.is_scheduled, coalesce(held.expires_at > utc_timestamp(6), false)
from json_table(:unique_keys, '$[*]' columns (
  unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key'
)) given
straight_join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key;

-- name: unique_keys.holders
-- Where the jobs are that have keys. Those scheduled or ready are locked and come as 'locked', with
-- their row; a dispatch or a claim that is under way is waited for. Then each as 'job', with its newest
-- row, and its rows that wait, are blocked, are claimed.
-- Differs: rows are locked by their ids, which are read before. What a REPEATABLE READ still sees as
-- scheduled may be ready by now. And a job that came after its first read it does not see at all, nor
-- that it has the key: its first row is looked for where it was put, and it counts as claimed.
set @queuekit_holders = convert(:holders using utf8mb4);

select json_arrayagg(json_object('uuid', given.uuid, 'job_id', coalesce(job.id, given.job_id)))
into @queuekit_seen
from json_table(@queuekit_holders, '$[*]' columns (
  unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  job_id bigint path '$.job_id',
  is_scheduled boolean path '$.is_scheduled'
)) given
left join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key and held.uuid = given.uuid
left join queuekit_jobs job force index (queuekit_jobs_by_uuid) on job.uuid = given.uuid
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
where scheduled.job_id is not null or held.uuid is null and given.is_scheduled;

set @queuekit_locked = (
  select json_arrayagg(json_object('uuid', locked.uuid, 'job_id', locked.job_id))
  from (
    select given.uuid, scheduled.job_id
    from (
      select distinct uuid, job_id
      from json_table(coalesce(@queuekit_seen, '[]'), '$[*]' columns (
        uuid char(36) character set ascii collate ascii_bin path '$.uuid',
        job_id bigint path '$.job_id'
      )) g
    ) given
    straight_join queuekit_scheduled_executions scheduled force index (primary)
      on scheduled.job_id = given.job_id
    lock in share mode
  ) locked
);

select json_arrayagg(json_object('uuid', given.uuid, 'job_id', coalesce(job.id, given.job_id)))
into @queuekit_seen
from json_table(@queuekit_holders, '$[*]' columns (
  unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  job_id bigint path '$.job_id'
)) given
left join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key and held.uuid = given.uuid
left join queuekit_jobs job force index (queuekit_jobs_by_uuid) on job.uuid = given.uuid
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
where ready.job_id is not null
  or (held.uuid is null or scheduled.job_id is not null)
    and not json_contains(coalesce(@queuekit_locked, '[]'), json_object('uuid', given.uuid));

select 'locked', given.uuid, ready.job_id
from (
  select distinct uuid, job_id
  from json_table(coalesce(@queuekit_seen, '[]'), '$[*]' columns (
    uuid char(36) character set ascii collate ascii_bin path '$.uuid',
    job_id bigint path '$.job_id'
  )) g
) given
straight_join queuekit_ready_executions ready force index (primary)
  on ready.job_id = given.job_id
lock in share mode;

select 'locked', given.uuid, given.job_id
from json_table(coalesce(@queuekit_locked, '[]'), '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  job_id bigint path '$.job_id'
)) given;

select 'job', given.uuid, max(job.id), max(coalesce(scheduled.job_id, ready.job_id)),
  max(blocked.job_id), max(claimed.job_id)
from json_table(@queuekit_holders, '$[*]' columns (
  uuid char(36) character set ascii collate ascii_bin path '$.uuid'
)) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid) on job.uuid = given.uuid
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
group by given.uuid
union all
select 'job', given.uuid, given.job_id, null, null, given.job_id
from json_table(@queuekit_holders, '$[*]' columns (
  unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
  uuid char(36) character set ascii collate ascii_bin path '$.uuid',
  job_id bigint path '$.job_id'
)) given
left join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key and held.uuid = given.uuid
where held.uuid is null;

-- name: unique_keys.keep
-- These keys are the given jobs' from now on, for `seconds` in any case.
-- Differs: the keys travel in a user variable, as in unique_keys.lock.
set @queuekit_keys = convert(:unique_keys using utf8mb4);

update (
  select *
  from json_table(@queuekit_keys, '$[*]' columns (
    unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
    uuid char(36) character set ascii collate ascii_bin path '$.uuid',
    seconds decimal(20, 6) path '$.seconds',
    is_timed boolean path '$.is_timed',
    is_scheduled boolean path '$.is_scheduled'
  )) g
) given
straight_join queuekit_jobs job force index (queuekit_jobs_by_uuid)
  on job.uuid = given.uuid and job.attempt = 1
straight_join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key
set held.uuid = job.uuid, held.job_id = job.id, held.queue_name = job.queue_name,
  held.scheduled_at = if(given.is_timed, job.scheduled_at, null),
  held.is_scheduled = given.is_scheduled,
  held.expires_at = job.created_at + interval given.seconds * 1000000 microsecond;

-- name: unique_keys.page
-- The next keys above `after_key`, the jobs that have them, and whether nobody will ask for them: the
-- window is over and the job has ended. One that failed may be retried.
select held.unique_key, held.uuid,
  coalesce(held.expires_at <= utc_timestamp(6), true) and not exists (
    select 1
    from queuekit_jobs job
    where job.uuid = held.uuid
      and not exists (
        select 1 from queuekit_finished_executions finished where finished.job_id = job.id
      )
  )
from queuekit_unique_keys held
where held.unique_key > :after_key
order by held.unique_key
limit :limit;

-- name: unique_keys.forget
-- Forget these keys, where the given jobs still have them. Whoever enqueues meanwhile is not waited
-- for.
-- Differs: a delete cannot pass by what is locked, so that is selected first.
set @queuekit_keys = (
  select json_arrayagg(json_object('key', locked.unique_key))
  from (
    select held.unique_key
    from (
      select distinct unique_key, uuid
      from json_table(:unique_keys, '$[*]' columns (
        unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key',
        uuid char(36) character set ascii collate ascii_bin path '$.uuid'
      )) g
    ) given
    straight_join queuekit_unique_keys held force index (primary)
      on held.unique_key = given.unique_key and held.uuid = given.uuid
    for update skip locked
  ) locked
);

delete held
from (
  select unique_key
  from json_table(coalesce(@queuekit_keys, '[]'), '$[*]' columns (
    unique_key varchar(191) character set utf8mb4 collate utf8mb4_bin path '$.key'
  )) g
) given
straight_join queuekit_unique_keys held force index (primary)
  on held.unique_key = given.unique_key;
