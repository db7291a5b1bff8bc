"""What type checkers say of calls: what a worker would find too late, they find at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CALLS = Path(__file__).parent / "calls.py"
CHECKOUT = Path(__file__).parents[2]


def test_mypy_finds_the_wrong_calls_and_no_others(tmp_path: Path) -> None:
    done = run("mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(CALLS))

    found: dict[int, str] = {}
    for line in done.stdout.splitlines():
        place, kind, message = line.partition(": error: ")
        if kind:
            file, number = place.rsplit(":", 1)
            assert Path(CHECKOUT, file) == CALLS, line
            found.setdefault(int(number), message)
    assert_as_marked(found, done)


def test_pyright_finds_the_wrong_calls_and_no_others() -> None:
    done = run("pyright", "--outputjson", "--pythonpath", sys.executable, str(CALLS))

    found = {
        problem["range"]["start"]["line"] + 1: problem["message"]
        for problem in json.loads(done.stdout)["generalDiagnostics"]
        if problem["severity"] == "error"
    }
    assert_as_marked(found, done)


def assert_as_marked(found: dict[int, str], done: subprocess.CompletedProcess[str]) -> None:
    lines = CALLS.read_text().splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}

    overlooked = [lines[number - 1].strip() for number in sorted(marked - set(found))]
    invented = [f"{lines[n - 1].strip()}: {found[n]}" for n in sorted(set(found) - marked)]
    assert (overlooked, invented) == ([], []), done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
    )
