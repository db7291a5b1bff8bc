-- name: queues.waiting
-- The names of the queues that have ready jobs, from one index probe per queue: a DISTINCT would
-- read every row. The last row says how many seconds it took.
with recursive waiting (queue_name) as (
  (select queue_name from queuekit_ready_executions order by queue_name limit 1)
  union all
  select (
    select ready.queue_name
    from queuekit_ready_executions ready
    where ready.queue_name > waiting.queue_name
    order by ready.queue_name
    limit 1
  )
  from waiting
  where waiting.queue_name is not null
)
select queue_name, null from waiting where queue_name is not null
union all
select null, extract(epoch from clock_timestamp() - statement_timestamp())::double precision;

-- name: queues.sizes
-- The queues that have ready jobs or are paused: name, ready jobs, seconds the oldest has waited,
-- paused since.
select coalesce(ready.queue_name, pause.queue_name), coalesce(ready.size, 0), ready.waited,
  pause.created_at
from (
  select queue_name, count(*) as size,
    extract(epoch from statement_timestamp() - min(created_at))::double precision as waited
  from queuekit_ready_executions
  group by queue_name
) ready
full join queuekit_pauses pause on pause.queue_name = ready.queue_name
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
values (:queue_name, statement_timestamp())
on conflict (queue_name) do nothing
returning queue_name;

-- name: queues.resume
-- Let workers claim from this queue again. Returns a row when it was paused.
delete from queuekit_pauses where queue_name = :queue_name returning queue_name;

-- name: queues.clear
-- Discard ready jobs of a queue, at most `limit`. Returns the ids discarded.
with picked as materialized (
  select ctid
  from queuekit_ready_executions
  where queue_name = :queue_name
  order by priority, job_id
  limit :limit::bigint
  for update skip locked
), gone as (
  delete from queuekit_ready_executions
  where ctid = any (array(select ctid from picked))
  returning job_id
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select job_id, 'discarded', null, statement_timestamp()
  from gone
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select job_id from gone)) and not :preserve_finished::boolean
)
select job_id from gone;
