-- name: failed.list
-- Failed jobs, the newest failure first.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.created_at, failed.error, failed.failed_at
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where (:queue_name::text is null or job.queue_name = :queue_name)
  and (:class_name::text is null or job.class_name = :class_name)
order by failed.failed_at desc, failed.job_id desc
limit :limit::bigint;

-- name: failed.show
-- One failed job by its id, which all attempts share: only one of them can stand as failed.
select job.id, job.uuid::text, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.created_at, failed.error, failed.failed_at
from queuekit_jobs job
join queuekit_failed_executions failed on failed.job_id = job.id
where job.uuid = :uuid::uuid;

-- name: failed.newest
-- The highest row id among the failed jobs: where work on all of them ends.
select max(job_id) from queuekit_failed_executions;

-- name: failed.batch
-- Row ids of failed jobs above one row id and up to another, in that order.
select job.id
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where failed.job_id > :after::bigint
  and failed.job_id <= :until::bigint
  and (:queue_name::text is null or job.queue_name = :queue_name)
  and (:class_name::text is null or job.class_name = :class_name)
order by failed.job_id
limit :limit::bigint;

-- name: failed.count
-- How many failed jobs there are.
select count(*)
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where (:queue_name::text is null or job.queue_name = :queue_name)
  and (:class_name::text is null or job.class_name = :class_name);

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'. It
-- is numbered as in turn.retry. Returns the ids, and of those with a concurrency limit, which have no
-- place yet, the new row, the key and the number of slots.
with old as (
  delete from queuekit_failed_executions failed
  using queuekit_jobs job
  where failed.job_id = job.id
    and failed.job_id = any (array(
      select value::bigint from json_array_elements_text(:job_ids::json)
    ))
    and job.id = any (array(
      select value::bigint from json_array_elements_text(:job_ids::json)
    ))
  returning job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
    job.priority, job.max_process_deaths, job.context, job.concurrency_key,
    job.concurrency_limit, job.concurrency_duration, job.concurrency_on_conflict,
    job.throttle_key, job.throttle_to, job.throttle_per, failed.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'retried', error, statement_timestamp()
  from old
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select id from old)) and not :preserve_finished::boolean
), job as (
  insert into queuekit_jobs
    (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
      max_process_deaths, context,
      concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
      throttle_key, throttle_to, throttle_per)
  select uuid,
    (select max(every.attempt) from queuekit_jobs every where every.uuid = old.uuid)
      + row_number() over (partition by uuid order by id),
    queue_name, class_name, arguments, priority, statement_timestamp(), statement_timestamp(),
    max_process_deaths, context, concurrency_key, concurrency_limit, concurrency_duration,
    concurrency_on_conflict, throttle_key, throttle_to, throttle_per
  from old
  order by id
  returning id, uuid, queue_name, priority, concurrency_key, concurrency_limit
), ready as (
  insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
  select id, queue_name, priority, statement_timestamp()
  from job
  where concurrency_key is null
)
select uuid::text, case when concurrency_key is not null then id end, concurrency_key,
  concurrency_limit
from job;

-- name: failed.discard
-- Give failed jobs up: finished as 'discarded', with their error kept.
with old as (
  delete from queuekit_failed_executions failed
  using queuekit_jobs job
  where failed.job_id = job.id
    and failed.job_id = any (array(
      select value::bigint from json_array_elements_text(:job_ids::json)
    ))
    and job.id = any (array(
      select value::bigint from json_array_elements_text(:job_ids::json)
    ))
  returning job.id, job.uuid, failed.error
), finished as (
  insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
  select id, 'discarded', error, statement_timestamp()
  from old
  where :preserve_finished::boolean
), forgotten as (
  delete from queuekit_jobs
  where id = any (array(select id from old)) and not :preserve_finished::boolean
)
select uuid::text from old;
