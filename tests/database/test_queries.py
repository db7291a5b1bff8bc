"""The `.sql` files: how they are read and rendered, and that the dialects keep step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import queuekit
from queuekit.database import DIALECTS, Database
from queuekit.database.queries import (
    Query,
    QueryNotFoundError,
    _parse,
    arguments_for,
    find,
    load,
    parameters_of,
    split,
)

NAMES = sorted(load("postgresql"))

#: Something that fits each parameter, so that every query can be run.
SAMPLES: dict[str, Any] = {
    "after": 0,
    "after_job_id": 0,
    "after_priority": 0,
    "arguments": '{"args":[],"kwargs":{}}',
    "class_name": "app.jobs.welcome",
    "entries": "{}",
    "error": "{}",
    "has_failed": True,
    "hostname": "host",
    "job_ids": "[1, 2, 3]",
    "jobs": "[]",
    "kind": "Worker",
    "limit": 10,
    "metadata": "{}",
    "pid": 1,
    "preserve_finished": True,
    "priority": 0,
    "process_id": 1,
    "queue_name": "default",
    "results": '[{"job_id": 1, "outcome": "finished"}]',
    "seconds": 0.5,
    "silent_for": 0.5,
    "since": "2001-01-01 00:00:00",
    "begun": "[1]",
    "may_retry": True,
    "max_process_deaths": 2,
    "supervisor_id": None,
    "until": 10,
    "wakes": "ready",
    "uuid": "01890000-0000-7000-8000-000000000000",
    "after_uuid": "01890000-0000-7000-8000-000000000000",
    "context": None,
    "cursor_json": '{"args":[1],"kwargs":{}}',
    "done": 1.0,
    "is_finished": True,
    "job_id": 1,
    "name": "rows",
    "position": 0,
    "total": None,
    "retries": '[{"job_id": 1, "wait": 1.5, "executions": 1}]',
    "after_key": "",
    "concurrency_key": "app.jobs.welcome/1",
    "keys": '["app.jobs.welcome/1"]',
    "least_stage": 0,
    "most": 10,
    "places_later": False,
    "skip": 1,
    "starts": "[]",
    "throttle_key": "app.jobs.welcome/1",
    "semaphores": '[{"key": "app.jobs.welcome/1", "to": 1}]',
    "is_static": True,
    "runs": "[]",
    "task_key": "nightly",
    "tasks": '[{"task_key": "a", "schedule": "every day", "arguments": "{}", "missed": "skip"}]',
    "uuids": '["01890000-0000-7000-8000-000000000000"]',
    "unique_keys": '[{"key": "a/1", "uuid": "01890000-0000-7000-8000-000000000000", '
    '"queue_name": "default", "seconds": 1.5, "is_timed": true, "is_scheduled": true}]',
    "holders": '[{"key": "a/1", "uuid": "01890000-0000-7000-8000-000000000000", '
    '"job_id": 1, "is_scheduled": true}]',
}


# The dialects keep step


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_has_the_same_queries_with_the_same_parameters(dialect: str) -> None:
    shapes = {name: query.parameters for name, query in load(dialect).items()}

    assert shapes == {name: query.parameters for name, query in load("postgresql").items()}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_query_stands_in_the_file_that_it_is_named_after(dialect: str) -> None:
    for file, text in sources(dialect).items():
        for name in re.findall(r"^-- name: *(\S+)", text, re.MULTILINE):
            assert name.partition(".")[0] == file


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_query_says_what_it_is_for(dialect: str) -> None:
    for name, text in described(dialect).items():
        assert re.match(r"-- [A-Z].*", text), f"{dialect}: {name} begins without a sentence"


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "postgresql"])
def test_a_query_that_differs_in_kind_says_why(dialect: str) -> None:
    for name, query in load(dialect).items():
        differs = len(query.statements) != len(find("postgresql", name).statements)
        explained = "-- Differs: " in described(dialect)[name]
        assert explained or not differs, f"{dialect}: {name} has no -- Differs:"


def sources(dialect: str) -> dict[str, str]:
    folder = Path(queuekit.__file__).parent / "sql" / dialect
    return {file.stem: file.read_text() for file in folder.glob("*.sql")}


def described(dialect: str) -> dict[str, str]:
    """Each query's own text, comments and all."""
    found = {}
    for text in sources(dialect).values():
        for part in re.split(r"^-- name: *", text, flags=re.MULTILINE)[1:]:
            name, _, rest = part.partition("\n")
            found[name.strip()] = rest
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_query_runs(database: Database, name: str) -> None:
    query = find(database.dialect.name, name)
    parameters = {parameter: SAMPLES[parameter] for parameter in query.parameters}

    rows = database.query(name, **parameters)

    assert isinstance(rows, list)


