"""Job ids."""

from __future__ import annotations

import time
import uuid

from queuekit.ids import new_job_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    parsed = uuid.UUID(new_job_id())

    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert abs((parsed.int >> 80) / 1000 - time.time()) < 60
    assert str(parsed) == str(uuid.UUID(int=parsed.int))


def test_ids_sort_by_their_time() -> None:
    first = new_job_id()
    began = time.time_ns()
    while time.time_ns() - began < 2_000:
        pass
    assert first < new_job_id()


def test_ids_do_not_repeat() -> None:
    assert len({new_job_id() for _ in range(50_000)}) == 50_000
