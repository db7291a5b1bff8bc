"""Lock rows of keys: those that nobody uses any more are forgotten, as few as need be at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from queuekit.database import Connection, Database

_PAGE_SIZE = 500


def forget_unused(
    database: Database,
    unused: str,
    forget: str,
    lock: Callable[[Connection, Sequence[str]], object],
) -> None:
    """Delete the lock rows that the query `unused` lists, by the query `forget`. Each page is
    locked, and listed again: somebody may have begun to use a key until then."""

    def work(connection: Connection) -> bool:
        listed = database.named(unused)
        keys = [row[0] for row in connection.run(listed, {"limit": _PAGE_SIZE})]
        if keys:
            lock(connection, keys)
            still = {row[0] for row in connection.run(listed, {"limit": _PAGE_SIZE})}
            forgotten = json.dumps(sorted(still.intersection(keys)))
            connection.run(database.named(forget), {"keys": forgotten})
        return len(keys) == _PAGE_SIZE

    while database.transact(work):
        pass
