"""Turns with results that one transaction cannot take: too many bytes, or one that is refused.

Errors are big, up to 60,000 characters, and a server takes packets of a limited size: results go in
portions, each a turn of its own. Where the database refuses a portion for what is in it (a row that
a restore of some tables left behind, an error that is too big after all), each result is settled
alone. One that is refused even so fails with the database's error. One that cannot even fail is
given back as refused: it stays claimed, and holds up none of the others. What is claimed and ready
at once is ready no more: nobody could claim past it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from queuekit import events
from queuekit.database import Database, DuplicateError
from queuekit.errors import (
    ConflictError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)
from queuekit.executions import turn
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, START, Position, Result, Turn

#: Bytes of errors in one turn. MySQL's statements repeat them five times, quoting may double them,
#: and MariaDB takes packets of 16 MB.
PORTION_SIZE = 1_000_000

#: What a result's content cannot be the reason for: nothing is settled one by one then.
_OF_THE_DATABASE = (
    ConflictError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)


class Claiming(NamedTuple):
    """What a turn claims: from which queue, how many, after which position."""

    queue: str | None
    limit: int
    after: Position = START


@dataclass(frozen=True, slots=True)
class Refusal:
    """A result that the database does not take in any form, and what it said."""

    result: Result
    error: DatabaseError


@dataclass(slots=True)
class Settling:
    """What came of a turn, or of the several that it took. Of `failed_instead` the database did not
    take what they were: they have failed with its error."""

    turn: Turn
    settled: set[int] = field(default_factory=set)
    failed_instead: list[Refusal] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class Settler:
    """Takes a worker's turns."""

    def __init__(self, database: Database, preserve_finished: bool) -> None:
        self._database = database
        self._preserve_finished = preserve_finished
        self.process_id = 0

    def take(
        self,
        results: Sequence[Result],
        *,
        queue: str | None,
        limit: int,
        after: Position = START,
    ) -> Settling:
        """`turn.take`, whatever the results are. The last turn claims.

        Raises the DatabaseErrors. Some of the results may have been settled then.
        """
        *before, last = portions(results) or [()]
        settling = Settling(Turn(True, frozenset(), (), frozenset()))
        for portion in before:
            self._take(settling, portion, Claiming(queue, 0))
            if not settling.turn.registered:
                return settling
        self._take(settling, last, Claiming(queue, limit, after))
        return settling

    def _take(self, settling: Settling, results: Sequence[Result], claiming: Claiming) -> None:
        try:
            taken = self._turn(results, claiming)
        except _OF_THE_DATABASE:
            raise
        except DatabaseError:
            for result in results:
                self._settle_alone(settling, result)
            taken = self._claim(claiming)
        settling.turn = taken
        settling.settled |= taken.settled

    def _settle_alone(self, settling: Settling, result: Result) -> None:
        error = self._refusal(settling, result)
        if error is None:
            return
        # Without its cause and traceback: a driver's error may show a whole row, arguments and all.
        error = type(error)(*error.args)
        refusal = Refusal(result, error)
        if replace(result, duration=0.0, concurrency_key=None) == Result(result.row_id, FINISHED):
            settling.refused.append(refusal)  # it has no content that could be the reason
        elif self._refusal(settling, _failed_with(result, error)) is None:
            settling.failed_instead.append(refusal)
        else:
            settling.refused.append(refusal)

    def _refusal(self, settling: Settling, result: Result) -> DatabaseError | None:
        try:
            settling.settled |= self._turn((result,), Claiming(None, 0)).settled
        except _OF_THE_DATABASE:
            raise
        except DatabaseError as error:
            return error
        return None

    def _claim(self, claiming: Claiming) -> Turn:
        try:
            return self._turn((), claiming)
        except DuplicateError as error:
            events.emit(events.ErrorOccurred(where="claiming a job that is claimed", error=error))
        self._database.query("ready.forget_claimed")
        return self._turn((), claiming)

    def _turn(self, results: Sequence[Result], claiming: Claiming) -> Turn:
        return turn.take(
            self._database,
            self.process_id,
            results,
            queue=claiming.queue,
            limit=claiming.limit,
            after=claiming.after,
            preserve_finished=self._preserve_finished,
        )


def portions(results: Sequence[Result]) -> list[Sequence[Result]]:
    """The results in order, cut where their errors get too big for one turn."""
    if sum(len(result.error) for result in results if result.error) * 4 <= PORTION_SIZE:
        return [results] if results else []
    return list(_cut(results))


def _cut(results: Sequence[Result]) -> Iterator[Sequence[Result]]:
    portion: list[Result] = []
    room = PORTION_SIZE
    for result in results:
        size = len((result.error or "").encode())
        if portion and size > room:
            yield portion
            portion, room = [], PORTION_SIZE
        portion.append(result)
        room -= size
    yield portion


def _failed_with(result: Result, error: DatabaseError) -> Result:
    return replace(result, outcome=FAILED, error=describe_error(error), next_attempt=None)
