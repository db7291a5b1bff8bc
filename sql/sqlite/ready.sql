-- name: ready.peek
-- Is there anything to claim at all? Idle workers ask this in place of a whole turn.
select 1
from queuekit_ready_executions
limit 1;
