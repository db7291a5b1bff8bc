"""Which modules a row may have imported, and what is said about the others."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from queuekit import declaration
from queuekit.errors import ConfigurationError, UnknownJobError
from queuekit.importing import find, import_all, known

JOB = "import queuekit\n\n@queuekit.job\ndef run():\n    return {!r}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The application's folder, from which modules can be imported; what was is forgotten."""
    before = set(sys.modules)
    monkeypatch.setattr(declaration, "_registered", dict(declaration._registered))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))


@pytest.mark.parametrize(
    "file",
    [
        "unit_a.py",
        "unit_b/__init__.py",
        "unit_c/jobs.py",
        "unit_d/deep/down/jobs.py",
    ],
)
def test_modules_below_the_folder_are_imported(folder: Path, file: str) -> None:
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    write(folder / file, JOB.format(module))

    assert find(f"{module}.run").call() == module


def test_classes_in_classes_are_found(folder: Path) -> None:
    write(
        folder / "unit_nested.py",
        """
        import queuekit

        class Mail:
            class Welcome(queuekit.Job):
                def perform(self):
                    return "hello"
        """,
    )

    assert find("unit_nested.Mail.Welcome").call() == "hello"


def test_what_was_declared_is_found_without_importing(folder: Path) -> None:
    write(folder / "unit_once.py", JOB.format("once"))
    first = find("unit_once.run")
    (folder / "unit_once.py").unlink()

    assert find("unit_once.run") is first


@pytest.mark.parametrize(
    "name",
    [
        "antigravity.fly",
        "this.zen",
        "unit_missing.run",
        "run",
        "",
        ".",
        "..",
        "...run",
        "/etc/passwd",
        "unit_package/jobs.run",
        "unit package.run",
        "import os; os",
        "\0.run",
        "\ud83d.run",
        "x" * 10_000,
        "a." * 500 + "a",
    ],
)
def test_nothing_else_is_imported(folder: Path, name: str) -> None:
    write(folder / "unit_package/__init__.py", "raise AssertionError('imported')")

    with pytest.raises(UnknownJobError) as raised:
        find(name)

    assert str(raised.value) == (
        f"job {name} is not known: start bin/jobs in the folder that its module lies below, or "
        "list the module under imports"
    )
    assert not {"antigravity", "this", "unit_package"} & set(sys.modules)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = 1", "{0} was imported and declares no job of that name"),
        ("import queuekit", "{0} was imported and declares no job of that name"),
        ("raise ValueError('no')", "importing {0} raised ValueError: no"),
        ("import unit_not_there", "importing {0} raised ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "importing {0} raised SystemExit: 3"),
        ("def (:", "importing {0} raised SyntaxError: "),
    ],
)
def test_a_module_without_the_job_says_what_is_wrong_with_it(
    folder: Path, source: str, problem: str
) -> None:
    write(folder / "unit_broken.py", source)

    with pytest.raises(UnknownJobError) as raised:
        find("unit_broken.run")

    assert str(raised.value).startswith(
        "job unit_broken.run is not known: " + problem.format("unit_broken")
    )


@pytest.mark.parametrize("name", ["unit_whole.missing.run", "unit_whole..run", "unit_whole.run()"])
def test_the_longest_part_that_is_a_module_is_imported(folder: Path, name: str) -> None:
    write(folder / "unit_whole/__init__.py", JOB.format("whole"))

    with pytest.raises(UnknownJobError) as raised:
        find(name)

    assert str(raised.value) == (
        f"job {name} is not known: unit_whole was imported and declares no job of that name"
    )


def test_a_function_that_is_no_job_is_not_run(folder: Path) -> None:
    write(folder / "unit_plain.py", "from os import system\ndef run(): ...\nclass Run: ...")

    for name in ("unit_plain.run", "unit_plain.Run", "unit_plain.system", "os.system"):
        with pytest.raises(UnknownJobError, match="was imported and declares no job of that name"):
            find(name)