@pytest.mark.parametrize("name", NAMES)
def test_each_query_runs_inside_a_transaction(database: Database, name: str) -> None:
    query = find(database.dialect.name, name)
    parameters = {parameter: SAMPLES[parameter] for parameter in query.parameters}

    rows = database.transact(lambda connection: connection.run(query, parameters) * 1)

    assert isinstance(rows, list)


@pytest.mark.parametrize("value", [True, False])
def test_each_query_runs_whichever_of_its_conditions_hold(database: Database, value: bool) -> None:
    for name, query in load(database.dialect.name).items():
        conditions = {condition.name: value for condition in query.conditions if condition}
        parameters = {parameter: SAMPLES[parameter] for parameter in query.parameters}
        if conditions:
            assert isinstance(database.query(name, **parameters | conditions), list)


def test_a_query_that_is_not_there_is_named() -> None:
    with pytest.raises(QueryNotFoundError, match=r"sql/mysql has no query named jobs\.nowhere"):
        find("mysql", "jobs.nowhere")


# Reading


def test_a_file_is_taken_apart_into_queries() -> None:
    text = """
-- What the file is about: not part of any query; it may say -- name: or 'quote.
-- name: jobs.one
-- What it is for; with a semicolon.
select 1 -- it's a comment; really
  from a;

-- name:   jobs.two
delete from b
where c = ';' -- ;
;

-- Between two statements.
select "odd;name", `odder;name`, 'it''s; quoted'
"""
    one, two = _parse(text)

    assert (one.name, one.statements) == ("jobs.one", ("select 1\n  from a",))
    assert two.name == "jobs.two"
    assert two.statements == (
        "delete from b\nwhere c = ';'",
        "select \"odd;name\", `odder;name`, 'it''s; quoted'",
    )


CONDITIONS = """
-- name: jobs.some
-- What it is for.
select 1;

-- when: has_failed
select 2;

-- Why this is done: when: it is.
-- unless: preserve_finished
select 3 -- when: never
from a;
"""


@pytest.mark.parametrize(
    ("has_failed", "preserve_finished", "statements"),
    [
        (True, True, ("select 1", "select 2")),
        (False, True, ("select 1",)),
        (True, False, ("select 1", "select 2", "select 3\nfrom a")),
        (False, False, ("select 1", "select 3\nfrom a")),
    ],
)
def test_a_statement_whose_condition_does_not_hold_is_left_out(
    has_failed: bool, preserve_finished: bool, statements: tuple[str, ...]
) -> None:
    (query,) = _parse(CONDITIONS)

    chosen = query.chosen({"has_failed": has_failed, "preserve_finished": preserve_finished})

    assert chosen.statements == statements


def test_what_a_condition_asks_for_is_a_parameter() -> None:
    (query,) = _parse(CONDITIONS)

    assert query.parameters == {"has_failed", "preserve_finished"}
    with pytest.raises(KeyError, match="has_failed"):
        query.chosen({"preserve_finished": True})


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (";", []),
        (" ; ;\n;", []),
        ("-- only a comment", []),
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        ("select 1;;select 2", ["select 1", "select 2"]),
        ("select '--', 1; select 2 -- ';", ["select '--', 1", "select 2"]),
        ("select '';'';", ["select ''", "''"]),
        ("a -- b ; c\nd;", ["a\nd"]),
    ],
)
def test_statements_end_at_semicolons_that_are_none_of_a_texts(
    text: str, statements: list[str]
) -> None:
    assert split(text) == statements


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (":a", ["a"]),
        ("(:a, :b_c, :a)", ["a", "b_c", "a"]),
        ("x::text", []),
        (":a::text::bigint", ["a"]),
        ("@x := :a", ["a"]),
        ("':a' \":b\" `:c`", []),
        ("'it''s :a' :b", ["b"]),
        ("-- :a\n:b", ["b"]),
        ("'$[*]' 'a:b' :c", ["c"]),
        ("a[1:2]", []),
    ],
)
def test_parameters_are_told_from_casts_quotes_and_comments(
    text: str, parameters: list[str]
) -> None:
    assert parameters_of(text) == parameters


