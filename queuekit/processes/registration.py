"""The processes' rows: who is alive, and what happens to the claims of one that is not.

Only a registered process may claim, and only the one that still stands ends a job. Whoever takes a
process's row away takes its claims in the same transaction: back to ready when it leaves by itself,
to failed when it died.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queuekit.config import Configuration
from queuekit.database import Connection, Database, Row
from queuekit.database.hints import READY
from queuekit.executions import semaphores
from queuekit.executions.errors import describe_error


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A registered process, as another one sees it."""

    id: int
    kind: str
    pid: int
    hostname: str
    supervisor_id: int | None = None


class Registration:
    """This process's own row."""

    def __init__(
        self,
        database: Database,
        kind: str,
        metadata: Mapping[str, Any],
        supervisor_id: int | None = None,
    ) -> None:
        self._database = database
        self.kind = kind
        self.metadata = metadata
        rows = database.query(
            "processes.register",
            kind=kind,
            pid=os.getpid(),
            hostname=socket.gethostname(),
            supervisor_id=supervisor_id,
            metadata=json.dumps(metadata),
        )
        self.id: int = rows[0][0]

    def beat(self) -> bool:
        """Say that this process is alive. False when it was pruned: then it must leave."""
        return bool(self._database.query("processes.heartbeat", process_id=self.id))

    def leave(self) -> int:
        """Give up the row. What is still claimed goes back to ready; returns how many."""
        return release(self._database, self.id)


def release(database: Database, process_id: int) -> int:
    """Take a process's row away and put what it claimed back to ready. Returns how many."""

    def work(connection: Connection) -> int:
        query = database.named("processes.deregister")
        rows = connection.run(query, {"process_id": process_id})
        if rows:
            database.wake(READY)
        limited = {row_id: key for row_id, key in rows if key is not None}
        _hand_over_slots(database, connection, process_id, {}, limited, {})
        return len(rows)

    return database.transact(work)


def _hand_over_slots(
    database: Database,
    connection: Connection,
    process_id: int,
    retried: Mapping[int, str],
    released: Mapping[int, str],
    freed: Mapping[int, str],
) -> None:
    """What is released keeps its slot, where that still counts. What has ended frees it, and so do
    the jobs that completed themselves and of which this process has heard no more."""
    placed = {**retried, **released}
    held = semaphores.of_process(database, connection, process_id)
    ended = {**held, **freed}
    keys = dict.fromkeys([*ended.values(), *placed.values()])
    if keys:
        ended = {row_id: key for row_id, key in ended.items() if row_id not in placed}
        semaphores.hand_over(
            database, connection, keys, freed=ended, placed=placed, accepted=released
        )


@dataclass(frozen=True, slots=True)
class Burial:
    """What became of a dead process's claims: the ids of the jobs, by outcome.

    `happened` is false when there was nothing to take away: others were first, or it lives.
    """

    failed: tuple[str, ...] = ()
    retried: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    happened: bool = True


def bury(
    database: Database,
    configuration: Configuration,
    process_id: int,
    error: Exception,
    *,
    silent_for: float = 0.0,
    begun: Sequence[int] | None = None,
    may_retry: bool = True,
) -> Burial:
    """Take a dead process's row away, and its claims with it, in one transaction.

    Claims that had not begun go back to ready; `begun` has the row ids of those that had, None when
    nobody knows. Those fail with `error`, or are retried where the job, or else the configuration,
    says so and its deaths allow it; never with `may_retry` off.

    Nothing happens when it has sent a heartbeat within the last `silent_for` seconds.
    """
    retries = configuration.on_process_death == "retry"
    parameters = {
        "process_id": process_id,
        "silent_for": silent_for,
        "error": describe_error(error),
        "begun": None if begun is None else json.dumps(list(begun)),
        "may_retry": may_retry,
        "max_process_deaths": configuration.max_process_deaths if retries else 1,
        "preserve_finished": configuration.preserve_finished_jobs,
    }

    def work(connection: Connection) -> list[Row]:
        rows = connection.run(database.named("processes.bury"), parameters)
        retried: dict[int, str] = {}
        released: dict[int, str] = {}
        freed: dict[int, str] = {}
        for _, outcome, key, row_id, next_row_id in rows:
            if next_row_id is not None:
                retried[next_row_id] = key
            elif key is not None:
                (released if outcome == "released" else freed)[row_id] = key
        if rows:
            database.wake(READY)
            _hand_over_slots(database, connection, process_id, retried, released, freed)
        return rows

    rows = database.transact(work)
    by_outcome: dict[str, list[str]] = {}
    for job_id, outcome, *_ in rows:
        if job_id is not None:
            by_outcome.setdefault(outcome, []).append(job_id)
    outcomes = {outcome: tuple(job_ids) for outcome, job_ids in by_outcome.items()}
    return Burial(**outcomes, happened=bool(rows))


def silent(database: Database, seconds: float) -> list[ProcessRow]:
    """The processes that have sent no heartbeat for so long."""
    return [ProcessRow(*row) for row in database.query("processes.silent", silent_for=seconds)]


def child(database: Database, supervisor_id: int, pid: int) -> ProcessRow | None:
    """The row of a supervisor's child with this pid, if it has one."""
    for row_id, kind, child_pid in database.query(
        "processes.children", supervisor_id=supervisor_id
    ):
        if child_pid == pid:
            return ProcessRow(row_id, kind, pid, socket.gethostname())
    return None
