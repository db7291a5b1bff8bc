-- When autovacuum comes. By default it waits until a fifth of a table is dead: of a history of five
-- million jobs, a million. The tables of what waits and runs have their own settings since they were
-- made.
alter table queuekit_jobs
  set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000,
       autovacuum_analyze_scale_factor = 0.05);
alter table queuekit_finished_executions
  set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000,
       autovacuum_analyze_scale_factor = 0.05);
alter table queuekit_failed_executions
  set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- These are written again and again while a job runs.
alter table queuekit_steps
  set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
       autovacuum_vacuum_cost_delay = 0);
alter table queuekit_progress
  set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
       autovacuum_vacuum_cost_delay = 0, fillfactor = 50);
alter table queuekit_recurring_executions
  set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
