-- What version 0003 of the schema was written to with: the statements of the workers and web
-- processes that still run while a deploy migrates it to a later one. Never edited.

-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not.
-- Differs: without data-changing CTEs the new rows are found again as the last ones: this transaction
-- is the only writer. Each statement has a later clock than the one before it, so what is due was
-- settled by the first: scheduled_at <= created_at. (Here and everywhere the clock is julianday's:
-- unixepoch counts whole seconds before SQLite 3.42, and Python's own is often older.)
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, executions, exception_executions, context)
select json_extract(value, '$.uuid'), json_extract(value, '$.queue_name'),
  json_extract(value, '$.class_name'), json_extract(value, '$.arguments'),
  json_extract(value, '$.priority'),
  coalesce(
    json_extract(value, '$.at'),
    round((julianday('now') - 2440587.5) * 86400.0, 3) + coalesce(json_extract(value, '$.wait'), 0)
  ),
  round((julianday('now') - 2440587.5) * 86400.0, 3), json_extract(value, '$.max_process_deaths'),
  coalesce(json_extract(value, '$.executions'), 0), json_extract(value, '$.exception_executions'),
  json_extract(value, '$.context')
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
-- Write one job that is due at once: most are, and this is cheaper than a list of one.
-- Differs: as jobs.enqueue does, but the id is the one that the connection remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
values (:uuid, :queue_name, :class_name, :arguments, :priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3),
  round((julianday('now') - 2440587.5) * 86400.0, 3), :max_process_deaths, :context);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
values (last_insert_rowid(), :queue_name, :priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3))
returning :uuid, job_id, null;

-- name: turn.retry
-- The first half of settling what runs again: a new row of the same job for each, with the counters
-- given, ready at once or scheduled. The turn, in the same transaction, then ends the old rows. Its
-- attempt comes after all that there are: after a restore of some tables there may be a later one.
-- Differs: without data-changing CTEs the new rows are found again: they are the later ones of their
-- jobs that have no execution yet. What is due was settled when they were written:
-- scheduled_at <= created_at.
insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  coalesce(json_extract(given.value, '$.queue_name'), job.queue_name), job.class_name,
  job.arguments, coalesce(json_extract(given.value, '$.priority'), job.priority),
  round((julianday('now') - 2440587.5) * 86400.0, 3) + json_extract(given.value, '$.wait'),
  round((julianday('now') - 2440587.5) * 86400.0, 3), job.process_deaths, job.max_process_deaths,
  json_extract(given.value, '$.executions'), json_extract(given.value, '$.exception_executions'),
  job.context
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
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
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
order by fresh.id;

-- name: turn.any_queue
-- The turn of a worker of all queues. Claims nothing while any queue is paused: the rows of kind
-- 'paused' tell the worker to name its queues one by one.
-- Differs: without data-changing CTEs, what was claimed is what stands in claimed and still in ready:
-- within this transaction only. It is the only writer, so nothing needs a row lock. The joins are
-- cross joins to keep their order: few results and claims first, big tables by primary key.
select 'process', id, null, null, null, null, null, null, null, null, null, null, null
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
returning 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null;

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses)
order by priority, job_id
limit :limit;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from queuekit_claimed_executions claimed
cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete from queuekit_ready_executions
where job_id in (
  select job_id from queuekit_claimed_executions where process_id = :process_id
);

select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: turn.one_queue
-- The turn that claims from one queue, unless that queue is paused.
-- Differs: as turn.any_queue does.
select 'process', id, null, null, null, null, null, null, null, null, null, null, null
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
returning 'settled', job_id, null, null, null, null, null, null, null, null, null, null, null;

insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
select job_id, :process_id, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where queue_name = :queue_name
  and exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_pauses where queue_name = :queue_name)
order by priority, job_id
limit :limit;

select 'claimed', job.id, job.uuid, job.attempt, job.queue_name, job.class_name,
  job.arguments, job.priority, job.executions, job.exception_executions, job.context,
  job.scheduled_at, job.created_at
from queuekit_claimed_executions claimed
cross join queuekit_ready_executions ready on ready.job_id = claimed.job_id
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id;

delete from queuekit_ready_executions
where job_id in (
  select job_id from queuekit_claimed_executions where process_id = :process_id
);

