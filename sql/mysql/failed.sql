-- name: failed.list
-- Failed jobs, the newest failure first.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.created_at, failed.error, failed.failed_at
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where (:queue_name is null or job.queue_name = :queue_name)
  and (:class_name is null or job.class_name = :class_name)
order by failed.failed_at desc, failed.job_id desc
limit :limit;

-- name: failed.show
-- One failed job by its id, which all attempts share: only one of them can stand as failed.
select job.id, job.uuid, job.attempt, job.queue_name, job.class_name, job.arguments,
  job.priority, job.created_at, failed.error, failed.failed_at
from queuekit_jobs job
join queuekit_failed_executions failed on failed.job_id = job.id
where job.uuid = :uuid;

-- name: failed.newest
-- The highest row id among the failed jobs: where work on all of them ends.
select max(job_id) from queuekit_failed_executions;

-- name: failed.batch
-- Row ids of failed jobs above one row id and up to another, in that order.
select job.id
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where failed.job_id > :after
  and failed.job_id <= :until
  and (:queue_name is null or job.queue_name = :queue_name)
  and (:class_name is null or job.class_name = :class_name)
order by failed.job_id
limit :limit;

-- name: failed.count
-- How many failed jobs there are.
select count(*)
from queuekit_failed_executions failed
join queuekit_jobs job on job.id = failed.job_id
where (:queue_name is null or job.queue_name = :queue_name)
  and (:class_name is null or job.class_name = :class_name);

-- name: failed.retry
-- Run failed jobs again: each as a new attempt, ready now, with the old one finished as 'retried'. It
-- is numbered, and found again, as in turn.retry. Returns the ids, and of those with a concurrency
-- limit, which have no place yet, the new row, the key and the number of slots.
-- Differs: without data-changing CTEs a no-op update locks the rows, so that of two people who retry
-- one job the second finds it gone, and the later statements find the rows again.
update (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
set failed.failed_at = failed.failed_at;

insert into queuekit_jobs
  (uuid, attempt, queue_name, class_name, arguments, priority, scheduled_at, created_at,
    max_process_deaths, context,
    concurrency_key, concurrency_limit, concurrency_duration, concurrency_on_conflict,
    throttle_key, throttle_to, throttle_per)
select job.uuid,
  (select max(every.attempt) from queuekit_jobs every where every.uuid = job.uuid)
    + row_number() over (partition by job.uuid order by job.id),
  job.queue_name, job.class_name, job.arguments, job.priority,
  utc_timestamp(6), utc_timestamp(6), job.max_process_deaths, job.context, job.concurrency_key,
  job.concurrency_limit, job.concurrency_duration, job.concurrency_on_conflict,
  job.throttle_key, job.throttle_to, job.throttle_per
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
order by job.id;

insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select distinct fresh.id, fresh.queue_name, fresh.priority, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where fresh.concurrency_key is null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select failed.job_id, 'retried', failed.error, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
where :preserve_finished;

select job.uuid, null, null, null
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
where job.concurrency_key is null;

select distinct fresh.uuid, fresh.id, fresh.concurrency_key, fresh.concurrency_limit
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
straight_join queuekit_jobs fresh on fresh.uuid = job.uuid and fresh.attempt > job.attempt
where fresh.concurrency_key is not null
  and not exists (select 1 from queuekit_ready_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_scheduled_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_claimed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_failed_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_finished_executions where job_id = fresh.id)
  and not exists (select 1 from queuekit_blocked_executions where job_id = fresh.id);

delete job
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
where not :preserve_finished;

delete failed
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id;

-- name: failed.discard
-- Give failed jobs up: finished as 'discarded', with their error kept.
-- Differs: as failed.retry does.
update (select job_id from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) g) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
set failed.failed_at = failed.failed_at;

insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select failed.job_id, 'discarded', failed.error, utc_timestamp(6)
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
where :preserve_finished;

select job.uuid
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id;

delete job
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id
straight_join queuekit_jobs job on job.id = failed.job_id
where not :preserve_finished;

delete failed
from json_table(:job_ids, '$[*]' columns (job_id bigint path '$')) given
straight_join queuekit_failed_executions failed on failed.job_id = given.job_id;
