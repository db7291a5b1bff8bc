"""The wheel, the sdist and the editable installation: each has its SQL, and runs a job.

Everything is built from a copy of the checkout. Building and installing need what pip needs: the
build backend and the dependencies, from wherever pip is told to get them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import queuekit
from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination
from tests.stories.support import (
    CHECKOUT,
    Application,
    Installation,
    environment,
)

pytestmark = pytest.mark.databases("sqlite")

NOT_COPIED = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "storage", "tmp"
)
SQL = sorted(path.relative_to(CHECKOUT) for path in (CHECKOUT / "sql").rglob("*.sql"))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with its symbolic links."""
    copy = tmp_path_factory.mktemp("copy") / "queuekit"
    shutil.copytree(CHECKOUT, copy, symlinks=True, ignore=NOT_COPIED)
    return copy


@pytest.fixture(scope="session")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was made from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(checkout))
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    (sdist,) = built.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel, and nothing else that was not asked for."""
    return environment_with(tmp_path_factory.mktemp("installed"), [str(wheel)])


@pytest.fixture(scope="session")
def editable(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the copy of the checkout, editable."""
    return environment_with(tmp_path_factory.mktemp("editable"), ["-e", str(checkout)])


@pytest.fixture(params=["installed", "editable"])
def application(
    request: pytest.FixtureRequest,
    product: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Application]:
    """An application that knows queuekit as it was installed, far from the checkout."""
    binaries: Path = request.getfixturevalue(request.param)
    installation = Installation(binaries / "python", (binaries / "queuekit",))
    folder = tmp_path / "application"
    url = f"sqlite:///{folder}/storage/queue.sqlite3"
    yield from make_application(folder, url, monkeypatch, installation=installation)


def test_what_was_installed_enqueues_and_runs_a_job(application: Application) -> None:
    application.start()

    application.python("import jobs; jobs.note.enqueue('installed')")
    application.run("enqueue", "jobs.note", "from the command line")

    application.wait_until_ran("installed", "from the command line")
    where = application.python("import queuekit; print(queuekit.__file__)")
    assert str(CHECKOUT) not in where
    application.stop()
    assert_clean_termination(application)


def test_what_was_installed_needs_no_driver_that_is_not_used(application: Application) -> None:
    printed = application.run(
        "check", "--database-url", "postgresql://localhost/x", "--database", succeeds=False
    )

    assert "queuekit[postgresql]" in printed
    assert "Traceback" not in printed


def test_the_module_is_the_command_too(application: Application) -> None:
    version = application.run("--version")

    assert version == f"queuekit {queuekit.__version__}\n"
    assert (
        application.execute(application.installation.python, "-m", "queuekit", "--version")
        == version
    )


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for path in SQL:
        assert f"queuekit/{path}" in names
    assert "queuekit/py.typed" in names
    assert {"queuekit/templates/queue.yml", "queuekit/templates/recurring.yml"} <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "queuekit",
        f"queuekit-{queuekit.__version__}.dist-info",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig"))]


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "queuekit").rglob("*.py")}

    assert {name for name in names if name.endswith(".py")} == modules


def test_the_sdist_has_the_sql_and_the_wheel_from_it_is_that_from_the_checkout(
    sdist: Path, wheel: Path, checkout: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "setup.cfg", "pyproject.toml"):
        assert name in names
    for path in SQL:
        assert f"queuekit/{path}" in names

    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(checkout))
    (direct,) = tmp_path.glob("*.whl")
    assert contents(direct) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """Files and their checksums, but for the list of both."""
    entries = zipfile.ZipFile(wheel).infolist()
    return {entry.filename: entry.CRC for entry in entries if not entry.filename.endswith("RECORD")}


def test_the_metadata_says_what_is_needed(wheel: Path) -> None:
    metadata = metadata_of(wheel)

    assert metadata["Requires-Python"] == ">=3.11"
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(line.split(">")[0].strip().lower() for line in required) == [
        "apsw",
        "click",
        "croniter",
        "pyyaml",
        "setproctitle",
        "tzdata",
    ]
    assert set(metadata.get_all("Provides-Extra", [])) == {"postgresql", "mysql", "all", "test"}
    assert "queuekit" in str(metadata.get_payload())


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = f"queuekit-{queuekit.__version__}.dist-info/METADATA"
        return Parser().parsestr(archive.read(name).decode())


def test_type_checkers_see_the_types_of_what_was_installed(installed: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls.py"
    calls.write_text(
        "import queuekit\n\n@queuekit.job\ndef job(number: int) -> None: ...\n\n"
        "job.enqueue(1)\njob.enqueue('1')\n"
    )
    places = [f"--python-executable={installed / 'python'}", f"--cache-dir={tmp_path / 'cache'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *places, "calls.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )

    (error,) = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert error.startswith("calls.py:7: error: Argument 1")


def environment_with(folder: Path, packages: Iterable[str]) -> Path:
    """A fresh virtual environment with these packages; the folder of its programs."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run(*pip, "--disable-pip-version-check", *packages)
    return folder / "bin"


def run(*command: str) -> None:
    done = subprocess.run(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
