"""What is said about a configuration that is wrong: everything, at once, one line each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from queuekit.config import load
from queuekit.config.yaml_file import SETTINGS
from tests.config import Load, problems_of

# Bad files: the text, and every problem, without the name of the file

WHOLE = "expected a whole number"
SIZE = "expected a size with its unit, such as 512 MB or 1.5 GiB"
BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("# nothing\n", ["is empty; delete it to run with the defaults"]),
    "a list": ("- workers", ["got a list, expected a mapping of settings"]),
    "another environment": (
        "production: {}\ntest: {}",
        ["has no section development, which QUEUEKIT_ENV chooses; it has production, test"],
    ),
    "an empty section": (
        "development:",
        ["development: is empty; write {} after it to run with the defaults"],
    ),
    "settings beside the section": (
        "development:\nworkers:\n  - threads: 3",
        [
            "workers: stands beside the section development; indent it into one",
            "development: is empty; write {} after it to run with the defaults",
        ],
    ),
    "settings beside another section": (
        "production:\n  silence_polling: true\nworkers:\n  - threads: 3",
        ["production: is a section, but workers stands outside of any; indent it into one"],
    ),
    "a misspelt setting": (
        "development: {workers: [{thread: 3}]}",
        ["development.workers[0].thread is not a setting; did you mean threads?"],
    ),
    "a misspelt only setting": ("worker: [{}]", ["worker is not a setting; did you mean workers?"]),
    "a setting without likeness": ("xyzzy: 1", ["xyzzy is not a setting"]),
    "a number as a name": ("1: 2\nmode: fork", ["got the number 1 as the name of a setting"]),
    "wrong types": (
        """
        workers:
          - threads: "3"
            processes: 1.5
            polling_interval: "3"
          - threads: true
            queues: 5
          - 7
        silence_polling: "true"
        database_url: [a]
        imports: {a: b}
        """,
        [
            "workers[2]: got the number 7, expected a mapping",
            f"workers[0].threads: got the text '3', {WHOLE}",
            f"workers[0].processes: got the number 1.5, {WHOLE}",
            "workers[0].polling_interval: got the text '3', expected a number of seconds, "
            "or a duration such as 5 minutes",
            "workers[1].queues: got the number 5, expected the name of a queue or a list of names",
            f"workers[1].threads: got true, {WHOLE}",
            "database_url: got a list, expected a text",
            "imports: got a mapping, expected a list of names of modules",
            "silence_polling: got the text 'true', expected true or false",
        ],
    ),
    "out of range": (
        """
        workers: [{threads: 0, async_concurrency: 0, processes: -1, polling_interval: 0}]
        dispatchers:
          - {batch_size: 0, polling_interval: .nan, concurrency_maintenance_interval: .inf}
        shutdown_timeout: -1
        """,
        [
            f"workers[0].threads: got the number 0, {WHOLE} from 1 to 10000",
            f"workers[0].async_concurrency: got the number 0, {WHOLE} from 1 to 100000",
            f"workers[0].processes: got the number -1, {WHOLE} from 1 to 1000",
            "workers[0].polling_interval: got the number 0, expected more than 0 seconds",
            "dispatchers[0].polling_interval: got the number nan, expected more than 0 seconds",
            f"dispatchers[0].batch_size: got the number 0, {WHOLE} from 1 to 1000000",
            "dispatchers[0].concurrency_maintenance_interval: got the number inf, "
            "expected at most 7 days",
            "shutdown_timeout: got the number -1, expected 0 or more seconds",
        ],
    ),
    "a number of a whole page": (
        f"workers: {{threads: 0x{'f' * 9999}}}",
        [f"workers.threads: got a number of more than 38 digits, {WHOLE} from 1 to 10000"],
    ),
    "no value": (
        "workers:\ndispatchers: []\nsilence_polling:",
        [
            "workers: lists none; to run no workers, remove it and keep the other kind",
            "dispatchers: lists none; to run no dispatchers, remove it and keep the other kind",
            "silence_polling: has no value; give it one or remove it",
        ],
    ),
    "queues": (
        """
        workers:
          - queues: "a*b, c,, c"
          - queues: [" d", "", "e,f", 1, "g\\0h"]
          - queues: []
          - queues: "*_queue"
        """,
        [
            "workers[0].queues: the queue 'a*b' has a * before its end; "
            "* stands alone for all queues, or ends a prefix",
            "workers[0].queues: the name of a queue is empty",
            "workers[0].queues: the queue 'c' is named twice",
            "workers[1].queues: the queue ' d' begins or ends with a space",
            "workers[1].queues: the name of a queue is empty",
            "workers[1].queues: the queue 'e,f' has a comma; "
            "in a list, each queue is an entry of its own",
            "workers[1].queues: got the number 1 in the list, expected the name of a queue",
            "workers[1].queues: the queue 'g\\x00h' has a NUL character",
            "workers[2].queues: the list is empty; name a queue, "
            "or remove it to work on all queues",
            "workers[3].queues: the queue '*_queue' has a * before its end; "
            "* stands alone for all queues, or ends a prefix",
        ],
    ),
    "a long queue name": (
        f"workers: {{queues: {'q' * 192}}}",
        [f"workers.queues: the queue '{'q' * 57}...' is longer than 191 characters"],
    ),
    "a threshold below the heartbeat": (
        "process_heartbeat_interval: 5 minutes",
        [
            "process_alive_threshold: 5 minutes is not longer than process_heartbeat_interval, "
            "5 minutes: living processes would be taken for dead"
        ],
    ),
    "settings in the wrong place": (
        """
        polling_interval: 1
        workers: [{batch_size: 1, shutdown_timeout: 1}]
        dispatchers: [{queues: a, logger: x}]
        recurring_tasks: {a: {class: b}}
        """,
        [
            "polling_interval: belongs in an entry of workers or of dispatchers, or in scheduler",
            "recurring_tasks: belongs in config/recurring.yml, without this key around the tasks",
            "workers[0].batch_size: belongs in an entry of dispatchers, workers do not have it",
            "workers[0].shutdown_timeout: belongs beside workers and dispatchers, "
            "not in one of them",
            "dispatchers[0].queues: belongs in an entry of workers, dispatchers do not have it",
            "dispatchers[0].logger: is not needed: "
            "queuekit writes to the logger 'queuekit' of Python's logging",
        ],
    ),
    "settings of Solid Queue": (
        "use_skip_locked: false\nconnects_to: {}",
        [
            "use_skip_locked: is not needed: queuekit asks the server what it can do",
            "connects_to: is not needed: database_url names the database",
        ],
    ),
    "choices": (
        "mode: threads\nlog_format: 3\non_process_death: false\nworkers: {queues: a}",
        [
            "mode: got the text 'threads', expected fork or async",
            "log_format: got the number 3, expected text or json",
            "on_process_death: got false, expected fail or retry",
        ],
    ),
    "the bounds of a worker": (
        """
        workers:
          - max_jobs: 0
            max_age: 0
            max_memory: 512
          - max_jobs: many
            max_age: old
            max_memory: "512"
          - max_memory: 512M
            max_age: 1000000 days
          - max_memory: 512 KB
            max_jobs:
          - max_memory: 9999999 TB
        """,
        [
            f"workers[0].max_jobs: got the number 0, {WHOLE} from 1 to 1000000000",
            "workers[0].max_age: got the number 0, expected more than 0 seconds",
            f"workers[0].max_memory: got the number 512, {SIZE}",
            f"workers[1].max_jobs: got the text 'many', {WHOLE}",
            "workers[1].max_age: got the text 'old', expected a number of seconds, "
            "or a duration such as 5 minutes",
            f"workers[1].max_memory: got the text '512', {SIZE}",
            "workers[2].max_age: got the text '1000000 days', expected at most 36500 days",
            f"workers[2].max_memory: got the text '512M', {SIZE}",
            "workers[3].max_jobs: has no value; give it one or remove it",
            "workers[3].max_memory: got the text '512 KB', "
            "expected a size from 16 MiB to 1048576 TiB",
            "workers[4].max_memory: got the text '9999999 TB', "
            "expected a size from 16 MiB to 1048576 TiB",
        ],
    ),
    "supervision": (
        """
        supervisor_pidfile: " tmp/jobs.pid"
        boot_timeout: 0
        timeout_grace_period: -1
        max_process_deaths: 0
        """,
        [
            "supervisor_pidfile: begins or ends with a space or a line break",
            "boot_timeout: got the number 0, expected more than 0 seconds",
            "timeout_grace_period: got the number -1, expected 0 or more seconds",
            f"max_process_deaths: got the number 0, {WHOLE} from 1 to 1000",
        ],
    ),
    "supervision in the wrong place": (
        """
        max_jobs: 5
        max_memory: 1 GB
        workers: {boot_timeout: 5, on_process_death: retry}
        dispatchers: {max_age: 5}
        """,
        [
            "max_jobs: belongs in an entry of workers",
            "max_memory: belongs in an entry of workers",
            "workers.boot_timeout: belongs beside workers and dispatchers, not in one of them",
            "workers.on_process_death: belongs beside workers and dispatchers, not in one of them",
            "dispatchers.max_age: belongs in an entry of workers, dispatchers do not have it",
        ],
    ),
    "a template of ERB": (
        'workers:\n  - processes: <%= ENV.fetch("JOBS", 1) %>',
        [
            "workers[0].processes: got the text '<%= ENV.fetch(\"JOBS\", 1) %>', expected a whole "
            "number or auto (ERB is not read here; write ${NAME:-default})"
        ],
    ),
    "a broken substitution": (
        "database_url: 'sqlite:///${1}'",
        [
            "database_url: '${1}' is no substitution; "
            "write ${NAME}, ${NAME:-default}, or $${ for a plain ${"
        ],
    ),
    "no URL": (
        "database_url: storage/queue.sqlite3",
        ["database_url: is not a URL; expected one such as sqlite:///storage/queue.sqlite3"],
    ),
    "no module": (
        "imports: app/jobs.py",
        ["imports: 'app/jobs.py' is not the name of a module; expected one such as app.jobs"],
    ),
    "duplicate keys, also in another section": (
        "production:\n  mode: fork\n  mode: fork\ndevelopment: {}\n",
        ["line 3: production.mode is given twice (first on line 2)"],
    ),
    "two merges": (
        "a: &a {}\ndevelopment:\n  <<: *a\n  <<: *a\n",
        [
            "line 4: development.<< is given twice (first on line 3); "
            "merge several with <<: [*one, *other]"
        ],
    ),
    "an unquoted *": (
        "workers:\n  - queues: *\n",
        [
            "line 2, column 14: invalid YAML: while scanning an alias, expected alphabetic or "
            "numeric character, but found '\\n'; write \"*\" in quotes if it means all queues, "
            'and so a schedule: "*/15 * * * *"'
        ],
    ),
    "invalid YAML": (
        "workers:\n  - queues: [a\nmode: fork\n",
        [
            "line 3, column 5: invalid YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got ':'"
        ],
    ),
    "a tag": (
        "workers: !!python/object/apply:os.getcwd []",
        [
            "line 1, column 10: invalid YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.getcwd'"
        ],
    ),
    "a value that its tag does not fit": (
        "workers: {threads: !!int three}",
        ["line 1, column 20: invalid YAML: the value does not fit its type"],
    ),
    "a control character": (
        "mode: fork\nimports: 'a\x07'",
        ["line 2: invalid YAML: a character that YAML does not allow"],
    ),
    "not UTF-8": (b"mode: fork\n# caf\xe9\n", ["line 2: is not UTF-8 text"]),
    "too large": (
        b"#" * (SETTINGS.kilobytes * 1024 + 1),
        ["is larger than 256 KB, too much for configuration"],
    ),
    "nested absurdly": (
        "workers: " + "[" * 100_000,
        ["line 1, column 49: invalid YAML: it is nested deeper than 40 levels"],
    ),
    "an alias that contains itself": (
        "workers: &a [*a]",
        ["line 1, column 10: invalid YAML: an alias contains itself"],
    ),
    "a merge that contains itself": (
        "workers: &a {<<: *a}",
        ["line 1, column 10: invalid YAML: an alias contains itself"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_gets_all_its_problems_at_once(
    load_text: Load, text: str | bytes, expected: list[str]
) -> None:
    assert problems_of(load_text, text) == [f"config/queue.yml: {line}" for line in expected]


@pytest.mark.parametrize("bomb", ["[{}]", "{{<<: [{}]}}"], ids=["aliases", "merges"])
def test_a_few_lines_that_stand_for_billions_of_values_are_refused(
    load_text: Load, bomb: str
) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + bomb.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 20)]
    (problem,) = problems_of(load_text, "\n".join(lines))
    assert problem.endswith("it holds more than 50000 values, with every alias written out")


def test_a_folder_is_not_a_file(application: Path) -> None:
    assert problems_of(load, path="config", environ={}) == [
        "config: is a folder, expected a file (named by -c)"
    ]


def test_a_pipe_is_not_waited_for(application: Path) -> None:
    os.mkfifo("config/queue.yml")
    assert problems_of(load, environ={}) == ["config/queue.yml: is not a regular file"]


def test_a_broken_link_is_not_a_missing_file(application: Path) -> None:
    Path("config/queue.yml").symlink_to("nowhere")
    assert problems_of(load, environ={}) == ["config/queue.yml: there is no such file"]


def test_an_unreadable_file_is_not_a_missing_one(load_text: Load, application: Path) -> None:
    load_text("mode: fork")
    (application / "config/queue.yml").chmod(0)
    with whoever_may_not_read_everything():
        assert problems_of(load, environ={}) == [
            "config/queue.yml: cannot be read: Permission denied"
        ]


@contextmanager
def whoever_may_not_read_everything() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
