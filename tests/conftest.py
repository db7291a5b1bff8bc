"""The databases of a run: which are chosen, how tests get one, and what the run says at its end.

A test that asks for `empty_url`, `database_url`, `server` or `killable_server` runs once on each
chosen database; `@pytest.mark.databases("mariadb", "mysql")` restricts it. Servers start when the
first test needs them, once, and stop with the run; where it is one of several processes, each has
servers of its own, and the first process sums up what the others did.

No database is left out in silence: unless `--only` says so, a run without SQLite, PostgreSQL or
MariaDB fails, whatever else it shows.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.clusters import Cluster
from tests.servers import CLUSTERS, ExternalServer, Server

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("queuekit", deadline=None)
hypothesis.settings.load_profile("queuekit")

REQUIRED = ["sqlite", "postgresql", "mariadb"]
PRODUCTS = [*REQUIRED, "mysql"]

for variable in list(os.environ):
    # Neither a developer's own queue nor psql's defaults are any business of the tests.
    if variable.startswith(("QUEUEKIT_", "PG")) and not variable.startswith("QUEUEKIT_TEST_"):
        del os.environ[variable]


# The choice


@dataclass
class Choice:
    """The databases of this run, and what became of them."""

    chosen: list[str]
    external: dict[str, ExternalServer]
    left_out: dict[str, str]
    broken_promises: list[str]
    tests: Counter[str] = field(default_factory=Counter)
    versions: dict[str, str] = field(default_factory=dict)
    long_tests_left_out: int = 0


CHOICE = pytest.StashKey[Choice]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("queuekit")
    group.addoption(
        "--only",
        action="append",
        choices=PRODUCTS,
        metavar="NAME",
        help=f"only this database (repeatable): {', '.join(PRODUCTS)}",
    )
    group.addoption("--with-mysql", action="store_true", help="MySQL itself too")
    group.addoption("--long", action="store_true", help="also the tests that take minutes")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what is in its background with these ignored, which the processes that tests
    # start would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    config.addinivalue_line("markers", "databases(*names): runs on these databases only")
    config.stash[CHOICE] = choose(config)


def choose(config: pytest.Config) -> Choice:
    only: list[str] | None = config.getoption("only")
    external = external_servers()
    wanted = list(dict.fromkeys(only or REQUIRED))
    left_out = dict.fromkeys(PRODUCTS, "--only" if only else "--with-mysql adds it")
    if not only and "mysql" in external:
        wanted[wanted.index("mariadb")] = "mysql"
        left_out["mariadb"] = "QUEUEKIT_TEST_MYSQL_URL names a MySQL server instead"
    if config.getoption("with_mysql") and "mysql" not in wanted:
        wanted.append("mysql")

    missing = [name for name in wanted if not (name in external or installed(name))]
    left_out |= dict.fromkeys(missing, "no such server is installed")
    chosen = [name for name in PRODUCTS if name in wanted and name not in missing]
    if not chosen:
        raise pytest.UsageError(f"no server is installed for {', '.join(missing)}")
    for name in chosen:
        del left_out[name]
    return Choice(chosen, external, left_out, broken_promises=missing)


def external_servers() -> dict[str, ExternalServer]:
    servers = {}
    for variable in ("QUEUEKIT_TEST_POSTGRESQL_URL", "QUEUEKIT_TEST_MYSQL_URL"):
        url = os.environ.get(variable)
        if url:
            try:
                server = ExternalServer(url)
            except Exception as error:
                raise pytest.UsageError(f"{variable} names no usable server: {error}") from error
            servers[server.product] = server
    return servers


def installed(name: str) -> bool:
    return name == "sqlite" or CLUSTERS[name].installed()


# The selection of tests


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "product" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("databases")
        names = set(marker.args if marker else PRODUCTS)
        if not names <= set(PRODUCTS):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: unknown databases: {names}")
        if "killable_server" in metafunc.fixturenames:
            names.discard("sqlite")
        chosen = [name for name in metafunc.config.stash[CHOICE].chosen if name in names]
        # A test whose databases are all left out is taken out of the collection below.
        metafunc.parametrize("product", chosen or sorted(names), indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choice = config.stash[CHOICE]
    kept, left = [], []
    for item in items:
        product = product_of(item)
        if product is not None and product not in choice.chosen:
            left.append(item)
        elif item.get_closest_marker("long") and not config.getoption("long"):
            choice.long_tests_left_out += 1
            left.append(item)
        else:
            kept.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
    items[:] = kept


def product_of(item: pytest.Item) -> str | None:
    """The database that a test runs on, if it asked for one."""
    return item.callspec.params.get("product") if hasattr(item, "callspec") else None


# What tests ask for


class Supply:
    """The servers of a session and one prepared database on each, made when first asked for."""

    def __init__(self, choice: Choice, folder: Path) -> None:
        self.choice = choice
        self.folder = folder
        self.servers: dict[str, Server] = {}
        self.prepared: dict[str, str] = {}
        self.created: list[tuple[Server, str]] = []

    def server(self, product: str) -> Server | None:
        if product == "sqlite":
            self.choice.versions[product] = f"SQLite {sqlite3.sqlite_version}"
            return None
        if product not in self.servers:
            server: Server = self.choice.external.get(product) or CLUSTERS[product]()
            self.servers[product] = server
            revive(server)
            self.choice.versions[product] = server.version()
        return self.servers[product]

    def prepared_url(self, product: str) -> str:
        """The URL of the prepared database; of SQLite's, a file to copy."""
        if product not in self.prepared:
            from queuekit.database import prepare

            url = self._template_url(product)
            prepare(url)
            self.prepared[product] = url
        return self.prepared[product]

    def _template_url(self, product: str) -> str:
        server = self.server(product)
        if server is None:
            return sqlite_url(self.template)
        name = new_name()
        self.created.append((server, name))
        return server.create_database(name)

    @property
    def template(self) -> Path:
        return self.folder / "template.sqlite3"

    def close(self) -> None:
        for server, name in self.created:
            if isinstance(server, ExternalServer):
                server.drop_database(name)
        for server in self.servers.values():
            server.close()


