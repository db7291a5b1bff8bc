"""When a child counts as hung. Policy only; the supervisor kills.

A child shows on its scoreboard when its loop came round and when it last sent a heartbeat. A job
that holds the interpreter stops both. Others then take the child for dead, by the database's clock,
a threshold after its last heartbeat, and what it runs may be run again. The child has to be gone by
then, so it is killed earlier: when both have stopped, and its time runs out. A loop that stands
still while heartbeats are sent endangers nobody, and gets the whole threshold.
"""

from __future__ import annotations

from queuekit.config import Configuration
from queuekit.processes.children import Place

_LONGEST_DOUBT = 2.0


def benefit_of_the_doubt(configuration: Configuration) -> float:
    """Seconds that a child gets to come round after it was first seen hung: it may just have woken,
    and so may the supervisor."""
    return min(_LONGEST_DOUBT, configuration.process_heartbeat_interval)


def hung_at(place: Place, configuration: Configuration, awake_since: float) -> float:
    """When the child will count as hung if it shows nothing more, by time.monotonic().

    Only the time counts in which the supervisor was awake. A child that waits for the database
    before it can register comes round, too.
    """
    board = place.scoreboard
    assert board is not None
    since = max(board.ticked_at or place.forked_at, awake_since)
    if not board.is_registered:
        return since + configuration.boot_timeout
    threshold = configuration.process_alive_threshold
    lead = configuration.process_heartbeat_interval + benefit_of_the_doubt(configuration)
    pruned_at = (board.beat_at or since) + threshold
    return min(since + threshold, max(since + threshold / 2, pruned_at - lead))


def why_hung(place: Place, configuration: Configuration, now: float) -> str:
    """The words for killing a child that counts as hung."""
    board = place.scoreboard
    assert board is not None
    if not board.is_registered:
        return f"has not come up within {configuration.boot_timeout:g} s"
    silence = now - (board.ticked_at or place.forked_at)
    return f"has not shown a sign of life for {silence:.0f} s"