# Rendering

STATEMENT = "select :a::text, ':a 100%', x % :b, :a -- :c\nfrom t"


@pytest.mark.parametrize(
    ("paramstyle", "sql", "parameters"),
    [
        ("named", "select :a::text, ':a 100%', x % :b, :a -- :c\nfrom t", ("a", "b")),
        ("pyformat", "select %(a)s::text, ':a 100%%', x %% %(b)s, %(a)s -- :c\nfrom t", ("a", "b")),
        ("format", "select %s::text, ':a 100%%', x %% %s, %s -- :c\nfrom t", ("a", "b", "a")),
        ("qmark", "select ?::text, ':a 100%', x % ?, ? -- :c\nfrom t", ("a", "b", "a")),
        ("numeric", "select :1::text, ':a 100%', x % :2, :1 -- :c\nfrom t", ("a", "b")),
        ("dollar", "select $1::text, ':a 100%', x % $2, $1 -- :c\nfrom t", ("a", "b")),
    ],
)
def test_a_statement_is_rendered_for_each_style_of_parameters(
    paramstyle: str, sql: str, parameters: tuple[str, ...]
) -> None:
    (rendered,) = Query("x", (STATEMENT,)).rendered(paramstyle)

    assert (rendered.sql, rendered.parameters) == (sql, parameters)


def test_values_come_as_the_style_wants_them() -> None:
    values = {"a": 1, "b": 2, "unused": 3}
    expected: dict[str, Any] = {
        "named": {"a": 1, "b": 2},
        "pyformat": {"a": 1, "b": 2},
        "format": [1, 2, 1],
        "qmark": [1, 2, 1],
        "numeric": [1, 2],
        "dollar": [1, 2],
    }
    for paramstyle, arguments in expected.items():
        (rendered,) = Query("x", (STATEMENT,)).rendered(paramstyle)
        assert arguments_for(rendered, paramstyle, values) == arguments


#: What statements are made of: text as it stands, and what it is for a driver of style pyformat.
plain = st.sampled_from(
    ["select ", "x", "(", ")", ", ", " = ", "\n", "::text", " := ", " 1", "[*]"]
)
quoted = st.text(st.sampled_from("a:b%;'- ")).map(lambda text: "'" + text.replace("'", "''") + "'")
named = st.text(st.sampled_from("a:b%;'- "), min_size=1).map(lambda text: f'"{text}"')
parameter = st.sampled_from(["a", "job_ids", "limit"]).map(lambda name: (name,))
pieces = st.lists(st.one_of(plain, quoted, named, parameter, st.just(" % ")), min_size=1)


def spaced(pieces: list[Any]) -> list[Any]:
    """Apart from each other, so that two pieces do not make a third."""
    return [part for piece in pieces for part in (piece, " ")]


@given(pieces)
def test_whatever_a_statement_is_made_of_only_its_parameters_are_rendered(
    pieces: list[Any],
) -> None:
    parts = spaced(pieces)
    text = "".join(f":{part[0]}" if isinstance(part, tuple) else part for part in parts)
    values = {"a": "<A>", "job_ids": "<IDS>", "limit": "<LIMIT>"}
    expected = "".join(values[part[0]] if isinstance(part, tuple) else part for part in parts)

    (pyformat,) = Query("x", (text,)).rendered("pyformat")
    (format_,) = Query("x", (text,)).rendered("format")
    (named,) = Query("x", (text,)).rendered("named")

    assert pyformat.sql % values == expected
    assert format_.sql % tuple(arguments_for(format_, "format", values)) == expected
    assert named.sql == text
    assert parameters_of(text) == [part[0] for part in parts if isinstance(part, tuple)]


@given(st.lists(pieces, min_size=1, max_size=4), st.sampled_from(["", " -- it's; :x\n"]))
def test_statements_that_were_joined_come_apart_again(many: list[list[Any]], comment: str) -> None:
    texts = [
        "go "
        + "".join(f":{part[0]}" if isinstance(part, tuple) else part for part in spaced(pieces))
        for pieces in many
    ]

    found = split(f"{comment};\n".join(texts))

    assert [squeezed(text) for text in found] == [squeezed(text) for text in texts]


def squeezed(text: str) -> str:
    return "".join(text.split())
