"""`bin/jobs prepare` and `bin/jobs schema`, and what an unprepared server gets."""

from __future__ import annotations

import pytest

from queuekit.database import open_database
from tests.cli.shop import Shop


def test_preparing_says_what_it_applied(shop: Shop, empty_url: str) -> None:
    result = shop.jobs("prepare", "--database-url", empty_url)
    applied = (
        "applied 0001 create_tables\n"
        "applied 0002 count_process_deaths\n"
        "applied 0003 keep_counters_and_steps\n"
        "applied 0004 limit_concurrency\n"
        "applied 0005 recurring_tasks\n"
        "applied 0006 vacuum_in_time\n"
    )
    assert (result.status, result.out, result.err) == (0, applied, "")
    result = shop.jobs("prepare", "--database-url", empty_url)
    assert result.status == 0
    assert result.out.endswith(" is prepared, nothing was missing\n")


def test_preparing_as_json(shop: Shop) -> None:
    url = f"sqlite:///{shop.folder}/queue.sqlite3"
    document = shop.jobs("prepare", "--json", "--database-url", url).json
    applied = [
        {"version": 1, "name": "create_tables"},
        {"version": 2, "name": "count_process_deaths"},
        {"version": 3, "name": "keep_counters_and_steps"},
        {"version": 4, "name": "limit_concurrency"},
        {"version": 5, "name": "recurring_tasks"},
        {"version": 6, "name": "vacuum_in_time"},
    ]
    assert document == {"database": url, "applied": applied}
    assert shop.jobs("prepare", "--json", "--database-url", url).json["applied"] == []


@pytest.mark.databases("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize(
    "command",
    [["status"], ["queues"], ["failed"], ["clear"], ["enqueue", "app.jobs.anything"], ["start"]],
    ids=" ".join,
)
def test_an_unprepared_server_is_one_line_that_says_what_to_run(
    shop: Shop, empty_url: str, command: list[str]
) -> None:
    result = shop.jobs(*command, "--database-url", empty_url)
    assert (result.status, result.out) == (1, "")
    assert result.err.endswith(": run bin/jobs prepare\n")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
def test_the_schema_of_a_dialect_needs_no_database(shop: Shop, dialect: str) -> None:
    result = shop.jobs("schema", "--dialect", dialect)
    assert (result.status, result.err) == (0, "")
    assert "create table if not exists queuekit_schema_migrations" in result.out
    assert "create table queuekit_jobs" in result.out
    assert "values (1, 'create_tables');\n" in result.out
    assert result.out.endswith("values (6, 'vacuum_in_time');\n")


def test_the_schema_is_by_default_that_of_the_configured_database(shop: Shop) -> None:
    result = shop.jobs("schema", "--database-url", "mysql://shop@db/shop")
    assert result.out == shop.jobs("schema", "--dialect", "mysql").out


def test_a_database_made_from_the_schema_is_prepared(shop: Shop) -> None:
    connection = open_database(shop.url).connect()
    connection.execute(shop.jobs("schema", "--dialect", "sqlite").out, {})
    connection.close()
    assert shop.jobs("prepare").out.endswith(" is prepared, nothing was missing\n")
