"""Who imports whom: imports point down, and enqueueing pays for nothing that it does not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit

PACKAGE = Path(queuekit.__file__).parent

#: From the top down. A module may import from its own layer and from those below.
LAYERS = [
    ("cli", "testing", "__main__"),
    ("processes",),
    ("__init__", "status", "jobs"),
    ("recurring",),
    ("job",),
    ("binding", "performing"),
    ("concluding",),
    ("continuation",),
    ("stepping",),
    (
        "current",
        "description",
        "enqueueing",
        "importing",
        "packing",
        "progress",
        "queues",
        "receipts",
        "slots",
    ),
    ("declaration", "executions", "propagation"),
    ("declaring",),
    ("limits", "throttles", "uniqueness"),
    ("keys",),
    ("application", "arguments", "callbacks", "deferral", "ids", "logs"),
    ("parameters", "policies", "recurrences", "threads", "times"),
    ("database",),
    ("config", "hooks"),
    ("schedules",),
    ("checks", "events"),
    ("errors", "names", "version"),
]
LAYER = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}
LEAVES = {"errors", "names", "version"}


def imports() -> Iterator[tuple[str, str, bool]]:
    """Every import of queuekit by queuekit: the importing part, the imported one, at run time?"""
    for path in sorted(PACKAGE.rglob("*.py")):
        importer = path.relative_to(PACKAGE).with_suffix("").parts[0]
        tree = ast.parse(path.read_text())
        typing_only = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            for name in imported(node):
                yield importer, name, id(node) not in typing_only


def imported(node: ast.AST) -> Iterator[str]:
    """The parts of queuekit that an import statement names: `database` of queuekit.database.url."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "queuekit":
        modules = [f"queuekit.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        modules = [node.module or ""]
    else:
        modules = []
    for module in modules:
        top, _, rest = module.partition(".")
        if top == "queuekit":
            yield rest.partition(".")[0] or "__init__"


def test_every_module_has_its_layer() -> None:
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}

    assert parts == set(LAYER)


def test_imports_point_down() -> None:
    upwards = {
        f"{importer} imports {name}"
        for importer, name, at_run_time in imports()
        if at_run_time and LAYER[name] < LAYER[importer]
    }

    assert upwards == set()


def test_leaves_import_nothing() -> None:
    assert {importer for importer, _, _ in imports()} & LEAVES == set()


def test_configuration_events_and_hooks_need_next_to_nothing() -> None:
    needed = {(importer, name) for importer, name, _ in imports()}

    assert {name for importer, name in needed if importer == "events"} == {"errors"}
    assert {name for importer, name in needed if importer == "config"} == {
        "checks",
        "config",
        "errors",
    }
    assert {name for importer, name in needed if importer == "hooks"} == {"events"}


def test_only_the_command_line_and_tests_know_processes() -> None:
    users = {importer for importer, name, _ in imports() if name == "processes"}

    assert users <= {"processes", "cli", "testing"}


@pytest.mark.parametrize(
    "code",
    [
        "import queuekit",
        "import queuekit; queuekit.configure(database_url='sqlite:///nowhere/x.sqlite3')",
        "import queuekit; queuekit.job(len)",
    ],
)
def test_importing_queuekit_loads_no_driver_and_no_processes(code: str, tmp_path: Path) -> None:
    print_modules = "import sys; print(*sys.modules, sep='\\n')"
    printed = subprocess.check_output(
        [sys.executable, "-c", f"{code}\n{print_modules}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PACKAGE.parent)},
        text=True,
        timeout=90,
    )

    loaded = printed.splitlines()
    assert "queuekit.job" in loaded
    heavies = ["psycopg", "pymysql", "click", "setproctitle", "croniter"]
    heavies += ["queuekit.processes", "queuekit.schedules"]
    for heavy in heavies:
        assert heavy not in loaded
    assert not (tmp_path / "nowhere").exists()
