"""Commands: which texts are one, what they call, and which key a worker runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuekit import importing
from queuekit.config import Configuration
from queuekit.errors import UnknownJobError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import FAILED, FINISHED, RETRIED, Result
from queuekit.performing import Performer
from queuekit.recurring import commands
from queuekit.recurring.commands import Command, UnusableCommandError, parse, resolve
from tests.unit.applications import application_in, configured, in_use, write

MODELS = """
    calls = []

    class MagicLink:
        @classmethod
        def cleanup(cls, limit=None, *, older_than=1):
            calls.append((limit, older_than))
            return 7

    async def cleanup_later():
        calls.append("never")

    def also_later():
        return cleanup_later()

    def fail():
        raise RuntimeError("no")

    number = 3
    import os
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with application_in(tmp_path, monkeypatch) as folder:
        write(folder / "shop/models.py", MODELS)
        yield folder


# Texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app.models.MagicLink.cleanup()", ("app.models.MagicLink.cleanup", (), {})),
        ("  app.cleanup(limit = 500)\n", ("app.cleanup", (), {"limit": 500})),
        (
            "a.b(1, -2.5, 'x', None, [1, (2,)], {'k': {3}}, keep=True)",
            ("a.b", (1, -2.5, "x", None, [1, (2,)], {"k": {3}}), {"keep": True}),
        ),
        ("a.b('__import__(\"os\")')", ("a.b", ('__import__("os")',), {})),
    ],
)
def test_a_command_is_a_call_with_literal_arguments(text: str, expected: Any) -> None:
    assert tuple(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("app.models.MagicLink.cleanup", "calls nothing; write app.models.MagicLink.cleanup()"),
        ("cleanup()", "names no module: where is cleanup?"),
        ("a.b(", "'a.b(' is no Python expression"),
        ("SolidQueue::Job.clear", "is no Python expression"),
        ("SolidQueue::Job.clear", "Python has dots where Ruby has ::"),
        ("import os", "is no Python expression"),
        ("a.b(); c.d()", "is no Python expression"),
        ("a.b() + c.d()", "is no call"),
        ("lambda: a.b()", "is no call"),
        ("a.b().c()", "calls 'a.b().c', which is no name with dots"),
        ("a['b'].c()", "which is no name with dots"),
        ("(a or b)()", "which is no name with dots"),
        ("'text'.format()", "which is no name with dots"),
        ("a.b(c)", "has 'c' as argument 1, which is no literal: nothing in a command is evaluated"),
        ("a.b(1, x=datetime.now())", "has 'datetime.now()' as argument x, which is no literal"),
        ("a.b(f'{1}')", "which is no literal"),
        ("a.b(2 ** 99)", "which is no literal"),
        ("a.b({[]: 1})", "which is no literal"),
        ("a.b(*[1])", "has *; write its arguments out"),
        ("a.b(**{'c': 1})", "has **; write its arguments out"),
        ("a.b(c=1, c=2)", "gives c twice"),
        ("a.b(" + "-" * 1500 + "1)", ""),
        ("a.b(" + "[" * 150 + "]" * 150 + ")x", "is no Python expression"),
        ("a" + ".a" * 1000, ""),
        ("a.b(" + "1," * 2000 + ")", "is longer than 2048 characters"),
        ("a\0b()", "is no Python expression"),
        ("", "is no Python expression"),
    ],
)
def test_other_texts_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UnusableCommandError) as refused:
        parse(text)
    assert reason in str(refused.value)


@given(st.text("ab.()[]{}*-+='\"1,: \n\\:%#@x", max_size=30) | st.text(max_size=20))
def test_any_text_is_a_command_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Command)
    except UnusableCommandError as error:
        assert str(error)


# What they call


def test_a_command_calls_what_lies_below_the_folder(folder: Path) -> None:
    command = parse("shop.models.MagicLink.cleanup(500)")
    assert resolve(command, (), folder)(*command.args) == 7


def test_a_command_calls_what_is_listed_under_imports(folder: Path) -> None:
    with pytest.raises(UnknownJobError, match="or list the module under imports"):
        resolve(parse("colorsys.rgb_to_hls(1, 2, 3)"), (), folder)
    assert callable(resolve(parse("colorsys.rgb_to_hls(1, 2, 3)"), ["colorsys"], folder))