def test_the_folder_is_the_one_that_is_given(folder: Path, tmp_path: Path) -> None:
    write(folder / "inside/unit_inside.py", JOB.format("inside"))
    write(folder / "unit_above.py", JOB.format("above"))
    sys.path.insert(0, str(folder / "inside"))
    try:
        assert find("unit_inside.run", folder=folder / "inside").call() == "inside"
        with pytest.raises(UnknownJobError, match="start bin/jobs in the folder"):
            find("unit_above.run", folder=folder / "inside")
        assert find("unit_above.run", folder=folder).call() == "above"
    finally:
        sys.path.remove(str(folder / "inside"))


def test_a_virtual_environment_in_the_folder_is_not_the_application(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = folder / ".venv/lib/python3/site-packages"
    write(library / "unit_library.py", JOB.format("library"))
    monkeypatch.syspath_prepend(library)

    with pytest.raises(UnknownJobError, match="list the module under imports"):
        find("unit_library.run")
    assert find("unit_library.run", imports=["unit_library"]).call() == "library"


@pytest.mark.parametrize(
    ("imports", "known"),
    [
        (["unit_outside"], True),
        (["unit_outside.jobs"], True),
        (["unit_outside.job"], False),
        (["unit_out"], False),
        ([], False),
    ],
)
def test_modules_named_in_imports_may_be_anywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, imports: Sequence[str], known: bool
) -> None:
    write(folder / "elsewhere/unit_outside/jobs.py", JOB.format("outside"))
    monkeypatch.syspath_prepend(folder / "elsewhere")
    (folder / "application").mkdir()
    monkeypatch.chdir(folder / "application")

    if known:
        assert find("unit_outside.jobs.run", imports).call() == "outside"
    else:
        with pytest.raises(UnknownJobError, match="list the module under imports"):
            find("unit_outside.jobs.run", imports)


def test_a_link_does_not_lead_out_of_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "elsewhere/unit_linked.py", JOB.format("linked"))
    application = folder / "application"
    application.mkdir()
    (application / "unit_linked.py").symlink_to(folder / "elsewhere/unit_linked.py")
    monkeypatch.syspath_prepend(application)

    with pytest.raises(UnknownJobError, match="start bin/jobs in the folder"):
        find("unit_linked.run", folder=application)


def test_import_all_names_the_module_that_cannot_be_imported(folder: Path) -> None:
    write(folder / "unit_good.py", "x = 1")
    write(folder / "unit_bad.py", "raise ValueError('no')")

    import_all(["unit_good"])
    with pytest.raises(ConfigurationError) as raised:
        import_all(["unit_good", "unit_bad"])
    assert str(raised.value) == "imports: unit_bad cannot be imported: ValueError: no"
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_job_is_known_when_its_module_has_been_run_to_its_end(folder: Path) -> None:
    """Another thread may be in the middle of it: what the job needs may stand further down."""
    write(
        folder / "unit_slow.py",
        """
        import threading
        import queuekit

        declared, goes_on = threading.Event(), threading.Event()

        @queuekit.job
        def run():
            return later()

        declared.set()
        assert goes_on.wait(60)

        def later():
            return "later"
        """,
    )
    found: list[Any] = []
    importer = threading.Thread(target=lambda: found.append(find("unit_slow.run")))
    importer.start()
    while "unit_slow" not in sys.modules or not hasattr(sys.modules["unit_slow"], "goes_on"):
        time.sleep(0.001)
    module = sys.modules["unit_slow"]
    assert module.declared.wait(60)

    assert declaration.find("unit_slow.run") is not None
    assert known("unit_slow.run") is None
    other = threading.Thread(target=lambda: found.append(find("unit_slow.run").call()))
    other.start()

    module.goes_on.set()
    importer.join()
    other.join()
    assert known("unit_slow.run") in found
    assert "later" in found
