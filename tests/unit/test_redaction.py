"""Arguments that are nobody's business: stored for the job, and shown to no one."""

from __future__ import annotations

import json
import traceback
import types
from dataclasses import dataclass
from typing import Any

import pytest

import queuekit
from queuekit import CurrentJob, SerializationError, SignatureError, arguments, declaration
from queuekit.errors import JobDeclarationError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.performing import Performer

SECRET = "s3cret"


class Unstorable:
    def __repr__(self) -> str:
        return SECRET


@dataclass
class Credentials:
    user: str
    password: Any


@queuekit.job(redact=("password", "token"))
def sign_in(user: str, password: str = SECRET, *, token: Any = None) -> None:
    raise OSError("the server is down")


@queuekit.job(redact=["keys", "options"])
def variadic(first: int, *keys: str, **options: str) -> None: ...


class ApplicationJob(queuekit.Job):
    redact = ("password",)


class SignIn(ApplicationJob):
    def perform(self, user: str, password: str) -> None: ...


class SignOut(ApplicationJob):
    def perform(self, user: str) -> None: ...


class SignUp(SignIn):
    redact = ("user",)


def stored(bound: queuekit.BoundJob) -> str:
    return bound._description.arguments


@pytest.mark.parametrize(
    ("bound", "shown"),
    [
        (sign_in.bind("ada", SECRET), "'ada', [redacted]"),
        (sign_in.bind("ada", password=SECRET), "'ada', password=[redacted]"),
        (sign_in.bind("ada", token=[SECRET]), "'ada', token=[redacted]"),
        (sign_in.bind(user="ada", token={"a": SECRET}), "user='ada', token=[redacted]"),
        (variadic.bind(1, SECRET, SECRET), "1, [redacted], [redacted]"),
        (variadic.bind(1, other=SECRET), "1, other=[redacted]"),
        (SignIn.bind("ada", SECRET), "'ada', [redacted]"),
        (SignOut.bind("ada"), "'ada'"),
        (SignUp.bind(SECRET, "known"), "[redacted], 'known'"),
    ],
)
def test_what_is_hidden_is_stored_with_the_row(bound: queuekit.BoundJob, shown: str) -> None:
    assert arguments.describe(stored(bound)) == shown
    assert SECRET not in json.dumps(arguments.redacted(stored(bound)))
    assert arguments.redacted(stored(bound)).keys() == {"args", "kwargs"}


def test_a_name_hides_what_goes_by_it_inside_the_others() -> None:
    inside = sign_in.bind("ada", token=1)
    nested = arguments.dump(
        [{"login": {"user": "ada", "password": SECRET}}, Credentials("ada", SECRET)],
        {},
        redact=["password"],
    )

    assert arguments.describe(stored(inside)) == "'ada', token=[redacted]"
    assert SECRET not in arguments.describe(nested)
    assert "'ada'" in arguments.describe(nested)


def test_the_job_gets_its_arguments() -> None:
    assert arguments.load(stored(sign_in.bind("ada", SECRET))) == (["ada", SECRET], {})
    assert stored(sign_in.bind("ada", SECRET)) == (
        '{"redact":["password","token",1],"args":["ada","s3cret"],"kwargs":{}}'
    )
    assert stored(SignOut.bind("ada")).startswith('{"redact":["password"],')


def test_a_text_that_was_cut_off_or_spoilt_shows_nothing() -> None:
    text = stored(sign_in.bind("ada", SECRET))

    for end in range(len('{"redact":'), len(text)):
        assert arguments.describe(text[:end]) == "[unreadable]"
    assert arguments.describe(text.replace('"args"', '"arg"')) == "[unreadable]"


@pytest.mark.parametrize(
    "call",
    [
        lambda: sign_in.bind("ada", Unstorable()),  # type: ignore[arg-type]
        lambda: sign_in.bind("ada", password=Unstorable()),  # type: ignore[arg-type]
        lambda: sign_in.bind("ada", token={SECRET: Unstorable()}),
        lambda: sign_in.bind("ada", token={1: SECRET}),
        lambda: sign_in.bind({"password": {SECRET: object()}}),  # type: ignore[arg-type]
        lambda: variadic.bind(1, "fine", {SECRET: object()}),  # type: ignore[arg-type]
        lambda: variadic.bind(1, other={SECRET: object()}),  # type: ignore[arg-type]
    ],
)
def test_an_argument_that_cannot_travel_is_named_and_not_shown(call: Any) -> None:
    with pytest.raises(SerializationError) as raised:
        call()

    assert SECRET not in str(raised.value)
    assert "redacted" in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_the_other_arguments_of_such_a_job_are_shown_in_full() -> None:
    with pytest.raises(
        SerializationError,
        match=r"^[\w.]+\.sign_in: argument user\['a'\] is a object, which cannot",
    ):
        sign_in.bind({"a": object()})  # type: ignore[arg-type]


def test_a_signature_shows_no_secret_default() -> None:
    with pytest.raises(SignatureError) as raised:
        sign_in.bind()  # type: ignore[call-arg]

    assert SECRET not in str(raised.value)
    assert "= [redacted]" in str(raised.value)


def test_nothing_that_is_printed_shows_arguments() -> None:
    bound = sign_in.bind("ada", SECRET)
    claimed = ClaimedJob(7, "some-id", 1, "default", f"{__name__}.sign_in", stored(bound), 0)
    found = declaration.find(f"{__name__}.sign_in")
    assert found is not None
    job = CurrentJob(claimed, found)
    job.args, job.kwargs = ("ada", SECRET), {"token": SECRET}

    for printed in (bound, claimed, job, [bound], {"claimed": claimed}):
        assert SECRET not in repr(printed)


def test_a_stored_error_shows_no_arguments() -> None:
    text = stored(sign_in.bind("ada", "pass" + "word"))
    result = Performer().perform(
        ClaimedJob(7, "some-id", 1, "default", f"{__name__}.sign_in", text, 0)
    )

    assert result is not None
    assert result.error is not None
    assert read_error(result.error).message == "the server is down"
    assert '"ada"' not in result.error


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ('{"redact":[0],"args":[{"_queuekit":"decimal","value":"s3cret"}],"kwargs":{}}', False),
        ('{"redact":["a"],"args":[],"kwargs":{"a":{"_queuekit":"s3cret"}}}', False),
        ('{"redact":["a"],"args":[],"kwargs":{"b":{"_queuekit":"s3cret"}}}', True),
    ],
)
def test_an_argument_that_cannot_be_read_back_is_not_shown(text: str, is_told: bool) -> None:
    with pytest.raises(queuekit.DeserializationError) as raised:
        arguments.load(text)

    assert (SECRET in "".join(traceback.format_exception(raised.value))) == is_told


def test_a_name_that_the_job_has_no_parameter_of_is_refused() -> None:
    def job(user: str) -> None: ...

    with pytest.raises(JobDeclarationError, match="redact: it has no parameter pasword"):
        queuekit.job(redact=("pasword",), name="unit.redacting")(job)
    with pytest.raises(JobDeclarationError, match="redact: it has no parameter pasword"):
        types.new_class("Bad", (SignIn,), {}, lambda body: body.update(redact=("pasword",)))
