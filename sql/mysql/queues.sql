-- name: queues.waiting
-- The names of the queues that have ready jobs, from one index probe per queue. The last row says how
-- many seconds it took.
-- Differs: the probes are the server's (EXPLAIN: Using index for group-by). A probe from a recursive
-- query, for what is greater than the last name, begins at the start of the index each time: among
-- 100,000 jobs in 50 queues it read 2,550,000 entries, where this reads 50. By statistics from when
-- there was next to nothing, until they are made anew, it reads each entry once.
select queue_name, null
from (
  select queue_name
  from queuekit_ready_executions force index (queuekit_ready_executions_by_queue)
  group by queue_name
) waiting
union all
select null, timestampdiff(microsecond, now(6), sysdate(6)) / 1e6;

-- name: queues.sizes
-- The queues that have ready jobs or are paused: name, ready jobs, seconds the oldest has waited,
-- paused since.
-- Differs: there is no full join, so the paused queues without ready jobs are added.
select ready.queue_name, ready.size, ready.waited, pause.created_at
from (
  select queue_name, count(*) as size,
    timestampdiff(microsecond, min(created_at), utc_timestamp(6)) / 1e6 as waited
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
-- Differs: without RETURNING, the number of rows that the insert changed is asked for.
insert into queuekit_pauses (queue_name, created_at)
values (:queue_name, utc_timestamp(6))
on duplicate key update created_at = queuekit_pauses.created_at;
select :queue_name from (select row_count() as changed) pause where changed = 1;

-- name: queues.resume
-- Let workers claim from this queue again. Returns a row when it was paused.
-- Differs: as queues.pause does.
delete from queuekit_pauses where queue_name = :queue_name;
select :queue_name from (select row_count() as changed) pause where changed = 1;

-- name: queues.clear
-- Discard ready jobs of a queue, at most `limit`. Returns the ids discarded.
-- Differs: the ids travel in a user variable, as in scheduled.dispatch.
set @queuekit_cleared = (
  select json_arrayagg(picked.job_id)
  from (
    select ready.job_id
    from queuekit_ready_executions ready force index (queuekit_ready_executions_by_queue)
    where ready.queue_name = :queue_name
    order by ready.priority, ready.job_id
    limit :limit
    for update skip locked
  ) picked
);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select picked.job_id, 'discarded', null, utc_timestamp(6)
from json_table(coalesce(@queuekit_cleared, '[]'), '$[*]' columns (job_id bigint path '$')) picked
where :preserve_finished;

delete job
from json_table(coalesce(@queuekit_cleared, '[]'), '$[*]' columns (job_id bigint path '$')) picked
straight_join queuekit_jobs job on job.id = picked.job_id
where not :preserve_finished;

delete ready
from json_table(coalesce(@queuekit_cleared, '[]'), '$[*]' columns (job_id bigint path '$')) picked
straight_join queuekit_ready_executions ready on ready.job_id = picked.job_id;

select picked.job_id
from json_table(coalesce(@queuekit_cleared, '[]'), '$[*]' columns (job_id bigint path '$')) picked;
