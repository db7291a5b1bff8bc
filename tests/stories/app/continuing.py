"""Jobs of steps, and a job that completes itself. They stop at every place until its gate opens."""

from __future__ import annotations

import sqlite3
from typing import Any

from jobs import note, wait_until_open

import queuekit
from queuekit import Step, application, context


def come_to(place: str) -> None:
    """Say so, wait, and say when the place is left."""
    note(f"{place} began")
    wait_until_open(place)
    note(f"{place} ended")


class Import(queuekit.Continuable, queuekit.Job):
    on_process_death = "retry"
    max_process_deaths = 10

    def perform(self) -> None:
        self.step("validate", lambda: come_to("validate"))
        self.step("rows", self.read, start=0)
        self.step("finish", lambda: come_to("finish"))

    def read(self, step: Step) -> None:
        while step.cursor < 2:
            context.progress(step.cursor, 2)
            come_to(f"row {step.cursor}")
            step.advance()


@queuekit.job(on_process_death="retry", max_process_deaths=10)
def order() -> None:
    connection = connect()
    cursor = connection.cursor()
    if isinstance(connection, sqlite3.Connection):
        cursor.execute("begin immediate")
    cursor.execute("insert into orders values (1)")
    context.complete(connection)
    come_to("commit")
    connection.commit()
    come_to("end")


@queuekit.job
def forget_to_commit() -> None:
    """The connection stays open, and with it the transaction."""
    connection = connect()
    context.complete(connection)
    kept.append(connection)
    note("returned")


kept: list[Any] = []


@queuekit.job
def end_what_was_kept(how: str) -> None:
    getattr(kept.pop(), how)()


def connect() -> Any:
    url = application.database().url
    if url.dialect == "sqlite":
        return sqlite3.connect(url.database, check_same_thread=False)
    if url.dialect == "postgresql":
        import psycopg

        return psycopg.connect(application.configuration().database_url)
    import pymysql

    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.user,
        password=url.password or "",
        database=url.database,
        ssl_disabled=True,
    )
