-- Unique keys: executions/unique_keys.py says how these follow one another. Names and keys come back
-- in hexadecimal, as on the servers.

-- name: unique_keys.lock
-- Lock these keys until the end of the transaction, in their order; one that nobody has is the given
-- job's. Returns for each the job that has it, its first row, its queue, the time it was enqueued for,
-- whether it was scheduled, and whether its window is still open.
insert into queuekit_unique_keys (unique_key, uuid, queue_name)
select json_extract(value, '$.key'), json_extract(value, '$.uuid'),
  json_extract(value, '$.queue_name')
from json_each(:unique_keys)
where true
on conflict (unique_key) do update set uuid = uuid
returning hex(unique_key), uuid, job_id, hex(queue_name), scheduled_at, is_scheduled,
  coalesce(expires_at > round((julianday('now') - 2440587.5) * 86400.0, 3), false);

-- name: unique_keys.held
-- What unique_keys.lock returns, without a lock.
select hex(unique_key), uuid, job_id, hex(queue_name), scheduled_at, is_scheduled,
  coalesce(expires_at > round((julianday('now') - 2440587.5) * 86400.0, 3), false)
from queuekit_unique_keys
where unique_key in (select json_extract(value, '$.key') from json_each(:unique_keys));

-- name: unique_keys.holders
-- Where the jobs are that have keys. Those scheduled or ready are locked and come as 'locked', with
-- their row; a dispatch or a claim that is under way is waited for. Then each as 'job', with its newest
-- row, and its rows that wait, are blocked, are claimed.
-- Differs: there are no row locks, nor anybody else who writes.
select 'locked', job.uuid, job.id
from json_each(:holders) given
cross join queuekit_jobs job on job.uuid = json_extract(given.value, '$.uuid')
where exists (select 1 from queuekit_scheduled_executions where job_id = job.id)
  or exists (select 1 from queuekit_ready_executions where job_id = job.id);

select 'job', job.uuid, max(job.id), max(coalesce(scheduled.job_id, ready.job_id)),
  max(blocked.job_id), max(claimed.job_id)
from json_each(:holders) given
cross join queuekit_jobs job on job.uuid = json_extract(given.value, '$.uuid')
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
group by job.uuid;

-- name: unique_keys.keep
-- These keys are the given jobs' from now on, for `seconds` in any case.
update queuekit_unique_keys
set uuid = given.uuid, job_id = given.job_id, queue_name = given.queue_name,
  scheduled_at = given.scheduled_at, is_scheduled = given.is_scheduled,
  expires_at = given.expires_at
from (
  select json_extract(value, '$.key') as unique_key, job.uuid, job.id as job_id, job.queue_name,
    case when json_extract(value, '$.is_timed') then job.scheduled_at end as scheduled_at,
    json_extract(value, '$.is_scheduled') as is_scheduled,
    job.created_at + json_extract(value, '$.seconds') as expires_at
  from json_each(:unique_keys) given
  cross join queuekit_jobs job on job.uuid = json_extract(value, '$.uuid') and job.attempt = 1
) given
where queuekit_unique_keys.unique_key = given.unique_key;

-- name: unique_keys.page
-- The next keys above `after_key`, the jobs that have them, and whether nobody will ask for them: the
-- window is over and the job has ended. One that failed may be retried.
select held.unique_key, held.uuid,
  coalesce(held.expires_at <= round((julianday('now') - 2440587.5) * 86400.0, 3), true)
    and not exists (
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
delete from queuekit_unique_keys
where (unique_key, uuid) in (
  select json_extract(value, '$.key'), json_extract(value, '$.uuid') from json_each(:unique_keys)
);
