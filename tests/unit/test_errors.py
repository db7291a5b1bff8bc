"""Errors as they are kept with failed jobs."""

from __future__ import annotations

import json

import pytest

import queuekit
from queuekit import errors
from queuekit.executions.errors import describe_error, read_error


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Outer:
    class InnerError(Exception):
        pass


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "exception_class", "message"),
    [
        (ValueError("no"), "ValueError", "no"),
        (KeyError("id"), "KeyError", "'id'"),
        (SystemExit(3), "SystemExit", "3"),
        (Outer.InnerError("x"), f"{__name__}.Outer.InnerError", "x"),
        (json.JSONDecodeError("bad", "x", 0), "json.decoder.JSONDecodeError", "bad: line 1 colum"),
        (queuekit.ProcessExitError("gone"), "queuekit.errors.ProcessExitError", "gone"),
        (
            UnprintableError(),
            f"{__name__}.UnprintableError",
            "<no message: its str() raised RuntimeError>",
        ),
        (ValueError("\0 \ud83d \N{PILE OF POO}"), "ValueError", "\0 \ud83d \N{PILE OF POO}"),
        (ValueError(), "ValueError", ""),
    ],
)
def test_class_message_and_traceback_are_kept(
    error: BaseException, exception_class: str, message: str
) -> None:
    stored = read_error(describe_error(caught(error)))

    assert stored.exception_class == exception_class
    assert stored.message.startswith(message)
    assert stored.traceback.startswith("Traceback (most recent call last):\n")
    assert "in caught" in stored.traceback


def test_causes_are_in_the_traceback_and_own_frames_are_not() -> None:
    try:
        try:
            caught_here()
        except ValueError as cause:
            raise RuntimeError("later") from cause
    except RuntimeError as error:
        whole = read_error(describe_error(error)).traceback
        shorter = read_error(describe_error(error, frames_to_skip=1)).traceback

    assert "ValueError: at first" in whole
    assert "direct cause of the following exception" in whole
    assert whole.count("  File ") == shorter.count("  File ") + 1


def caught_here() -> None:
    raise ValueError("at first")


def test_an_error_that_was_never_raised_has_a_traceback_of_one_line() -> None:
    stored = read_error(describe_error(queuekit.ProcessPrunedError("silent")))

    assert stored.traceback == "queuekit.errors.ProcessPrunedError: silent\n"


def test_long_messages_and_deep_tracebacks_keep_both_ends() -> None:
    def dive(depth: int) -> None:
        if depth:
            dive_too(depth)
        raise ValueError("begin" + "x" * 100_000 + "end")

    def dive_too(depth: int) -> None:
        dive(depth - 1)

    try:
        dive(300)
    except ValueError as error:
        stored = read_error(describe_error(error))

    assert stored.message.startswith("beginxxx")
    assert stored.message.endswith("xxxend")
    assert "characters left out" in stored.message
    assert len(stored.message) < 10_100
    assert len(stored.traceback) < 50_100


def test_every_error_is_queuekits_and_public() -> None:
    named = [
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ]

    assert named
    assert all(issubclass(error, queuekit.QueuekitError) for error in named)
    assert [error for error in named if not hasattr(queuekit, error.__name__)] == []
    assert issubclass(queuekit.SignatureError, TypeError)
    assert issubclass(queuekit.EnqueueOptionError, ValueError)


def test_a_configuration_error_has_all_its_problems() -> None:
    error = queuekit.ConfigurationError("one", "two")

    assert error.problems == ("one", "two")
    assert str(error) == "one\ntwo"
