"""`bin/jobs prepare` and `bin/jobs schema`: the tables."""

from __future__ import annotations

import click

from queuekit import application
from queuekit import database as databases
from queuekit.cli import options, output
from queuekit.database import Migration


@click.command()
@options.json_option
@options.common_options
def prepare(as_json: bool) -> None:
    """Create queuekit's tables, or bring them up to date.

    Applies the migrations that the database lacks; any number of hosts may do it at once. SQLite
    does it by itself when it is first used, a server only here.

    \b
    Examples:
      bin/jobs prepare
      bin/jobs prepare --database-url postgresql://app@localhost/app
    """
    url = options.use().database_url
    applied = databases.prepare(url)
    if as_json:
        output.print_json({"database": databases.masked(url), "applied": list_migrations(applied)})
    else:
        for migration in applied:
            click.echo(f"applied {migration_name(migration)}")
        if not applied:
            click.echo(
                f"{output.printable(databases.masked(url))} is prepared, nothing was missing"
            )


@click.command()
@click.option(
    "--dialect",
    type=click.Choice(list(databases.DIALECTS)),
    help="Default: that of the configured database.",
)
@options.common_options
def schema(dialect: str | None) -> None:
    """Print the SQL of the tables, for those who apply it themselves.

    It also records its migrations, so that prepare finds nothing missing afterwards.

    \b
    Examples:
      bin/jobs schema --dialect mysql > queue.sql
      bin/jobs schema --dialect postgresql | psql app
    """
    if dialect is None:
        options.use()
        dialect = application.database().dialect.name
    click.echo("\n\n".join(databases.script(dialect)))


def migration_name(migration: Migration) -> str:
    return f"{migration.version:04} {migration.name}"


def list_migrations(migrations: list[Migration]) -> list[dict[str, object]]:
    return [{"version": migration.version, "name": migration.name} for migration in migrations]
