"""Starting with something wrong: modules that cannot be imported, and signals while they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.shop import BIN_JOBS, Shop
from tests.deploying.conftest import skip_unless_namespaces, wait_until

SLOW = """
import time
from pathlib import Path

Path("importing").touch()
while not Path("go on").exists():
    time.sleep(0.01)
"""


def write(shop: Shop, **modules: str) -> None:
    for name, text in modules.items():
        (shop.folder / f"app/{name}.py").write_text(text)


def test_a_module_that_raises_ends_it_with_the_traceback_and_without_a_process(shop: Shop) -> None:
    write(shop, helper="\n\nraise OSError('no licence')\n", broken="import app.helper\n")
    result = shop.jobs("start", "--import", "app.broken")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{shop.folder}/app/broken.py", line 1, in <module>',
        "    import app.helper",
        f'  File "{shop.folder}/app/helper.py", line 3, in <module>',
        "    raise OSError('no licence')",
        "OSError: no licence",
        "Error: imports: app.broken cannot be imported: OSError: no licence",
    ]
    assert not (shop.folder / "storage").exists()


@pytest.mark.parametrize("mode", ["fork", "async"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def (:\n", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import sys\nsys.exit()\n", "SystemExit"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
        ("import app.missing\n", "ModuleNotFoundError: No module named 'app.missing'"),
        ("class E(BaseException): ...\nraise E\n", "E"),
        ("raise GeneratorExit\n", "GeneratorExit"),
    ],
)
def test_whatever_a_module_raises_is_a_failure(shop: Shop, mode: str, text: str, says: str) -> None:
    write(shop, broken=text)
    result = shop.jobs("start", "--import", "app.broken", "--mode", mode)
    assert (result.status, result.out) == (1, "")
    assert f'/app/broken.py", line {text.count(chr(10))}' in result.err
    last = result.err.splitlines()[-1]
    assert last == f"Error: imports: app.broken cannot be imported: {says}"


def test_a_module_that_is_not_there_is_named(shop: Shop) -> None:
    result = shop.jobs("start", "--import", "app.none")
    assert result.status == 1
    assert result.err.splitlines() == [
        "ModuleNotFoundError: No module named 'app.none'",
        "Error: imports: app.none cannot be imported: "
        "ModuleNotFoundError: No module named 'app.none'",
    ]


def test_a_file_is_no_module(shop: Shop) -> None:
    result = shop.jobs("start", "--import", "app/jobs.py")
    assert result.err == (
        "Error: --import: 'app/jobs.py' is not the name of a module; "
        "expected one such as app.jobs\n"
    )
    result = shop.jobs("start", "--import", "app.jobs.py")
    assert result.err.endswith("; a module's name has no .py at its end\n")


# Signals


@contextmanager
def importing(shop: Shop, *prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor in the middle of importing the application."""
    write(shop, slow=SLOW)
    with (shop.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, BIN_JOBS, "start", "--import", "app.slow"],
            cwd=shop.folder,
            env=shop.environment(),
            stdout=log,
            stderr=log,
        )
    try:
        wait_until((shop.folder / "importing").exists)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, -15), (signal.SIGQUIT, -3), (signal.SIGINT, 130)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_what_stops_it_stops_the_import_at_once(
    shop: Shop, number: signal.Signals, status: int
) -> None:
    with importing(shop) as process:
        process.send_signal(number)
        assert process.wait(30) == status
    assert not (shop.folder / "storage").exists()


def test_as_pid_1_it_can_be_stopped_while_it_imports(shop: Shop) -> None:
    """The kernel drops signals for pid 1 that it has no handler for."""
    container = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    skip_unless_namespaces(*container[1:])
    with importing(shop, *container) as outside:
        inside = int(Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
        os.kill(inside, signal.SIGTERM)
        assert outside.wait(30) == 128 + signal.SIGTERM


def test_a_reload_while_it_imports_is_done_afterwards(shop: Shop) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/queue.yml").write_text("workers: { threads: 2 }\n")
    with importing(shop) as process:
        (shop.folder / "config/queue.yml").write_text("workers: { threads: 7 }\n")
        process.send_signal(signal.SIGHUP)
        (shop.folder / "go on").touch()
        wait_until(lambda: threads(shop) == [7])
        process.terminate()
        assert process.wait(30) == 0


def test_its_stacks_can_be_seen_while_it_imports_and_after(shop: Shop) -> None:
    with importing(shop) as process:
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "app/slow.py" in (shop.folder / "log").read_text())
        (shop.folder / "go on").touch()
        wait_until(lambda: threads(shop) == [3])
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "in _supervise" in (shop.folder / "log").read_text())
        process.terminate()
        assert process.wait(30) == 0


def threads(shop: Shop) -> list[int]:
    """The threads of each worker that has registered."""
    if not (shop.folder / "storage/queue.sqlite3").exists():
        return []
    processes = shop.jobs("status", "--json").json["processes"]
    return [
        process["metadata"]["thread_pool_size"]
        for process in processes
        if process["kind"] == "Worker"
    ]
