-- What process deaths a job survives: how many it has seen, and how many it may. Null: what the
-- configuration of whoever buries the process says.
alter table queuekit_jobs add column process_deaths integer not null default 0;
alter table queuekit_jobs add column max_process_deaths integer;
