-- name: queues.waiting
-- The names of the queues that have ready jobs, from one index probe per queue: a DISTINCT would
-- read every row. The last row says how many seconds it took.
-- Differs: as ready.front does.
with recursive waiting (queue_name) as (
  select min(queue_name) from queuekit_ready_executions
  union all
  select (
    select min(ready.queue_name)
    from queuekit_ready_executions ready
    where ready.queue_name > waiting.queue_name
  )
  from waiting
  where waiting.queue_name is not null
)
select queue_name, null from waiting where queue_name is not null
union all
select null, 0.0;

-- name: queues.sizes
-- The queues that have ready jobs or are paused: name, ready jobs, seconds the oldest has waited,
-- paused since.
-- Differs: there is no full join before SQLite 3.39, so the paused queues without ready jobs are added.
select ready.queue_name, ready.size, ready.waited, pause.created_at
from (
  select queue_name, count(*) as size,
    round((julianday('now') - 2440587.5) * 86400.0, 3) - min(created_at) as waited
  from queuekit_ready_executions
  group by queue_name
) ready
left join queuekit_pauses pause on pause.queue_name = ready.queue_name
union all
select pause.queue_name, 0, null, pause.created_at
from queuekit_pauses pause
where not exists (
  select 1 from queuekit_ready_executions ready where ready.queue_name = pause.queue_name
)
order by 1;

-- name: queues.blocked
-- How many jobs of each queue are blocked.
select queue_name, count(*)
from queuekit_blocked_executions
group by queue_name
order by queue_name;

-- name: queues.pause
-- Let no worker claim from this queue. Returns a row when it was not paused before.
insert into queuekit_pauses (queue_name, created_at)
values (:queue_name, round((julianday('now') - 2440587.5) * 86400.0, 3))
on conflict (queue_name) do nothing
returning queue_name;

-- name: queues.resume
-- Let workers claim from this queue again. Returns a row when it was paused.
delete from queuekit_pauses where queue_name = :queue_name returning queue_name;

-- name: queues.clear
-- Discard ready jobs of a queue, at most `limit`. Returns the ids discarded.
-- Differs: what was discarded is what stands in finished and still in ready, or in ready without a
-- job, in this transaction only.
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select job_id, 'discarded', null, round((julianday('now') - 2440587.5) * 86400.0, 3)
from queuekit_ready_executions
where queue_name = :queue_name and :preserve_finished
order by priority, job_id
limit :limit;

delete from queuekit_jobs
where not :preserve_finished
  and id in (
    select job_id
    from queuekit_ready_executions
    where queue_name = :queue_name
    order by priority, job_id
    limit :limit
  );

delete from queuekit_ready_executions
where job_id in (
  select job_id
  from queuekit_ready_executions
  where queue_name = :queue_name
  order by priority, job_id
  limit :limit
)
returning job_id;
