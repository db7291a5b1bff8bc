"""How a database would run a statement: which tables it would read through as a whole.

An index that is read from one end, until a LIMIT is reached, is not read through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from queuekit.database.queries import Query, load
from tests.dialects.support import ask

Given = Mapping[str, Any]

#: What follows a table's name and is no alias.
_KEYWORDS = {"cross", "for", "force", "group", "join", "left", "on", "order", "set", "using"}
_KEYWORDS |= {"limit", "skip", "straight_join", "union", "where", "select", "values"}

_MEMORY = "asked_often"

#: The columns without which an index is read as a whole. The one by processes has every claim that
#: a process has had, until autovacuum comes.
LEADING = {
    "queuekit_ready_executions_by_queue": "queue_name",
    "queuekit_ready_executions_by_priority": "priority",
    "queuekit_claimed_executions_by_process": "job_id",
    "queuekit_scheduled_executions_due": "scheduled_at",
    "queuekit_failed_executions_by_time": "failed_at",
    "queuekit_finished_executions_by_time": "finished_at",
}


def askable(dialect: str, given: Given) -> list[Query]:
    """The queries that have all their parameters here."""
    return [query for query in load(dialect).values() if query.parameters <= given.keys()]


def read_through(dialect: str, query: Query, given: Given, tables: set[str]) -> list[str]:
    """What a query, asked with these parameters, reads through of these tables."""
    return [*_EXPLAIN[dialect](query, given, tables)]


def analyze(dialect: str, tables: set[str]) -> None:
    if dialect == "mysql":
        for table in sorted(tables):
            ask(f"analyze table {table}")
    else:
        ask("analyze")


def _names(statement: str, tables: set[str]) -> set[str]:
    """The tables, and what this statement calls them."""
    called = re.finditer(r"(queuekit_\w+)\s+(?:as\s+)?(\w+)", statement)
    return tables | {
        found[2] for found in called if found[1] in tables and found[2] not in _KEYWORDS
    }


# SQLite


def _in_sqlite(query: Query, given: Given, tables: set[str]) -> Iterator[str]:
    for statement in query.statements:
        names = _names(statement, tables)
        plan = [row[3] for row in ask(f"explain query plan {statement}", **given)]
        made = {line.split()[1] for line in plan if line.startswith(("MATERIALIZE", "CO-ROUTINE"))}
        sorts = any("TEMP B-TREE FOR ORDER BY" in line for line in plan)
        for line in plan:
            scanned = re.match(r"SCAN (\w+)(.*INDEX)?", line)
            is_read_from_an_end = scanned and scanned[2] and _is_limited(statement) and not sorts
            if scanned and scanned[1] in names - made and not is_read_from_an_end:
                yield line


def _is_limited(statement: str) -> bool:
    return re.search(r"\blimit\b|\bmin\(|\bmax\(", statement) is not None


# PostgreSQL


def _in_postgresql(query: Query, given: Given, tables: set[str]) -> Iterator[str]:
    """With the values, and as the server plans what it has been asked often."""
    for statement in query.statements:
        if not re.match(r"(insert|update|delete|select|with)\b", statement):
            continue
        ((plan,),) = ask(f"explain (format json) {statement}", **given)
        yield from _nodes_read_through(plan[0]["Plan"], tables)
        prepare(statement)
        yield from explain_prepared(statement, given, tables)
        forget_prepared()


def prepare(statement: str, name: str = _MEMORY) -> None:
    numbered = {name: f"${index}" for index, name in enumerate(_parameters(statement), 1)}
    generic = re.sub(r"(?<!:):(\w+)", lambda found: numbered[found[1]], statement)
    ask(f"prepare {name} as {generic}")


def explain_prepared(
    statement: str, given: Given, tables: set[str], name: str = _MEMORY
) -> Iterator[str]:
    ((plan,),) = ask(f"explain (format json) {execution(statement, given, name)}")
    yield from _nodes_read_through(plan[0]["Plan"], tables)


def execution(statement: str, given: Given, name: str) -> str:
    values = ", ".join(_quoted(given[parameter]) for parameter in _parameters(statement))
    return f"execute {name}({values})" if values else f"execute {name}"


def forget_prepared(name: str = _MEMORY) -> None:
    ask(f"deallocate {name}")


def _parameters(statement: str) -> list[str]:
    return sorted(Query("a statement", (statement,)).parameters)


def _quoted(value: Any) -> str:
    return "null" if value is None else "'" + str(value).replace("'", "''") + "'"


def _nodes_read_through(
    node: Mapping[str, Any], tables: set[str], is_limited: bool = False
) -> Iterator[str]:
    kind = node["Node Type"]
    if kind in ("Limit", "ModifyTable", "Result"):
        is_limited = kind == "Limit"
    elif kind in ("Sort", "Aggregate", "Hash", "Materialize"):
        is_limited = False
    table = node.get("Relation Name") or node.get("Index Name", "")
    if kind.endswith("Scan") and table in tables:
        is_search = "Index Cond" in node or kind in ("Bitmap Heap Scan", "Tid Scan")
        if not is_search and not (kind.startswith("Index") and is_limited):
            yield f"{kind} of {table}"
        column = LEADING.get(node.get("Index Name", ""), "")
        if column not in node.get("Index Cond", column):
            yield f"{kind} of {table}, by {node['Index Cond']}"
    for child in node.get("Plans", []):
        yield from _nodes_read_through(child, tables, is_limited)


# MySQL and MariaDB


def _in_mysql(query: Query, given: Given, tables: set[str]) -> Iterator[str]:
    if "mariadb" not in ask("select version()")[0][0].lower():
        ask("set session explain_format = traditional")
    for statement in query.statements:
        if not re.match(r"(insert|update|delete|select|with)\b", statement):
            continue
        names = _names(statement, tables)
        for row in ask(f"explain {statement}", **given):
            if row[1] == "INSERT" or row[2] not in names:
                continue
            sorts = "filesort" in str(row[-1]) or "temporary" in str(row[-1])
            is_read_from_an_end = _is_limited(statement) and not sorts
            if "ALL" in row[3:5] or ("index" in row[3:5] and not is_read_from_an_end):
                yield str(row)


_EXPLAIN: dict[str, Callable[[Query, Given, set[str]], Iterator[str]]] = {
    "sqlite": _in_sqlite,
    "postgresql": _in_postgresql,
    "mysql": _in_mysql,
}
