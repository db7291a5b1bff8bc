"""Rows that no worker can run, and where a job may be defined: each harms itself at the most.

What a worker does not know may be a newer version's, and is tried again for half an hour
(test_rolling_deploys has that). Here such rows have had their last but one chance.
"""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from queuekit.description import Description
from queuekit.enqueueing import Receipt, write
from tests.stories.promises import assert_clean_termination, assert_failed
from tests.stories.support import POLICIES, Application, describe

NO_ARGUMENTS = '{"args":[],"kwargs":{}}'
RAISES = "policies.trip_over_the_wait"
CONTEXT = '{"args":[],"kwargs":{"tenant":%s}}'
IN_CONTEXT = "in the context that came with the job"
COUNTS = "the stored counts of errors"
UNKNOWN = "queuekit.errors.UnknownJobError"
UNREADABLE = "queuekit.errors.DeserializationError"
NOT_BELOW = (
    "start bin/jobs in the folder that its module lies below, or list the module under imports"
)

BAD_ROWS = [
    # class_name, arguments, the error's class and how its message begins
    (
        "jobs.Gone",
        NO_ARGUMENTS,
        UNKNOWN,
        "job jobs.Gone is not known: jobs was imported and declares no job of that name",
    ),
    ("jobs.FOLDER", NO_ARGUMENTS, UNKNOWN, "job jobs.FOLDER is not known: jobs was imported"),
    (
        "jobs.os.system",
        '{"args":["touch hacked"],"kwargs":{}}',
        UNKNOWN,
        "job jobs.os.system is not known",
    ),
    (
        "os.system",
        '{"args":["touch hacked"],"kwargs":{}}',
        UNKNOWN,
        "job os.system is not known: os was imported and declares no job of that name",
    ),
    ("missing.job", NO_ARGUMENTS, UNKNOWN, f"job missing.job is not known: {NOT_BELOW}"),
    ("this.zen", NO_ARGUMENTS, UNKNOWN, f"job this.zen is not known: {NOT_BELOW}"),
    (
        "lib.jobs.note",
        NO_ARGUMENTS,
        UNKNOWN,
        "job lib.jobs.note is not known: importing lib.jobs raised ModuleNotFoundError: "
        "No module named 'not_installed'",
    ),
    (
        "broken.job",
        NO_ARGUMENTS,
        UNKNOWN,
        "job broken.job is not known: importing broken raised RuntimeError: no luck",
    ),
    (
        "misspelt.job",
        NO_ARGUMENTS,
        UNKNOWN,
        "job misspelt.job is not known: importing misspelt raised SyntaxError: ",
    ),
    (
        "leaving.job",
        NO_ARGUMENTS,
        UNKNOWN,
        "job leaving.job is not known: importing leaving raised SystemExit: 3",
    ),
    ("no_dots", NO_ARGUMENTS, UNKNOWN, f"job no_dots is not known: {NOT_BELOW}"),
    ("..", NO_ARGUMENTS, UNKNOWN, f"job .. is not known: {NOT_BELOW}"),
    ("jobs.note", "not json", UNREADABLE, "the stored arguments are not JSON: "),
    ("jobs.note", "", UNREADABLE, "the stored arguments are not JSON: "),
    (
        "jobs.note",
        '["text"]',
        UNREADABLE,
        "the stored arguments are not an object of args and kwargs",
    ),
    (
        "jobs.note",
        '{"args":{},"kwargs":[]}',
        UNREADABLE,
        "the stored args are not a list, or the kwargs not an object",
    ),
    (
        "jobs.note",
        '{"args":[{"_queuekit":"Decimal"}],"kwargs":{}}',
        UNREADABLE,
        "this version does not know the type 'Decimal'",
    ),
    (
        "jobs.note",
        '{"args":[{"_queuekit":"dataclass","class":"this:Zen","fields":{}}],"kwargs":{}}',
        UNREADABLE,
        "the class this:Zen is not among what this process has imported: list this under imports",
    ),
    (
        "jobs.note",
        '{"args":[{"_queuekit":"class","class":"os:system"}],"kwargs":{}}',
        UNREADABLE,
        "os is imported and has no class system",
    ),
    ("jobs.note", '{"args":["te', UNREADABLE, "the stored arguments are not JSON: "),
    (
        "jobs.note",
        '{"args":["text"],"kwargs":{}',
        UNREADABLE,
        "the stored arguments are not JSON: ",
    ),
    (
        "jobs.note",
        '{"args":["text"],"kwargs":{},"version":2}',
        UNREADABLE,
        "the stored arguments are not an object of args and kwargs",
    ),
    (
        "jobs.note",
        '{"args":[{"_queuekit":"decimal","value":"1","scale":3}],"kwargs":{}}',
        UNREADABLE,
        "this version does not know a decimal of scale, value",
    ),
    (
        "jobs.note",
        '{"args":[{"_queuekit2":"decimal","value":"1"}],"kwargs":{}}',
        UNREADABLE,
        "this version does not know the type marked '_queuekit2'",
    ),
    (
        "jobs.note",
        '{"args":[' + "[" * 20_000 + "]" * 20_000 + '],"kwargs":{}}',
        UNREADABLE,
        "the stored arguments are n",  # "nested too deeply", or "not JSON" where Python says so
    ),
    ("jobs.note", NO_ARGUMENTS, "TypeError", "note() missing 1 required positional argument"),
    (
        "jobs.note",
        '{"args":[],"kwargs":{"text":"a","more":1}}',
        "TypeError",
        "note() got an unexpected keyword argument 'more'",
    ),
]


