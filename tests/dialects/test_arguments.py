"""What is enqueued comes out unchanged, whatever it is made of and however long it is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import queuekit
from queuekit.arguments import load
from tests.dialects.sample_jobs import note
from tests.dialects.support import claim, finished, register, take
from tests.unit.argument_samples import exact
from tests.unit.test_arguments_types import TRAVELS as TYPED

MILLION = 1_000_000


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"down": value}
    return value


VALUES = {
    "nothing": None,
    "booleans": [True, False],
    "empty": ["", [], {}, "", {"": ""}],
    "spaces": [" ", "  padded  ", "\t\r\n", "\u00a0", "\u2028\u2029"],
    "nul": ["\0", "a\0b", {"\0": "\0\0"}],
    "control characters": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "quotes": ["'", '"', "''", '"', "\\", "\\'", "\\\\", "`", "%", "%s", "%(jobs)s", ":jobs", "$1"],
    "sql": ["'; drop table queuekit_jobs; --", "/* */", "-- name: jobs.enqueue", ";"],
    "json": ['{"args":[],"kwargs":{}}', "\\u0000", "\\ud83d\\ude80", "[1]", "null"],
    "emoji": ["🚀", "👩‍👩‍👧‍👦", "🇩🇪", {"🔑": "🎁"}],
    "scripts": [
        "Größe",
        "日本語",
        "עברית",
        "العربية",
        "हिन्दी",
        "a\u0308",
        "ä",
        "\ufeff",
        "\U0001d518",
    ],
    "lone surrogates": ["\ud800", "a\udfffb", "\udc00\ud800", "\ud83d", {"\udcff": "\0🚀"}],
    "last characters": ["\uffff", "\ufffe", "\U0010ffff", "\ue000"],
    "integers": [0, -1, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**400],
    "floats": [0.1, -0.0, 1e-320, 1.7976931348623157e308, 5e-324, 1e16, 2.0, 1 / 3],
    "nested": deep(99),
    "wide": list(range(20_000)),
    "keys": {"args": 1, "kwargs": 2, "job_id": 3, "a.b": 4, "a[0]": 5, "$": 6, "'": 7},
}

TEXTS = {
    "words": "lorem ipsum dolor " * (5 * MILLION // 18),
    "lines": "Ein Satz mit 'Anführung' und \"Zitat\", dann das Ende.\n" * (5 * MILLION // 56),
    "four bytes each": "🚀" * (5 * MILLION // 4),
    "quotes": "\"'\\" * (5 * MILLION // 3),
    "line ends": "\r\n" * (5 * MILLION // 2),
    "other scripts": "очередь 队列 " * (5 * MILLION // 22),
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_travel_unchanged(kind: str) -> None:
    value = VALUES[kind]
    keyword = {} if isinstance(value, dict) and "value" in value else {"more": value}

    note.enqueue(value, **keyword)

    assert stored() == ([value], keyword)


@pytest.mark.parametrize("kind", TYPED)
def test_typed_values_travel_unchanged(kind: str) -> None:
    note.enqueue(TYPED[kind], more=TYPED[kind])

    args, kwargs = stored()
    assert exact(args) == exact([TYPED[kind]])
    assert exact(kwargs) == exact({"more": TYPED[kind]})


def test_many_jobs_with_typed_values_travel_unchanged() -> None:
    queuekit.enqueue_all(note.bind(value) for value in TYPED.values())

    jobs = claim(register())
    assert [exact(load(job.arguments)[0]) for job in jobs] == [
        exact([value]) for value in TYPED.values()
    ]


@pytest.mark.parametrize("kind", TEXTS)
def test_five_megabytes_travel_unchanged(kind: str) -> None:
    note.enqueue(TEXTS[kind])

    (text,), _ = stored()
    assert text == TEXTS[kind]


def test_several_megabytes_in_many_jobs_travel_unchanged() -> None:
    texts = [character * MILLION for character in "aé队🚀'\n"]

    queuekit.enqueue_all(note.bind(text) for text in texts)

    assert [load(job.arguments)[0] for job in claim(register())] == [[text] for text in texts]


def test_negative_zero_stays_negative() -> None:
    note.enqueue(-0.0)

    (value,), _ = stored()
    assert math.copysign(1, value) == -1


texts = st.text(st.characters(), max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            texts.filter(lambda key: not key.startswith("_queuekit")), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(values, min_size=1, max_size=20))
def test_anything_that_json_can_say_travels_unchanged(given: list[Any]) -> None:
    queuekit.enqueue_all(note.bind(value) for value in given)

    worker = register()
    jobs = claim(worker)
    assert [load(job.arguments) for job in jobs] == [([value], {}) for value in given]
    take(worker, [finished(job) for job in jobs], limit=0)


def stored() -> tuple[list[Any], dict[str, Any]]:
    (job,) = claim(register())
    return load(job.arguments)
