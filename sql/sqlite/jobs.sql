-- name: jobs.enqueue
-- Write jobs, and put each where its time says: ready when due, scheduled when not. One with a
-- concurrency limit that is due has no place yet: `semaphores.place` gives it one. With
-- `places_later` it is scheduled, due now, and the dispatcher sees to it. Returns for each whether it
-- has no place, too. `wakes` is for servers that tell those who listen.
-- Differs: without data-changing CTEs the new rows are found again as the last ones: this transaction
-- is the only writer. Each statement has a later clock than the one before it, so what is due was
-- settled by the first: scheduled_at <= created_at. (Here and everywhere the clock is julianday's:
-- unixepoch counts whole seconds before SQLite 3.42, and Python's own is often older.)
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, executions, exception_executions, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select json_extract(value, '$.uuid'), json_extract(value, '$.queue_name'),
  json_extract(value, '$.class_name'), json_extract(value, '$.arguments'),
  json_extract(value, '$.priority'),
  coalesce(
    json_extract(value, '$.at'),
    round((julianday('now') - 2440587.5) * 86400.0, 3) + coalesce(json_extract(value, '$.wait'), 0)
  ),
  round((julianday('now') - 2440587.5) * 86400.0, 3), json_extract(value, '$.max_process_deaths'),
  coalesce(json_extract(value, '$.executions'), 0), json_extract(value, '$.exception_executions'),
  json_extract(value, '$.context'),
  json_extract(value, '$.concurrency_key'), json_extract(value, '$.concurrency_limit'),
  json_extract(value, '$.concurrency_duration'), json_extract(value, '$.concurrency_on_conflict'),
  json_extract(value, '$.throttle_key'), json_extract(value, '$.throttle_to'),
  json_extract(value, '$.throttle_per')
from json_each(:jobs)
order by key;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs)
  and scheduled_at <= created_at
  and concurrency_key is null;

insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at)
select id, queue_name, priority, scheduled_at
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs)
  and (scheduled_at > created_at or concurrency_key is not null and :places_later);

select uuid, id, scheduled_at,
  concurrency_key is not null and scheduled_at <= created_at and not :places_later,
  :wakes
from queuekit_jobs
where id > (select max(id) from queuekit_jobs) - json_array_length(:jobs);

-- name: jobs.enqueue_alike
-- Write jobs that differ in nothing but their ids and arguments, all due at once: the entries are an
-- object of the arguments by id. Returns a list of the new rows' ids, which ascend as the entries do.
-- Differs: as jobs.enqueue does, but what was written last is what the connection remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
select key, :queue_name, :class_name, value, :priority,
  (select round((julianday('now') - 2440587.5) * 86400.0, 3)),
  (select round((julianday('now') - 2440587.5) * 86400.0, 3)), :max_process_deaths, :context
from json_each(:entries);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, :queue_name, :priority, created_at
from queuekit_jobs
where id > last_insert_rowid() - changes()
order by id;

select json_group_array(job_id), :wakes
from queuekit_ready_executions
where job_id > last_insert_rowid() - changes();

-- name: jobs.enqueue_one
-- Write one job that is due at once: most are, and this is cheaper than a list of one. The last statement
-- only asks for the new row's id.
-- Differs: as jobs.enqueue does, but the id is the one that the connection remembers.
insert into queuekit_jobs
  (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context)
values (:uuid, :queue_name, :class_name, :arguments, :priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3),
  round((julianday('now') - 2440587.5) * 86400.0, 3), :max_process_deaths, :context);

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
values (last_insert_rowid(), :queue_name, :priority,
  round((julianday('now') - 2440587.5) * 86400.0, 3));

select last_insert_rowid(), :wakes;

-- name: jobs.receipts
-- What enqueueing these would have returned: asked when the answer to a commit was lost.
select job.uuid, job.id, job.scheduled_at,
  case
    when blocked.job_id is not null then 'blocked'
    when finished.outcome = 'discarded' then 'discarded'
    else 'enqueued'
  end
from queuekit_jobs job
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
where job.attempt = 1 and job.uuid in (select value from json_each(:uuids));

-- name: jobs.waiting
-- Every job that waits for its time, a worker or a slot, in the order in which they were enqueued.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.executions, job.exception_executions, job.context, job.scheduled_at,
  job.created_at, job.concurrency_key, job.throttle_key, waiting.state