def test_a_row_that_cannot_be_run_fails_alone_and_says_why(application: Application) -> None:
    application.write("broken.py", "raise RuntimeError('no luck')\n")
    application.write("misspelt.py", "def job(:\n")
    application.write("leaving.py", "raise SystemExit(3)\n")
    application.write("lib/jobs.py", "import not_installed\n")
    application.enqueue("jobs.note", "first")
    receipts = write([with_one_chance(name, stored) for name, stored, *_ in BAD_ROWS])
    application.enqueue("jobs.note", "last")

    application.start()
    worker = application.worker()
    application.wait_until_jobs(finished=2, failed=len(BAD_ROWS))

    for receipt, (_, _, exception_class, message) in zip(receipts, BAD_ROWS, strict=True):
        assert_failed(receipt, exception_class, message)
    assert sorted(application.ran()) == ["first", "last"]
    assert application.worker().pid == worker.pid
    assert not (application.folder / "hacked").exists()
    assert "Zen of Python" not in application.printed()
    application.stop()
    assert "Traceback" not in application.printed()
    assert_clean_termination(application)


def with_one_chance(class_name: str, arguments: str) -> Description:
    """A row of a job that has been unknown to ten workers already."""
    counts = json.dumps({UNKNOWN: 10})
    return describe(class_name, arguments)._replace(executions=1, exception_executions=counts)


def enqueue_with_one_chance(class_name: str) -> Receipt:
    return write([with_one_chance(class_name, NO_ARGUMENTS)])[0]


def test_what_is_stored_beside_the_arguments_harms_only_its_job_too(
    application: Application,
) -> None:
    bad = [
        # the job, what is stored beside its arguments, how the error's message begins
        ("jobs.interrupt", {"context": "not json"}, f"{IN_CONTEXT}: "),
        ("jobs.interrupt", {"context": "[]"}, f"{IN_CONTEXT}: "),
        ("jobs.interrupt", {"context": CONTEXT % '{"_queuekit":"new"}'}, f"{IN_CONTEXT}: this ver"),
        ("jobs.interrupt", {"context": CONTEXT % "7"}, "the job was enqueued with the context 't"),
        ("jobs.Gone", {"exception_executions": "not json"}, f"{COUNTS} are not JSON: "),
        ("jobs.Gone", {"exception_executions": "[]"}, f"{COUNTS} are not an object"),
        (RAISES, {"exception_executions": "7"}, f"{COUNTS} are not an object"),
        (RAISES, {"exception_executions": '{"ValueError":"2"}'}, f"{COUNTS} are not an object"),
    ]
    shutil.copyfile(POLICIES, application.folder / "policies.py")
    receipts = write(
        [describe(name, NO_ARGUMENTS)._replace(executions=1, **stored) for name, stored, _ in bad]
    )
    application.enqueue("jobs.note", "last")

    application.start()
    worker = application.worker()
    application.wait_until_jobs(finished=1, failed=len(bad))

    for receipt, (_, _, message) in zip(receipts, bad, strict=True):
        assert_failed(receipt, UNREADABLE, message)
    assert application.ran() == ["last"]
    assert application.worker().pid == worker.pid
    application.stop()
    assert_clean_termination(application)


