"""Every text that was ever stored can be loaded, by every version to come.

`stored_arguments.txt` has a line for each form. A line is added with a new form; none is changed.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from queuekit.arguments import (
    dump,
    load,
    records,
    register_locator,
    register_serializer,
    serializers,
)
from tests.unit.argument_samples import (
    Access,
    Colour,
    Mode,
    Money,
    Order,
    Plain,
    Point,
    Text,
    exact,
)

TEXTS = dict(
    line.split(": ", 1)
    for line in Path(__file__).with_name("stored_arguments.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)

BERLIN = ZoneInfo("Europe/Berlin")
PLAIN = Plain()

#: What each line means. The words of a line are its name here.
VALUES: dict[str, Any] = {
    "plain": [None, True, False, 0, -(2**70), 1.5, 1e300, "Grüße \N{SNOWMAN}", [], {"a": [{}]}],
    "text that no database takes": "NUL \0",
    "half a surrogate pair": "\ud83d",
    "float": [math.inf, -math.inf, math.nan],
    "decimal": [Decimal("1.50"), Decimal("-0"), Decimal("1E+3"), Decimal("NaN")],
    "date": date(2026, 1, 31),
    "datetime without a zone": [datetime(2026, 1, 31, 9), datetime(1, 1, 1, microsecond=5)],
    "datetime with an offset": [
        datetime(2026, 1, 31, 9, tzinfo=UTC),
        datetime(2026, 1, 31, 9, tzinfo=timezone(-timedelta(hours=3, seconds=1))),
    ],
    "datetime with an offset that has a name": datetime(
        2026, 1, 31, 9, tzinfo=timezone(timedelta(hours=1), "CET")
    ),
    "datetime in a zone": datetime(2026, 7, 1, 9, tzinfo=BERLIN),
    "datetime in the hour that comes twice": datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    "time": [time(9, 30), time(9, tzinfo=UTC), time(9, tzinfo=BERLIN), time(2, fold=1)],
    "timedelta": [timedelta(days=1, hours=2), timedelta(microseconds=-1)],
    "uuid": UUID("0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704"),
    "bytes": [b"", b"\0\1\xff"],
    "tuple": [(), (1, ("a",))],
    "set": [set(), {2, 1, "a"}],
    "frozenset": frozenset({(1, 2)}),
    "range": range(10, 0, -2),
    "class": [Plain, Money.Range, int],
    "enum": [Colour.RED, Money.Kind.CASH],
    "flag": [Access.READ | Access.RUN, Access(0), Mode(9)],
    "dataclass": [
        Money(Decimal("1.50")),
        Point(1.0, 2.0),
        Order(lines=[()], price=Money(Decimal(1))),
    ],
    "record": PLAIN,
    "serializer": Text("shout"),
}


class Locator:
    def key(self, record: Plain) -> object:
        return {"pk": 42, "part": (1, "a")}

    def locate(self, record_class: type[Plain], key: Any) -> Plain | None:
        return PLAIN if key == {"pk": 42, "part": (1, "a")} else None


@pytest.fixture(autouse=True)
def registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_locators", {})
    monkeypatch.setattr(serializers, "_by_name", {})
    monkeypatch.setattr(serializers, "_by_class", {})
    register_locator(Plain, Locator())
    register_serializer(Text, name="text", dump=lambda text: [str(text)], load=lambda v: Text(*v))


def test_every_line_has_a_meaning() -> None:
    assert list(TEXTS) == list(VALUES)


@pytest.mark.parametrize("kind", TEXTS)
def test_what_was_stored_once_is_loaded(kind: str) -> None:
    value = VALUES[kind]

    assert exact(load(TEXTS[kind])) == exact(([value], {"named": value}))


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_stored_now_is_the_same_text(kind: str) -> None:
    value = VALUES[kind]

    assert dump([value], {"named": value}) == TEXTS[kind]
