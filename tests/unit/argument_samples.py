"""Classes whose values travel in the tests of arguments, and how to tell that two are the same."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import InitVar, dataclass, field
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "r"
    GREEN = ("g", 1)
    CRIMSON = "r"  # noqa: PIE796 - an alias


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Mood(enum.StrEnum):
    GOOD = "good"


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4
    ALL = 7


class Mode(enum.IntFlag):
    OWNER = 4
    GROUP = 2


class Pair(enum.Flag):
    BOTH = 3


@dataclass
class Money:
    amount: Decimal
    currency: str = "EUR"

    class Kind(enum.Enum):
        CASH = 1

    @dataclass(frozen=True)
    class Range:
        low: Any
        high: Any


@dataclass(frozen=True, slots=True, order=True)
class Point:
    x: float
    y: float


@dataclass(kw_only=True)
class Order:
    lines: list[Any]
    price: Money | None = None
    tags: set[str] = field(default_factory=set)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = len(self.lines)


@dataclass(frozen=True)
class Doubling:
    """Its `__post_init__` is not to be done twice to the same value."""

    value: int
    seen: str = field(init=False, default="by __post_init__", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.value * 2)


@dataclass
class Scalable(Generic[T]):
    value: T
    scale: InitVar[int] = 1


@dataclass
class Scaled:
    value: int
    scale: InitVar[int]


@dataclass
class CountedError(Exception):
    count: int


@dataclass(init=False)
class Odd:
    value: int

    def __init__(self, text: str) -> None:
        self.value = int(text)


@dataclass
class Picky:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("less than nothing")


@dataclass
class Reserved:
    _queuekit: int


class Special(Money):
    """A dataclass by inheritance, with all that it has in its fields."""


class Plain:
    pass


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Words(list[str]):
    pass


class Table(dict[str, int]):
    pass


def exact(value: Any) -> Any:
    """What there is to know of a value, types included, in a form that `==` compares."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: exact(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value), fields
    elif isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    elif isinstance(value, set | frozenset):
        return type(value), sorted(repr(exact(item)) for item in value)
    elif isinstance(value, dict):
        return type(value), [(exact(key), exact(item)) for key, item in value.items()]
    elif isinstance(value, datetime | time):
        return type(value), repr(value.replace(tzinfo=None)), value.fold, zone(value.tzinfo)
    else:
        return type(value), repr(value)


def zone(given: Any) -> Any:
    if isinstance(given, ZoneInfo):
        return ZoneInfo, given.key
    elif isinstance(given, timezone):
        return timezone, given.utcoffset(None), given.tzname(None)
    else:
        return given