def test_an_import_error_keeps_its_cause_for_whoever_looks_it_up(application: Application) -> None:
    application.write("broken.py", "def f():\n    raise RuntimeError('no luck')\n\nf()\n")
    receipt = enqueue_with_one_chance("broken.job")
    application.start()
    application.wait_until_jobs(failed=1)

    failed = assert_failed(receipt, UNKNOWN, "job broken.job is not known")
    assert "broken.py" in failed.error.traceback
    assert "RuntimeError: no luck" in failed.error.traceback

    application.stop()
    assert_clean_termination(application)


def test_jobs_are_found_in_packages_below_the_folder(application: Application) -> None:
    application.write("shop/__init__.py", "")
    application.write(
        "shop/mail/jobs.py",  # a package without __init__.py
        "import queuekit\nfrom jobs import note\n\n"
        "@queuekit.job\ndef welcome(name):\n    note(f'welcome {name}')\n\n"
        "class Outer:\n    class Inner(queuekit.Job):\n"
        "        def perform(self):\n            note('inner')\n",
    )
    application.start()

    application.python(
        "from shop.mail.jobs import Outer, welcome; welcome.enqueue('Ada'); Outer.Inner.enqueue()"
    )

    application.wait_until_ran("welcome Ada", "inner")
    application.stop()
    assert_clean_termination(application)


def test_a_folder_that_is_not_the_applications_has_to_be_named(application: Application) -> None:
    application.write(
        "../elsewhere/far.py",
        "import queuekit\nfrom jobs import note\n\n"
        "@queuekit.job\ndef away():\n    note('far away')\n\n"
        "@queuekit.job(name='nickname')\ndef with_a_name():\n    note('by its name')\n",
    )
    elsewhere = str(application.folder.parent / "elsewhere")
    application.write("paths.py", f"import sys\nsys.path.append({elsewhere!r})\n")

    receipt = enqueue_with_one_chance("far.away")
    application.configure(imports=["paths"])
    application.start()
    application.wait_until_jobs(failed=1)
    assert_failed(receipt, UNKNOWN, f"job far.away is not known: {NOT_BELOW}")
    application.stop()

    application.enqueue("far.away")
    application.enqueue("nickname")
    application.configure(imports=["paths", "far"])
    application.start()
    application.wait_until_ran("far away", "by its name")
    application.stop()
    assert_clean_termination(application)


def test_a_job_in_a_script_is_refused_with_the_cure(application: Application) -> None:
    application.write(
        "script.py",
        "import queuekit\n\n@queuekit.job\ndef lost():\n    pass\n\n"
        "if __name__ == '__main__':\n    lost.enqueue()\n",
    )

    printed = application.execute(sys.executable, "script.py", succeeds=False)

    assert printed.splitlines()[-1] == (
        "queuekit.errors.UnreachableJobError: __main__.lost is defined in the script that is "
        "being run, which a worker cannot import: move the job into a module beside it "
        "(say jobs.py), and import it there"
    )
    assert application.jobs() == {}


def test_a_job_in_a_module_run_with_m_is_run(application: Application) -> None:
    application.write("shop/__init__.py", "")
    application.write(
        "shop/nightly.py",
        "import queuekit\nfrom jobs import note\n\n"
        "@queuekit.job\ndef count(n):\n    note(f'counted {n}')\n\n"
        "if __name__ == '__main__':\n    count.enqueue(3)\n",
    )
    application.start()

    application.execute(sys.executable, "-m", "shop.nightly")

    application.wait_until_ran("counted 3")
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("folder", ["/", "config"])
def test_a_job_that_changes_the_folder_does_not_change_what_may_be_imported(
    application: Application, folder: str
) -> None:
    application.write(
        "later.py",
        "import queuekit\nfrom jobs import note\n\n@queuekit.job\ndef run():\n    note('later')\n",
    )
    application.configure(workers={"threads": 1})
    application.start()

    application.enqueue("jobs.change_folder", folder)
    application.wait_until_ran(f"in {folder}")
    application.enqueue("later.run")
    receipt = enqueue_with_one_chance("this.zen")

    application.wait_until_jobs(finished=2, failed=1)
    assert_failed(receipt, UNKNOWN, f"job this.zen is not known: {NOT_BELOW}")
    application.stop()
    assert_clean_termination(application)
