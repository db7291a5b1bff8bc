"""Arguments for people: readable, without secrets, and never a reason to fail."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from queuekit.arguments import describe, dump, redacted
from tests.unit.argument_samples import Colour, Money

NAMES = ("user_id", "password", "options")


@pytest.mark.parametrize(
    ("args", "kwargs", "line"),
    [
        ([], {}, ""),
        ([42], {}, "user_id=42"),
        ([None, "it's", [True, 1.5]], {}, 'user_id=None, password="it\'s", options=[True, 1.5]'),
        ([1, 2, {"a": {}}, "more"], {}, "user_id=1, password=2, options={'a': {}}, 'more'"),
        ([1], {"full": True}, "user_id=1, full=True"),
        ([Decimal("1.50")], {}, "user_id=decimal('1.50')"),
        ([(1, {2})], {}, "user_id=tuple([1, set([2])])"),
        (
            [datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))],
            {},
            "user_id=datetime('2026-07-01T09:00:00', 'Europe/Berlin')",
        ),
        ([Colour.RED], {}, "user_id=enum('tests.unit.argument_samples:Colour', 'RED')"),
        (
            [Money(Decimal(1))],
            {},
            "user_id=dataclass('tests.unit.argument_samples:Money', "
            "{'amount': decimal('1'), 'currency': 'EUR'})",
        ),
    ],
)
def test_arguments_are_a_line(args: list[Any], kwargs: dict[str, Any], line: str) -> None:
    assert describe(dump(args, kwargs), NAMES) == line


def test_a_name_hides_the_argument_however_it_was_given() -> None:
    secret = "hunter2"
    for args, kwargs, line in [
        ([1, secret], {}, "user_id=1, password=[redacted]"),
        ([1], {"password": secret}, "user_id=1, password=[redacted]"),
        ([1], {"password": {"old": [secret]}}, "user_id=1, password=[redacted]"),
        ([1], {"password": (secret,)}, "user_id=1, password=[redacted]"),
    ]:
        text = dump(args, kwargs)
        assert describe(text, NAMES, ["password"]) == line
        assert secret in text


def test_a_name_hides_what_has_it_inside_of_others() -> None:
    value = {"user": [{"password": "hunter2", "name": "Ada"}], "money": (Money(Decimal(5)),)}

    line = describe(dump([], {"options": value}), NAMES, ("password", "amount"))

    assert line == (
        "options={'user': [{'password': [redacted], 'name': 'Ada'}], "
        "'money': tuple([dataclass('tests.unit.argument_samples:Money', "
        "{'amount': [redacted], 'currency': 'EUR'})])}"
    )


def test_the_words_of_the_stored_form_are_not_names() -> None:
    text = dump([Colour.RED, Decimal(1)], {})

    assert describe(text, ["colour", "price"], ["name", "value", "class"]) == (
        "colour=enum('tests.unit.argument_samples:Colour', 'RED'), price=decimal('1')"
    )


def test_what_has_no_name_is_hidden_as_soon_as_anything_is() -> None:
    text = dump([1, 2, 3], {})

    assert describe(text, ["first"]) == "first=1, 2, 3"
    assert describe(text, ["first"], ["rest"]) == "first=1, [redacted], [redacted]"
    assert describe(text, [], ["password"]) == "[redacted], [redacted], [redacted]"


def test_a_long_line_is_cut() -> None:
    assert describe(dump(["x" * 1000], {}), limit=10) == "'xxxxxxxxx..."
    assert describe(dump([1], {}), limit=1) == "1"


def test_the_hidden_document_is_json() -> None:
    text = dump([1, "hunter2"], {"price": Decimal("1.50")})

    assert json.loads(json.dumps(redacted(text, NAMES, {"password"}))) == {
        "args": [1, "[redacted]"],
        "kwargs": {"price": {"_queuekit": "decimal", "value": "1.50"}},
    }
    assert redacted(text, NAMES) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        '{"args":["hunter2"],"kwargs":{',
        '["hunter2"]',
        '{"args":{"hunter2":1},"kwargs":{}}',
        '{"args":[],"kwargs":{},"more":"hunter2"}',
        "[" * 100_000,
        f'{{"args":[{"[" * 900}{"]" * 900}],"kwargs":{{}}}}',
        '{"args":[{"_queuekit":["a"]},{"_queuekit":null}],"kwargs":{}}',
    ],
    ids=lambda text: text[:30],
)
def test_a_text_that_dump_never_wrote_is_shown_or_hidden_as_a_whole(text: str) -> None:
    assert isinstance(describe(text), str)
    assert "hunter2" not in describe(text, ["user_id"], ["password"])
    assert "hunter2" not in str(redacted(text, ["user_id"], ["password"]))
