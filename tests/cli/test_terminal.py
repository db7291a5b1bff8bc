"""What is different on a terminal: questions, a progress bar, tables that fit, bold headings."""

from __future__ import annotations

from queuekit.processes.registration import Registration
from tests.cli.shop import Shop

BOLD = "\x1b[1m"


def test_clearing_asks_first(shop: Shop) -> None:
    shop.enqueue(3, queue="imports")
    status, text = shop.jobs_on_terminal("queues", "clear", "imports", typed="n\n")
    assert "Discard 3 ready jobs of imports? [y/N]: " in text
    assert "Nothing was done." in text
    assert (status, shop.count("ready")) == (1, 3)
    status, text = shop.jobs_on_terminal("queues", "clear", "imports", typed="y\n")
    assert "imports: discarded 3 jobs\n" in text
    assert (status, shop.count("ready")) == (0, 0)


def test_interrupting_a_question_is_a_no(shop: Shop) -> None:
    shop.enqueue(3, queue="imports")
    status, text = shop.jobs_on_terminal("queues", "clear", "imports", typed="\x04")
    assert "Traceback" not in text
    assert (status, shop.count("ready")) == (130, 3)


def test_long_work_shows_a_bar(shop: Shop) -> None:
    shop.enqueue(600, queue="imports")
    status, text = shop.jobs_on_terminal("queues", "clear", "imports", "--yes")
    assert status == 0
    assert "clearing imports  [" in text
    assert "600/600" in text
    assert "imports: discarded 600 jobs\n" in text


def test_with_json_no_bar_is_shown(shop: Shop) -> None:
    shop.enqueue(600, queue="imports")
    _, text = shop.jobs_on_terminal("queues", "clear", "imports", "--yes", "--json")
    assert text == '{\n  "cleared": {\n    "imports": 600\n  }\n}\n'


def test_a_table_fits_the_terminal(shop: Shop) -> None:
    shop.enqueue(1, queue="short")
    shop.enqueue(1, queue="日本" * 40)
    _, text = shop.jobs_on_terminal("queues", columns=60, NO_COLOR="1")
    heading, short, long = text.splitlines()
    assert heading.startswith("NAME ")
    assert short.startswith("short ")
    assert "日本…" in long or "日…" in long
    assert len(short) <= 60
    assert len(long) + long.count("日") + long.count("本") <= 60


def test_on_a_narrow_terminal_a_failed_job_has_two_lines_and_its_whole_id(shop: Shop) -> None:
    shop.enqueue(1, queue="a_queue_with_a_name", class_name="app.jobs.with_a_name_that_is_long")
    shop.work(ValueError("no " * 40))
    (job_id,) = (job["job_id"] for job in shop.jobs("failed", "--json").json)
    _, text = shop.jobs_on_terminal("failed", columns=80, NO_COLOR="1")
    lines = text.splitlines()
    assert lines[0].split() == ["JOB", "ID", "QUEUE", "CLASS"]
    assert lines[1].split() == ["ATTEMPT", "FAILED", "AT", "ERROR"]
    assert lines[2].startswith(f"{job_id}  a_queue_with_a_name  app.")
    assert lines[3].startswith("        1  20")
    assert " UTC  ValueError: no no " in lines[3]
    assert max(map(len, lines)) <= 80
    _, text = shop.jobs_on_terminal("failed", columns=250, NO_COLOR="1")
    assert len(text.splitlines()) == 2


def test_on_a_narrow_terminal_the_times_of_attempts_are_whole(shop: Shop) -> None:
    shop.enqueue(1, class_name="app.jobs.welcome")
    shop.work(ValueError("no"))
    (failed,) = shop.jobs("failed", "--json").json
    _, text = shop.jobs_on_terminal("show", failed["job_id"], columns=80, NO_COLOR="1")
    lines = text[text.index("Attempts\n") :].splitlines()
    assert lines[1].split() == ["ATTEMPT", "ROW", "ID", "STATE", "QUEUE"]
    assert lines[2].split() == ["ENQUEUED", "AT", "ENDED", "AT", "ERROR"]
    assert lines[4].count(" UTC  ") == 2
    assert lines[4].endswith(" UTC  ValueError: no")
    assert max(map(len, lines)) <= 80


def test_on_a_narrow_terminal_a_running_job_has_its_whole_id(shop: Shop) -> None:
    shop.enqueue(1, queue="a_queue_with_a_name", class_name="app.jobs.with_a_name_that_is_long")
    (claimed,) = shop.claim(shop.register("Worker"))
    _, text = shop.jobs_on_terminal("status", columns=80, NO_COLOR="1")
    lines = text[text.index("Running\n") : text.index("\nQueues\n")].splitlines()
    assert lines[1].split() == ["JOB", "ID", "CLASS", "QUEUE"]
    assert lines[2].split() == ["ATTEMPT", "FOR", "PROGRESS"]
    assert lines[3].startswith(f"{claimed.job_id}  app.jobs.")
    assert max(map(len, lines)) <= 80


def test_what_tells_workers_apart_is_not_cut_off(shop: Shop) -> None:
    metadata = {"polling_interval": 0.1, "queues": "real_time,mail*", "thread_pool_size": 3}
    Registration(shop.database, "Worker", metadata)
    _, text = shop.jobs_on_terminal("status", columns=80, NO_COLOR="1")
    (row,) = (line for line in text.splitlines() if line.startswith("Worker "))
    assert "  queues real_time,mail*; " in row
    assert len(row) <= 80


def test_the_configuration_is_wrapped_between_words(shop: Shop) -> None:
    (shop.folder / "many.yml").write_text(f"workers: {{ queues: [{', '.join('abcdefghij')}] }}\n")
    _, text = shop.jobs_on_terminal("check", "-c", "many.yml", columns=60, NO_COLOR="1")
    lines = text.splitlines()
    place = lines.index("worker:              queues a, b, c, d, e, f, g, h, i, j; 3")
    assert lines[place + 1].startswith(" " * 21 + "threads; 100 async jobs; 1 process;")
    assert (
        shop.jobs("check", "-c", "many.yml").out.count(
            "threads; 100 async jobs; 1 process; polling"
        )
        == 1
    )


def test_headings_are_bold_unless_no_color_is_set(shop: Shop) -> None:
    assert BOLD in shop.jobs_on_terminal("status")[1]
    assert "\x1b" not in shop.jobs_on_terminal("status", NO_COLOR="1")[1]
    assert BOLD in shop.jobs_on_terminal("status", NO_COLOR="")[1]


def test_a_job_cannot_drive_the_terminal(shop: Shop) -> None:
    shop.enqueue(1)
    shop.work(ValueError("\x1b]0;owned\x07"))
    (job_id,) = (job["job_id"] for job in shop.jobs("failed", "--json").json)
    for arguments in (["failed"], ["failed", "show", job_id]):
        _, text = shop.jobs_on_terminal(*arguments, columns=200, NO_COLOR="1")
        assert r"\x1b]0;owned\x07" in text
        assert "\x1b" not in text
