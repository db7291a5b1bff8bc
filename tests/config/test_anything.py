"""Whatever is in the file or in a variable: it loads, or gets its problems."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queuekit.config import describe, recurring_tasks
from queuekit.errors import ConfigurationError
from tests.config import Load
from tests.unit.applications import tasks_of_files

KEYS = ["workers", "dispatchers", "queues", "threads", "processes", "polling_interval", "<<"]
KEYS += [
    "max_jobs",
    "max_age",
    "max_memory",
    "async_concurrency",
    "prefetch_limit",
    "supervisor_pidfile",
    "on_process_death",
]
KEYS += ["database_url", "imports", "mode", "shutdown_timeout", "development", "recurring_tasks"]
KEYS += ["scheduler", "class", "command", "schedule", "args", "timezone", "missed", "priority"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=9)
) | (
    st.text(max_size=20)
    | st.sampled_from(["auto", "*", "${X}", "${X:-3}", "a*b", "5 s", "5 GB", "every hour", "a.b()"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | SCALARS, inner, max_size=5)
    ),
    max_leaves=20,
)

anything = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def load_or_complain(load_text: Load, content: bytes, environ: Mapping[str, str] = {}) -> None:
    """Either a configuration or printable single lines: never another error."""
    try:
        configuration = load_text(content, environ=environ)
        assert all(line.isprintable() for line in describe(configuration))
        recurring = replace(configuration, recurring_schedule_file=Path("config/queue.yml"))
        recurring_tasks(recurring, environ=environ)
        tasks_of_files(recurring)
    except ConfigurationError as error:
        assert error.problems
        assert all(problem.isprintable() for problem in error.problems), error.problems


@anything
@given(VALUES, st.text(max_size=10))
def test_any_structure_loads_or_gets_its_problems(load_text: Load, value: Any, x: str) -> None:
    load_or_complain(load_text, yaml.safe_dump(value, allow_unicode=True).encode(), {"X": x})
    load_or_complain(load_text, yaml.safe_dump({"development": value}).encode())


@anything
@given(st.text("abc:-*&!<>[]{}|%@'\"#,? \n\t0.~$é\0", max_size=40) | st.text() | st.binary())
def test_any_content_loads_or_gets_its_problems(load_text: Load, content: str | bytes) -> None:
    as_bytes = content.encode() if isinstance(content, str) else content
    load_or_complain(load_text, as_bytes)
    load_or_complain(load_text, b"workers:\n  - queues: " + as_bytes)


@anything
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "ENV",
                "CONFIG",
                "DATABASE_URL",
                "RECURRING_SCHEDULE",
                "SKIP_RECURRING",
                "SUPERVISOR_MODE",
                "SUPERVISOR_PIDFILE",
                "LOG_FORMAT",
            ]
        ),
        st.text(),
    )
)
def test_any_variable_loads_or_gets_its_problems(load_text: Load, values: dict[str, str]) -> None:
    environ = {f"QUEUEKIT_{name}": value for name, value in values.items()}
    load_or_complain(load_text, b"shutdown_timeout: 3", environ)
