"""What every command promises: one clear line and a status for whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from queuekit.cli import main
from queuekit.version import VERSION
from tests.cli.shop import CHECKOUT, Shop

COMMANDS = [
    ["start"],
    ["check"],
    ["install"],
    ["prepare"],
    ["schema"],
    ["status"],
    ["enqueue"],
    ["show"],
    ["queues"],
    ["queues", "list"],
    ["queues", "pause"],
    ["queues", "resume"],
    ["queues", "clear"],
    ["failed"],
    ["failed", "list"],
    ["failed", "show"],
    ["failed", "retry"],
    ["failed", "discard"],
    ["discard"],
    ["limits"],
    ["limits", "list"],
    ["limits", "show"],
    ["limits", "release"],
    ["recurring"],
    ["recurring", "list"],
    ["recurring", "run"],
    ["recurring", "preview"],
    ["recurring", "check"],
    ["clear"],
]


def test_it_says_its_version(shop: Shop) -> None:
    assert shop.jobs("--version").out == f"queuekit {VERSION}\n"


def test_help_lists_the_commands_each_with_a_whole_sentence(shop: Shop) -> None:
    result = shop.jobs("--help")
    assert result.status == 0
    assert result.out.startswith("Usage: bin/jobs [OPTIONS] [COMMAND] [ARGS]...\n")
    listed = result.out.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in listed} == {command[0] for command in COMMANDS}
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)
    for group in ("queues", "failed", "limits", "recurring"):
        listed = shop.jobs(group, "--help").out.partition("Commands:\n")[2].splitlines()
        assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_teaches_with_examples(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    help_ = capsys.readouterr().out
    assert "Example" in help_
    for option in ("-c, --config_file", "-e, --environment", "--database-url", "--verbose"):
        assert option in help_


def test_an_error_of_our_own_is_one_line_and_status_1(shop: Shop) -> None:
    result = shop.jobs("failed", "show", "no-such-id")
    assert (result.status, result.out) == (1, "")
    assert result.err == "Error: no failed job has the id no-such-id\n"


def test_verbose_shows_the_traceback_before_the_line(shop: Shop) -> None:
    result = shop.jobs("failed", "show", "no-such-id", "--verbose")
    assert result.status == 1
    assert result.err.startswith("Traceback (most recent call last):\n")
    assert result.err.endswith("\nError: no failed job has the id no-such-id\n")


def test_every_problem_of_the_configuration_is_a_line(shop: Shop) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/queue.yml").write_text(
        "development:\n  workers:\n    - thread: 3\n      processes: 0\n"
    )
    result = shop.jobs("status")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Error: config/queue.yml: development.workers[0].thread is not a setting; "
        "did you mean threads?",
        "Error: config/queue.yml: development.workers[0].processes: got the number 0, "
        "expected a whole number from 1 to 1000",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["statsu"], "No such command 'statsu'."),
        (["status", "--jsno"], "No such option"),
        (["queues", "pause"], "Missing argument 'NAME...'."),
        (["clear", "--batch-size", "0"], "0 is not in the range x>=1."),
        (["schema", "--dialect", "oracle"], "'oracle' is not one of"),
    ],
)
def test_wrong_usage_is_status_2(shop: Shop, arguments: list[str], says: str) -> None:
    result = shop.jobs(*arguments)
    assert (result.status, result.out) == (2, "")
    assert says in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "oracle://localhost/shop",
            "Error: unknown database oracle://: queuekit knows "
            "postgresql://, mysql://, sqlite://\n",
        ),
        ("shop", "Error: --database-url: is not a URL; expected one such as "),
        ("sqlite:///", "Error: sqlite:///: a queue needs a file that other processes can open"),
    ],
)
def test_an_unusable_url_is_one_line(shop: Shop, url: str, says: str) -> None:
    result = shop.jobs("status", "--database-url", url)
    assert result.status == 1
    assert result.err.startswith(says)
    assert result.err.count("\n") == 1


def test_a_server_that_is_not_there_is_one_line_without_the_password(shop: Shop) -> None:
    url = "postgresql://shop:secret@127.0.0.1:1/shop"
    result = shop.jobs("status", "--database-url", url)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("Error: postgresql://shop:***@127.0.0.1:1/shop: ")
    assert result.err.count("\n") == 1
    assert "secret" not in result.err


def test_what_nobody_foresaw_is_one_line_and_status_70(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("queuekit.cli.status.gather", fail)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(shop.folder)
    assert main(["status"]) == 70
    assert capsys.readouterr().err == (
        "Error: unexpected ZeroDivisionError: division by zero; --verbose shows the traceback\n"
    )
    assert main(["status", "--verbose"]) == 70
    assert "Traceback (most recent call last):\n" in capsys.readouterr().err


def test_an_interrupted_command_ends_quietly_with_status_130(shop: Shop) -> None:
    shop.enqueue(20)
    shop.work()
    process = shop.begin(
        *("clear", "--older-than", "0", "--batch-size", "2", "--sleep-between-batches", "1h"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "clearing: 2 of 20\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130
    assert shop.count("finished") == 18


def test_a_reader_that_leaves_is_no_error(shop: Shop) -> None:
    ours, theirs = os.pipe()
    process = shop.begin("schema", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    os.close(ours)
    assert process.communicate(timeout=30) == (None, "")
    assert process.returncode == 141


def test_output_can_be_piped_into_head(shop: Shop) -> None:
    shop.enqueue(2_000, class_name="app.jobs." + "x" * 100)
    shop.work(ValueError("no"))
    ended = subprocess.run(
        f"'{sys.executable}' '{CHECKOUT}/bin/jobs' failed list --limit 2000 | head -1",
        shell=True,
        cwd=shop.folder,
        env=shop.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout.startswith("JOB ID ")
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "closed", "status"),
    [("status", ">&-", 0), ("statsu", "2>&-", 2), ("failed show x", "2>&-", 1)],
)
def test_a_stream_that_is_not_there_is_no_error(
    shop: Shop, arguments: str, closed: str, status: int
) -> None:
    ended = subprocess.run(
        f"'{sys.executable}' '{CHECKOUT}/bin/jobs' {arguments} {closed}",
        shell=True,
        cwd=shop.folder,
        env=shop.environment(),
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, b"", b"")


def test_options_may_stand_before_the_command_and_after_it(shop: Shop) -> None:
    (shop.folder / "other.yml").write_text("workers: { threads: 9 }\n")
    for arguments in (["-c", "other.yml", "check"], ["check", "--config-file", "other.yml"]):
        assert "9 threads" in shop.jobs(*arguments).out


def test_after_the_command_wins_over_before_it(shop: Shop) -> None:
    result = shop.jobs("-e", "staging", "check", "-e", "production")
    assert "environment:         production\n" in result.out


def test_python_m_queuekit_is_the_same(shop: Shop) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "queuekit", "nonsense"],
        cwd=shop.folder,
        env=shop.environment(PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: python -m queuekit [OPTIONS]")


def test_nothing_is_coloured_or_controlled_without_a_terminal(shop: Shop) -> None:
    shop.enqueue(1, queue="mailers")
    shop.work(ValueError("\x1b[31mred\x07\n\u202egnihtemos"))
    for arguments in (["status"], ["failed"], ["queues"], ["--help"]):
        out = shop.jobs(*arguments).out
        assert all(char.isprintable() for char in out.replace("\n", ""))
    assert r"ValueError: \x1b[31mred\x07\n\u202egnihtemos" in shop.jobs("failed").out


def test_what_the_encoding_cannot_say_is_escaped(shop: Shop) -> None:
    shop.enqueue(1, queue="日本")
    latin = {"PYTHONIOENCODING": "latin-1"}
    assert r"\u65e5\u672c" in shop.jobs("queues", **latin).out
    assert shop.jobs("queues", "--json", **latin).json[0]["name"] == "日本"


def test_another_folder_is_another_application(shop: Shop, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = Shop(elsewhere)
    assert shop.jobs("enqueue", "app.jobs.welcome", "1").status == 0
    assert (shop.count("ready"), other.count("ready")) == (1, 0)
    other.close()
