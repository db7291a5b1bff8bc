"""The statements of `sql/<dialect>/*.sql`: read once, found by name, rendered for a driver.

A query is written as

    -- name: ready.peek
    -- Is there anything to claim at all?
    select ... where queue_name = :queue_name;

and may be several statements, each ended by a semicolon, that belong into one transaction and
share their parameters. Parameters are `:name` and always bound by the driver; only the way a
driver wants them marked differs, and that is all that rendering changes.

A statement right after a line `-- when: name`, or `-- unless: name`, is run only where what is
given by that name is true, or is not: for what most calls have no use for, and all would pay for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

_HEADING = re.compile(r"^-- name: *(?P<name>\S+) *$", re.MULTILINE)

_CONDITION = re.compile(r"-- (?P<word>when|unless): *(?P<name>[a-z_]+) *")

_TOKENS = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<text>    '(?:[^']|'')*' | "[^"]*" | `[^`]*` )
    | (?P<cast>    :: )
    | (?P<assign>  := )
    | :(?P<parameter> [a-z_]+ )
    | (?P<percent> % )
    | (?P<end>     ; )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One statement in a driver's own notation, and the parameters in the order it wants them."""

    sql: str
    parameters: tuple[str, ...]


class Condition(NamedTuple):
    """A statement is run only where the value of this name is true, or else is not."""

    name: str
    holds_when: bool


@dataclass(frozen=True)
class Query:
    """A named query: its statements, run in order in one transaction. Where some of them have
    conditions, there is one for each, or None."""

    name: str
    statements: tuple[str, ...]
    conditions: tuple[Condition | None, ...] = ()

    @property
    def parameters(self) -> frozenset[str]:
        bound = (name for text in self.statements for name in parameters_of(text))
        return frozenset(bound).union(condition.name for condition in self.conditions if condition)

    def chosen(self, parameters: Mapping[str, Any]) -> Query:
        """The query as it is to be run with these parameters: without the statements whose
        conditions do not hold."""
        if not self.conditions:
            return self
        return self._without(
            tuple(
                number
                for number, condition in enumerate(self.conditions)
                if condition and bool(parameters[condition.name]) != condition.holds_when
            )
        )

    @cache  # noqa: B019 - queries live as long as the process
    def _without(self, numbers: tuple[int, ...]) -> Query:
        kept = [text for number, text in enumerate(self.statements) if number not in numbers]
        without = ",".join(map(str, numbers))
        return Query(f"{self.name} without {without}" if numbers else self.name, tuple(kept))

    @cache  # noqa: B019 - queries live as long as the process
    def rendered(self, paramstyle: str) -> tuple[Rendered, ...]:
        """The statements with parameters marked as `paramstyle` (PEP 249's names, or `dollar`)."""
        return tuple(_render(text, paramstyle) for text in self.statements)


class QueryNotFoundError(LookupError):
    """The code asks for a query that the `.sql` files of this dialect do not have."""


@cache
def load(dialect: str) -> Mapping[str, Query]:
    """All queries of a dialect by name."""
    queries: dict[str, Query] = {}
    for file in sorted(_folder(dialect).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            for query in _parse(file.read_text(encoding="utf-8")):
                if query.name in queries:
                    raise ValueError(f"two queries are named {query.name} in sql/{dialect}")
                queries[query.name] = query
    return queries


def find(dialect: str, name: str) -> Query:
    try:
        return load(dialect)[name]
    except KeyError:
        raise QueryNotFoundError(f"sql/{dialect} has no query named {name}") from None


def schema_files(dialect: str) -> list[Traversable]:
    """The migrations of a dialect, `0001_....sql` first."""
    folder = _folder(dialect).joinpath("schema")
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )


def split(text: str) -> list[str]:
    """The statements of a text, without comments. A semicolon in quotes or a comment ends none."""
    return [statement for _, statement in _statements(text)]


def parameters_of(statement: str) -> list[str]:
    """The names of a statement's parameters, in the order and as often as they stand there."""
    return [token["parameter"] for token in _TOKENS.finditer(statement) if token["parameter"]]


def _folder(dialect: str) -> Traversable:
    return files("queuekit").joinpath("sql", dialect)


def _parse(text: str) -> Iterator[Query]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        conditions, statements = zip(*_statements(text[heading.end() : end]), strict=True)
        yield Query(heading["name"], statements, conditions if any(conditions) else ())


def _statements(text: str) -> Iterator[tuple[Condition | None, str]]:
    """Each statement with its condition."""
    condition: Condition | None = None
    start, pieces = 0, []
    for token in _TOKENS.finditer(text):
        if token["comment"] is not None:
            pieces.append(text[start : token.start()])
            start = token.end()
            found = _CONDITION.fullmatch(token["comment"])
            if found and not "".join(pieces).strip():
                condition = Condition(found["name"], holds_when=found["word"] == "when")
        elif token["end"] is not None:
            pieces.append(text[start : token.start()])
            if statement := _tidy("".join(pieces)):
                yield condition, statement
            start, pieces, condition = token.end(), [], None
    if statement := _tidy("".join([*pieces, text[start:]])):
        yield condition, statement


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.splitlines() if line.strip()).strip()


def _render(statement: str, paramstyle: str) -> Rendered:
    order: list[str] = []
    escapes_percent = paramstyle in ("format", "pyformat")

    def mark(token: re.Match[str]) -> str:
        if token["parameter"]:
            return _mark(token["parameter"], paramstyle, order)
        return token[0].replace("%", "%%") if escapes_percent else token[0]

    return Rendered(_TOKENS.sub(mark, statement), tuple(order))


def _mark(name: str, paramstyle: str, order: list[str]) -> str:
    """How a driver wants this parameter marked; `order` grows by what it has to be given for it."""
    if paramstyle in ("named", "pyformat"):
        if name not in order:
            order.append(name)
        return f":{name}" if paramstyle == "named" else f"%({name})s"
    if paramstyle in ("dollar", "numeric"):
        if name not in order:
            order.append(name)
        return f"{'$' if paramstyle == 'dollar' else ':'}{order.index(name) + 1}"
    order.append(name)
    return {"qmark": "?", "format": "%s"}[paramstyle]


def arguments_for(statement: Rendered, paramstyle: str, parameters: Mapping[str, Any]) -> Any:
    """The values as the driver wants them: by name for named styles, else in order."""
    if paramstyle in ("named", "pyformat"):
        return {name: parameters[name] for name in statement.parameters}
    return [parameters[name] for name in statement.parameters]
