-- A worker's turn: settle what has gathered and claim what the pool will use, in one transaction.
-- Both rest on the process's own row: without it (pruned) nothing is settled and nothing claimed.
-- Rows come back by kind: 'process' (the registration stands), 'settled', 'claimed', 'paused'.
-- A turn claims what comes after a position, a priority and a row id: processes/frontier.py says why.

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
-- Returns those that have no place yet, since they are due and have a concurrency limit, and its key.
-- Differs: without data-changing CTEs the new rows are found again: they are the later ones of their
-- jobs that have no execution yet. What is due was settled when they were written:
-- scheduled_at <= created_at.
insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  coalesce(json_extract(given.value, '$.queue_name'), job.queue_name), job.class_name,
  job.arguments, coalesce(json_extract(given.value, '$.priority'), job.priority),
  round((julianday('now') - 2440587.5) * 86400.0, 3) + json_extract(given.value, '$.wait'),
  round((julianday('now') - 2440587.5) * 86400.0, 3), job.process_deaths, job.max_process_deaths,
  json_extract(given.value, '$.executions'), json_extract(given.value, '$.exception_executions'),
  job.context, job.concurrency_key, job.concurrency_limit, job.concurrency_duration,
  job.concurrency_on_conflict,
  job.throttle_key, job.throttle_to, job.throttle_per
from json_each(:retries) given
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(given.value, '$.job_id')
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, fresh.created_at
from json_each(:retries) given
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(given.value, '$.job_id')
cross join queuekit_jobs job on job.id = claimed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at <= fresh.created_at
  and fresh.concurrency_key is null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id)
order by fresh.id;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, fresh.scheduled_at
from json_each(:retries) given
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(given.value, '$.job_id')
cross join queuekit_jobs job on job.id = claimed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at > fresh.created_at
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id)
order by fresh.id;

select distinct fresh.id, fresh.concurrency_key
from json_each(:retries) given
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(given.value, '$.job_id')
cross join queuekit_jobs job on job.id = claimed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and fresh.scheduled_at <= fresh.created_at
  and fresh.concurrency_key is not null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

-- name: turn.standing
-- Of these jobs, those that this process still has claimed. Nobody else writes until the
-- turn, in the same transaction, settles them.
select job_id
from queuekit_claimed_executions
where job_id in (select value from json_each(:job_ids))
  and process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id);

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without data-changing CTEs, what was claimed is what stands in claimed and still in ready:
-- within this transaction only. It is the only writer, so nothing needs a row lock. The joins are
-- cross joins to keep their order: few results and claims first, big tables by primary key.
select 'process', id
from queuekit_processes
where id = :process_id;

-- when: preserve_finished
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, json_extract(result.value, '$.outcome'),
  json_extract(result.value, '$.error'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:results) result
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(result.value, '$.job_id')
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and json_extract(result.value, '$.outcome') <> 'failed';

-- unless: preserve_finished
delete from queuekit_jobs
where id in (
    select claimed.job_id
    from json_each(:results) result
    cross join queuekit_claimed_executions claimed
      on claimed.job_id = json_extract(result.value, '$.job_id')
    where claimed.process_id = :process_id
      and exists (select 1 from queuekit_processes where id = :process_id)
      and json_extract(result.value, '$.outcome') <> 'failed'
  );

-- when: has_failed
insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, json_extract(result.value, '$.error'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:results) result
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(result.value, '$.job_id')
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and json_extract(result.value, '$.outcome') = 'failed';

delete from queuekit_claimed_executions
where job_id in (select json_extract(value, '$.job_id') from json_each(:results))
  and process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
returning 'settled', job_id;

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where (priority, job_id) > (:after_priority, :after_job_id)
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses)
order by priority, job_id
limit :limit;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from queuekit_claimed_executions claimed
cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

update queuekit_semaphore_slots
set process_id = :process_id,
  expires_at = round((julianday('now') - 2440587.5) * 86400.0, 3) + duration
where job_id in (
  select claimed.job_id
  from queuekit_claimed_executions claimed
  cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
  where claimed.process_id = :process_id
);

delete from queuekit_ready_executions
where job_id in (
  select job_id from queuekit_claimed_executions where process_id = :process_id
);

select 'paused', null, null, null, queue_name
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
-- Differs: as turn.any_queue does.
select 'process', id
from queuekit_processes
where id = :process_id;

-- when: preserve_finished
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, json_extract(result.value, '$.outcome'),
  json_extract(result.value, '$.error'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:results) result
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(result.value, '$.job_id')
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and json_extract(result.value, '$.outcome') <> 'failed';

-- unless: preserve_finished
delete from queuekit_jobs
where id in (
    select claimed.job_id
    from json_each(:results) result
    cross join queuekit_claimed_executions claimed
      on claimed.job_id = json_extract(result.value, '$.job_id')
    where claimed.process_id = :process_id
      and exists (select 1 from queuekit_processes where id = :process_id)
      and json_extract(result.value, '$.outcome') <> 'failed'
  );

-- when: has_failed
insert into queuekit_failed_executions (job_id, error, failed_at)
select claimed.job_id, json_extract(result.value, '$.error'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:results) result
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(result.value, '$.job_id')
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and json_extract(result.value, '$.outcome') = 'failed';

delete from queuekit_claimed_executions
where job_id in (select json_extract(value, '$.job_id') from json_each(:results))
  and process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
returning 'settled', job_id;

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where queue_name = :queue_name
  and (priority, job_id) > (:after_priority, :after_job_id)
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses where queue_name = :queue_name)
order by priority, job_id
limit :limit;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at, job.concurrency_key, job.throttle_key
from queuekit_claimed_executions claimed
cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

update queuekit_semaphore_slots
set process_id = :process_id,
  expires_at = round((julianday('now') - 2440587.5) * 86400.0, 3) + duration
where job_id in (
  select claimed.job_id
  from queuekit_claimed_executions claimed
  cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
  where claimed.process_id = :process_id
);

delete from queuekit_ready_executions
where job_id in (
  select job_id from queuekit_claimed_executions where process_id = :process_id
);

select 'paused', null, null, null, queue_name
from queuekit_pauses;