select 'paused', null, null, null, queue_name, null, null, null, null, null, null, null, null
from queuekit_pauses;

-- name: claimed.held
-- The jobs that a process has claimed, to compare with its memory after a lost commit.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
order by job.priority, job.id;

-- name: scheduled.dispatch
-- Move due jobs to ready, at most `limit`, the longest due first. Returns the ids moved.
-- Differs: what was moved is what stands in ready and still in scheduled, in this transaction only.
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job_id, queue_name, priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_scheduled_executions
where scheduled_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
order by scheduled_at, priority, job_id
limit :limit
on conflict (job_id) do nothing;

delete from queuekit_scheduled_executions
where scheduled_at <= round((julianday('now') - 2440587.5) * 86400.0, 3)
  and exists (
    select 1
    from queuekit_ready_executions ready
    where ready.job_id = queuekit_scheduled_executions.job_id
  )
returning job_id;

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'. It
-- is numbered, and found again, as in turn.retry.
-- Differs: without data-changing CTEs each statement finds the failed rows by itself.
select job.uuid
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3), round((julianday('now') - 2440587.5) * 86400.0, 3), job.max_process_deaths,
  job.context
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, fresh.created_at
from json_each(:job_ids) given
cross join queuekit_failed_executions failed on failed.job_id = given.value
cross join queuekit_jobs job on job.id = failed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
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

-- name: processes.deregister
-- The process leaves: what it still claims goes back to ready. Returns the ids released. Its row goes
-- first: that waits for a turn under way, whose claims the later statements then see.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes where id = :process_id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
on conflict (job_id) do nothing;

delete from queuekit_claimed_executions where process_id = :process_id returning job_id;

-- name: processes.bury
-- A process is dead, or silent for longer than `silent_for` seconds. Its row goes first, as in
-- processes.deregister; read the other way round, the claims of a turn under way would be left
-- behind. Then each claim goes where its job's share in this death sends it:
--   not among `begun` (null: nobody knows, all count as begun)    back to ready, uncharged
--   begun, and deaths are left (`may_retry`, max_process_deaths)  retried: a new attempt, ready
--   begun, and none are left                                      failed, with `error`
-- Returns each job's id and what became of it, and a row 'buried' when the process's own was there.
-- Differs: without data-changing CTEs the claims are found again in each statement.
delete from queuekit_processes
where id = :process_id
  and last_heartbeat_at <= round((julianday('now') - 2440587.5) * 86400.0, 3) - :silent_for
returning null, 'buried';

select job.uuid,
  case
    when not (:begun is null or job.id in (select value from json_each(:begun)))
      then 'released'
    when (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
      then 'retried'
    else 'failed'
  end
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select job.id, job.queue_name, job.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and not (:begun is null or job.id in (select value from json_each(:begun)))
on conflict (job_id) do nothing;

insert into queuekit_failed_executions (job_id, error, failed_at)
select job.id, :error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (select value from json_each(:begun)))
  and not (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
on conflict (job_id) do nothing;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    process_deaths, max_process_deaths, executions, exception_executions, context)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3), round((julianday('now') - 2440587.5) * 86400.0, 3), job.process_deaths + 1,
  job.max_process_deaths, job.executions + 1, job.exception_executions, job.context
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (select value from json_each(:begun)))
  and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
cross join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job.id, 'retried', :error, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_claimed_executions claimed
cross join queuekit_jobs job on job.id = claimed.job_id
where claimed.process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id)
  and (:begun is null or job.id in (select value from json_each(:begun)))
  and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
  and :preserve_finished
on conflict (job_id) do nothing;

delete from queuekit_jobs
where not :preserve_finished
  and id in (
    select job.id
    from queuekit_claimed_executions claimed
    cross join queuekit_jobs job on job.id = claimed.job_id
    where claimed.process_id = :process_id
      and not exists (select 1 from queuekit_processes where id = :process_id)
      and (:begun is null or job.id in (select value from json_each(:begun)))
      and (:may_retry and job.process_deaths + 1 < coalesce(job.max_process_deaths, :max_process_deaths))
  );

delete from queuekit_claimed_executions
where process_id = :process_id
  and not exists (select 1 from queuekit_processes where id = :process_id);