@pytest.fixture(scope="session")
def supply(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supply]:
    supply = Supply(pytestconfig.stash[CHOICE], tmp_path_factory.mktemp("template"))
    yield supply
    supply.close()


@pytest.fixture(scope="session")
def product(request: pytest.FixtureRequest) -> str:
    """The database of this test: sqlite, postgresql, mariadb or mysql."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def server(product: str, supply: Supply) -> Server | None:
    """The running server; None for SQLite."""
    return supply.server(product)


@pytest.fixture
def killable_server(product: str, server: Server | None) -> Iterator[Cluster]:
    """A throwaway server that the test may stop, kill and restart; never SQLite."""
    if isinstance(server, Cluster):
        revive(server)
        yield server
        revive(server)
    else:
        with CLUSTERS[product]() as throwaway:
            yield throwaway


@pytest.fixture
def empty_url(server: Server | None, tmp_path: Path) -> Iterator[str]:
    """A database of its own, without any table."""
    if server is None:
        yield sqlite_url(tmp_path / "queue.sqlite3")
    else:
        revive(server)
        name = new_name()
        yield server.create_database(name)
        revive(server)
        server.drop_database(name)


@pytest.fixture
def database_url(product: str, server: Server | None, supply: Supply, tmp_path: Path) -> str:
    """A prepared database without any rows."""
    if server is None:
        supply.prepared_url(product)
        return sqlite_url(copy_of_sqlite(supply.template, tmp_path / "queue.sqlite3"))
    revive(server)
    url = supply.prepared_url(product)
    server.databases.empty(url)
    return url


def revive(server: Server) -> None:
    """Start the server unless it runs: the test before may have killed it."""
    if isinstance(server, Cluster):
        server.start()


def copy_of_sqlite(template: Path, copy: Path) -> Path:
    with closing(sqlite3.connect(template)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    shutil.copyfile(template, copy)
    return copy


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def new_name() -> str:
    return f"queuekit_{secrets.token_hex(6)}"


# The closing summary

RESULTS = ("passed", "failed", "error", "skipped")


def pytest_runtest_call(item: pytest.Item) -> None:
    product = product_of(item)
    if product is not None:
        item.config.stash[CHOICE].tests[product] += 1


def pytest_testnodedown(node: Any) -> None:
    """What one of several processes has done is part of the run."""
    done = getattr(node, "workeroutput", {}).get("databases")
    if done is not None:
        choice = node.config.stash[CHOICE]
        choice.tests.update(done["tests"])
        choice.versions |= done["versions"]
        choice.long_tests_left_out = done["long_tests_left_out"]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    choice = session.config.stash[CHOICE]
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["databases"] = {
            "tests": dict(choice.tests),
            "versions": choice.versions,
            "long_tests_left_out": choice.long_tests_left_out,
        }
        return
    for name in choice.chosen:
        if not choice.tests[name]:
            choice.left_out[name] = "none of the selected tests needed it"
            if runs_everything(session.config):
                choice.broken_promises.append(name)
    if choice.broken_promises and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def runs_everything(config: pytest.Config) -> bool:
    """Whether the tests were not narrowed down by hand."""
    narrowing = ("keyword", "markexpr", "deselect", "lf", "collectonly", "stepwise", "maxfail")
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not any(
        config.getoption(option, None) for option in narrowing
    )


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    choice = config.stash[CHOICE]
    terminalreporter.section("databases")
    for name in choice.chosen:
        if name not in choice.left_out:
            version = choice.versions.get(name, name)
            terminalreporter.line(f"used: {version}, by {choice.tests[name]} tests")
    for name, reason in choice.left_out.items():
        broken = name in choice.broken_promises
        verdict = "FAILED, left out" if broken else "left out"
        terminalreporter.line(f"{verdict}: {name} ({reason})", red=broken, bold=broken)
    if choice.long_tests_left_out:
        count = choice.long_tests_left_out
        terminalreporter.line(f"left out: {count} tests that take minutes (--long runs them)")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The counts again, in a line that is always of the same form. What went wrong around a test
    counts as failed, too."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and any(reporter.stats.get(name) for name in RESULTS):
        passed, failed, error, skipped = (len(reporter.stats.get(name, ())) for name in RESULTS)
        reporter.write_line(f"{passed} passed, {failed + error} failed, {skipped} skipped")