def test_a_command_calls_what_queuekit_brings_along(folder: Path) -> None:
    command = parse("queuekit.jobs.clear_finished_in_batches(sleep_between_batches=0.3)")
    assert callable(resolve(command, (), folder))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shop.models.MagicLink.clean()", "shop.models.MagicLink has no clean"),
        ("shop.model.cleanup()", "is not known"),
        ("shop.models.os.getcwd()", "shop.models.os is the module os, to be named as such"),
        ("os.getcwd()", "or list the module under imports"),
        ("shop.broken.run()", "importing shop.broken raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_found_is_said_like_a_job_that_is_not_known(
    folder: Path, text: str, problem: str
) -> None:
    write(folder / "shop/broken.py", "1 / 0")
    with pytest.raises(UnknownJobError) as refused:
        resolve(parse(text), (), folder)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shop.models.number()", "shop.models.number is a int, not a function"),
        ("shop.models.MagicLink.cleanup(1, 2)", "too many positional arguments"),
        ("shop.models.MagicLink.cleanup(limits=1)", "unexpected keyword argument 'limits'"),
        ("shop.models.cleanup_later()", "is an async function: make it a job"),
    ],
)
def test_what_cannot_be_called_is_said_before_it_is(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(TypeError) as refused:
        resolve(parse(text), (), folder)
    assert problem in str(refused.value)


# Their job


TASKS = """
    cleanup: {command: "shop.models.MagicLink.cleanup(500)", schedule: every hour}
    later: {command: "shop.models.also_later()", schedule: every hour}
    fail: {command: "shop.models.fail()", schedule: every hour}
    bad: {command: "shop.models.fail", schedule: every blue moon}
    report: {class: shop.jobs.report, schedule: every hour}
"""


@pytest.fixture
def configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    configuration = configured(TASKS)
    in_use(monkeypatch, configuration)
    monkeypatch.setattr(commands, "_commands", commands._Commands())
    return configuration


def perform(key: str) -> Result:
    stored = f'{{"args":["{key}"],"kwargs":{{}}}}'
    claimed = ClaimedJob(1, "id", 1, commands.QUEUE, commands.JOB, stored, 0)
    result = Performer().perform(claimed)
    assert result is not None
    return result


def test_the_job_of_a_command_runs_what_its_own_file_says(configuration: Configuration) -> None:
    assert perform("cleanup").outcome == FINISHED
    assert sys.modules["shop.models"].calls == [(500, 1)]


def test_it_is_found_without_imports_and_goes_to_a_queue_of_its_own() -> None:
    found = importing.find(commands.JOB)
    assert (found.queue, found.name) == ("queuekit_recurring", "queuekit.recurring.command")


def test_a_file_that_changes_counts_at_once(configuration: Configuration) -> None:
    perform("cleanup")
    path = configuration.recurring_schedule_file
    assert path is not None
    path.write_text(path.read_text().replace("500", "50000"))
    perform("cleanup")
    path.unlink()
    result = perform("cleanup")
    assert result.outcome == RETRIED
    assert "there is no such file" in str(result.error)
    assert sys.modules["shop.models"].calls == [(500, 1), (50000, 1)]


def test_a_file_is_read_once(configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    perform("cleanup")
    monkeypatch.delattr(commands, "_read")
    assert perform("cleanup").outcome == FINISHED


def test_it_is_found_wherever_a_job_has_gone(
    configuration: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> None:
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert perform("cleanup").outcome == FINISHED


def test_a_host_that_skips_recurring_tasks_runs_their_commands(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use(monkeypatch, configured(TASKS, skip_recurring=True))
    assert perform("cleanup").outcome == FINISHED


@pytest.mark.parametrize("key", ["unknown", "report", "bad", "os.getcwd()"])
def test_a_key_without_a_command_is_tried_again_as_an_unknown_job_is(
    configuration: Configuration, key: str
) -> None:
    result = perform(key)
    assert result.outcome == RETRIED
    assert result.next_attempt is not None
    assert result.next_attempt.wait == 2.0
    assert result.error is not None
    assert "UnknownJobError" in result.error


@pytest.mark.parametrize(
    ("key", "error"), [("fail", "RuntimeError"), ("later", "an async function")]
)
def test_a_command_that_raises_fails_its_job(
    configuration: Configuration, key: str, error: str
) -> None:
    result = perform(key)
    assert result.outcome == FAILED
    assert result.error is not None
    assert error in result.error
    assert sys.modules["shop.models"].calls == []