from (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
) waiting
join queuekit_jobs job on job.id = waiting.job_id
order by job.id;

-- name: jobs.history
-- Every attempt of one job, where it is or how it ended, and who has it claimed. What is scheduled comes
-- with the time that it waits for: a throttle may have given it another.
select job.id, job.uuid, job.attempt,
  case
    when finished.job_id is not null then 'finished'
    when failed.job_id is not null then 'failed'
    when claimed.job_id is not null then 'claimed'
    when ready.job_id is not null then 'ready'
    when blocked.job_id is not null then 'blocked'
    else 'scheduled'
  end,
  finished.outcome, job.queue_name, job.class_name, job.arguments, job.priority, job.executions,
  job.created_at, coalesce(scheduled.scheduled_at, job.scheduled_at), claimed.claimed_at,
  coalesce(finished.finished_at, failed.failed_at), coalesce(finished.error, failed.error),
  claimed.process_id, process.pid, process.hostname, job.concurrency_key
from queuekit_jobs job
left join queuekit_scheduled_executions scheduled on scheduled.job_id = job.id
left join queuekit_ready_executions ready on ready.job_id = job.id
left join queuekit_blocked_executions blocked on blocked.job_id = job.id
left join queuekit_claimed_executions claimed on claimed.job_id = job.id
left join queuekit_failed_executions failed on failed.job_id = job.id
left join queuekit_finished_executions finished on finished.job_id = job.id
left join queuekit_processes process on process.id = claimed.process_id
where job.uuid = :uuid
order by job.attempt;

-- name: jobs.discard
-- Discard a job that is scheduled or ready. Returns its row when it was.
-- Differs: without data-changing CTEs it is one step after the other.
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job_id, 'discarded', null, round((julianday('now') - 2440587.5) * 86400.0, 3)
from (
  select job_id from queuekit_scheduled_executions where job_id = :job_id
  union
  select job_id from queuekit_ready_executions where job_id = :job_id
)
where :preserve_finished;

select job_id from queuekit_scheduled_executions where job_id = :job_id
union
select job_id from queuekit_ready_executions where job_id = :job_id;

delete from queuekit_jobs
where id = :job_id
  and not :preserve_finished
  and (
    id in (select job_id from queuekit_scheduled_executions where job_id = :job_id)
    or id in (select job_id from queuekit_ready_executions where job_id = :job_id)
  );

delete from queuekit_scheduled_executions where job_id = :job_id;

delete from queuekit_ready_executions where job_id = :job_id;

-- name: jobs.ids
-- The ids of jobs by their rows.
select job.id, job.uuid
from json_each(:job_ids) given
cross join queuekit_jobs job on job.id = given.value
order by job.id;

-- name: jobs.counts
-- How many jobs are in each state, by queue where the state's table knows it.
select 'scheduled', queue_name, count(*) from queuekit_scheduled_executions group by queue_name
union all
select 'ready', queue_name, count(*) from queuekit_ready_executions group by queue_name
union all
select 'blocked', queue_name, count(*) from queuekit_blocked_executions group by queue_name
union all
select 'claimed', null, count(*) from queuekit_claimed_executions
union all
select 'failed', null, count(*) from queuekit_failed_executions
union all
select 'finished', null, count(*) from queuekit_finished_executions;

-- name: jobs.misplaced
-- The invariant: every job has exactly one execution, every execution a job. Lists what breaks it.
-- Differs: there is no full join before SQLite 3.39, so jobs and executions without a job are read one
-- after the other; group_concat takes no order before 3.44, so the states come sorted from below.
with execution as (
  select job_id, 'scheduled' as state from queuekit_scheduled_executions
  union all
  select job_id, 'ready' from queuekit_ready_executions
  union all
  select job_id, 'blocked' from queuekit_blocked_executions
  union all
  select job_id, 'claimed' from queuekit_claimed_executions
  union all
  select job_id, 'failed' from queuekit_failed_executions
  union all
  select job_id, 'finished' from queuekit_finished_executions
  order by 2
)
select job.id as job_id, 'job' as found, coalesce(group_concat(execution.state, ', '), '') as states
from queuekit_jobs job
left join execution on execution.job_id = job.id
group by job.id
having count(execution.job_id) <> 1
union all
select execution.job_id, 'no job', group_concat(execution.state, ', ')
from execution
left join queuekit_jobs job on job.id = execution.job_id
where job.id is null
group by execution.job_id
order by job_id
limit :limit;
