-- What version 0001 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
-- Differs: without data-changing CTEs the new rows are found again as the last ones: this transaction
-- is the only writer. The clock is julianday's, because the SQLite of a caller's connection may be
-- older than unixepoch(..., 'subsec') (3.42, 2023). Each statement has a later clock than the one
-- before it, so what is due was settled by the first: scheduled_at <= created_at.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
select json_extract(value, '$.uuid'), json_extract(value, '$.queue_name'),
  json_extract(value, '$.class_name'), json_extract(value, '$.arguments'),
  json_extract(value, '$.priority'),
  coalesce(
    json_extract(value, '$.at'),
    round((julianday('now') - 2440587.5) * 86400.0, 3) + coalesce(json_extract(value, '$.wait'), 0)
  ),
  round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:jobs)
order by key;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs)
  and scheduled_at <= created_at;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select id, queue_name, priority, scheduled_at
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs)
  and scheduled_at > created_at;

select uuid, id, scheduled_at
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs);

-- name: jobs.enqueue_one
-- Write one job, as jobs.enqueue does: without a list to take apart, for a sixth less time.
-- Differs: as jobs.enqueue does, but the row is found again by the id that the connection remembers:
-- ready and scheduled rows have the same one.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
values (:uuid, :queue_name, :class_name, :arguments, :priority,
  coalesce(:at, round((julianday('now') - 2440587.5) * 86400.0, 3) + coalesce(:wait, 0)),
  round((julianday('now') - 2440587.5) * 86400.0, 3));

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from queuekit_jobs
where id = last_insert_rowid() and scheduled_at <= created_at;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select id, queue_name, priority, scheduled_at
from queuekit_jobs
where id = last_insert_rowid() and scheduled_at > created_at;

select uuid, id, scheduled_at from queuekit_jobs where id = last_insert_rowid();

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'.
-- Differs: without data-changing CTEs each statement finds the failed rows by itself.
select job.uuid
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at)
select job.uuid, job.attempt + 1, job.queue_name, job.class_name, job.arguments, job.priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select fresh.id, fresh.queue_name, fresh.priority, fresh.created_at
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt = job.attempt + 1
order by fresh.id;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select failed.job_id, 'retried', failed.error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
where :preserve_finished;

delete from queuekit_jobs
where not :preserve_finished
  and id in (
    select failed.job_id
    from json_each(:job_ids) given
    cross join queuekit_failed_executions failed on failed.job_id = given.value
  );

delete from queuekit_failed_executions
where job_id in (select value from json_each(:job_ids));

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds: its claims fail. Returns the ids
-- of the jobs failed. Its row goes first, as in processes.deregister; read the other way round, the
-- claims of a turn under way would be left behind.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :silent_for;

select job.uuid
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_failed_executions (job_id, error, failed_at)
select job_id, :error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

delete from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without data-changing CTEs, what was claimed is what stands in claimed and still in ready:
-- within this transaction only. It is the only writer, so nothing needs a row lock. The joins are
-- cross joins to keep their order: few results and claims first, big tables by primary key.
select 'process', id, null, null, null, null, null, null
from queuekit_processes
where id = :process_id;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select claimed.job_id, json_extract(result.value, '$.outcome'),
  json_extract(result.value, '$.error'), round((julianday('now') - 2440587.5) * 86400.0, 3)
from json_each(:results) result
cross join queuekit_claimed_executions claimed
  on claimed.job_id = json_extract(result.value, '$.job_id')
where claimed.process_id = :process_id
  and exists (select 1 from queuekit_processes where id = :process_id)
  and json_extract(result.value, '$.outcome') <> 'failed'
  and :preserve_finished;

delete from queuekit_jobs
where not :preserve_finished
  and id in (
    select claimed.job_id
    from json_each(:results) result
    cross join queuekit_claimed_executions claimed
      on claimed.job_id = json_extract(result.value, '$.job_id')
    where claimed.process_id = :process_id
      and exists (select 1 from queuekit_processes where id = :process_id)
      and json_extract(result.value, '$.outcome') <> 'failed'
  );

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
returning 'settled', job_id, null, null, null, null, null, null;

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses)
order by priority, job_id
limit :limit;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority
from queuekit_claimed_executions claimed
cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete from queuekit_ready_executions
where job_id in (
  select job_id from queuekit_claimed_executions where process_id = :process_id
);

select 'paused', null, null, null, queue_name, null, null, null
from queuekit_pauses;
