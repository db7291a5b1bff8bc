"""The processes' rows: who is alive, and what happens to the claims of one that is not.

Only a registered process may claim, and only the one that still stands ends a job. Whoever takes a
process's row away takes its claims in the same transaction: back to ready when it leaves by itself,
to failed when it died.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from queuekit.database import Database
from queuekit.errors import ProcessPrunedError
from queuekit.executions.errors import describe_error


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A registered process, as another one sees it."""

    id: int
    kind: str
    pid: int
    hostname: str


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
    return len(database.query("processes.deregister", process_id=process_id))


def bury(
    database: Database, process_id: int, error: Exception, silent_for: float = 0.0
) -> list[str]:
    """Take a dead process's row away and fail what it claimed, with `error`. Returns the job ids.

    Nothing happens when it has sent a heartbeat within the last `silent_for` seconds.
    """
    rows = database.query(
        "processes.bury",
        process_id=process_id,
        silent_for=silent_for,
        error=describe_error(error),
    )
    return [row[0] for row in rows]


def prune(database: Database, alive_threshold: float) -> list[tuple[ProcessRow, list[str]]]:
    """Bury every process that was silent for longer than `alive_threshold` seconds."""
    buried = []
    for row in database.query("processes.silent", silent_for=alive_threshold):
        process = ProcessRow(*row)
        error = ProcessPrunedError(
            f"{process.kind} {process.pid} on {process.hostname} sent no heartbeat for more than "
            f"{alive_threshold:g} s"
        )
        buried.append((process, bury(database, process.id, error, alive_threshold)))
    return buried


def child_id(database: Database, supervisor_id: int, pid: int) -> int | None:
    """The id under which a supervisor's child with this pid is registered, if it is."""
    rows = database.query("processes.children", supervisor_id=supervisor_id)
    return next((row[0] for row in rows if row[2] == pid), None)
