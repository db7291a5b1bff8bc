"""Loading: arguments win over environment variables, these over the file, the file over defaults.

Every layer is checked, also where a higher one wins, and all problems are raised together.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from queuekit.config.checking import either, unfit_module, unfit_text, unfit_url
from queuekit.config.environments import choose_section
from queuekit.config.problems import Problems, bare, below, in_words, quoted
from queuekit.config.sections import read_section
from queuekit.config.settings import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_PATH,
    DEFAULT_RECURRING_PATH,
    LOG_FORMATS,
    MODES,
    Configuration,
)
from queuekit.config.substitution import substitute
from queuekit.config.yaml_file import NothingReadError, read_yaml

C = TypeVar("C", bound=str)

_TRUTH: dict[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class Given(NamedTuple):
    """A value from outside the file, and what to call its source."""

    value: str
    source: str


def load(
    *,
    path: str | os.PathLike[str] | None = None,
    environment: str | None = None,
    database_url: str | None = None,
    imports: Sequence[str] = (),
    mode: str | None = None,
    pidfile: str | os.PathLike[str] | None = None,
    log_format: str | None = None,
    recurring_schedule_file: str | os.PathLike[str] | None = None,
    skip_recurring: bool | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Configuration:
    """The checked configuration of one environment; a ConfigurationError has every problem."""
    problems = Problems()
    chosen = _environment(_given(environment, "environment", "QUEUEKIT_ENV", environ), problems)
    file, named_by = _file(_given(path, "-c", "QUEUEKIT_CONFIG", environ))
    layer = _read_file(file, named_by, chosen, environ, problems) if file else Configuration()
    url = _given(database_url, "--database-url", "QUEUEKIT_DATABASE_URL", environ)
    schedule = _given(
        recurring_schedule_file,
        "--recurring_schedule_file",
        "QUEUEKIT_RECURRING_SCHEDULE",
        environ,
    )
    supervision = _given(mode, "--mode", "QUEUEKIT_SUPERVISOR_MODE", environ)
    pid = _given(pidfile, "--pidfile", "QUEUEKIT_SUPERVISOR_PIDFILE", environ)
    lines = _given(log_format, "--log-format", "QUEUEKIT_LOG_FORMAT", environ)
    configuration = replace(
        layer,
        environment=chosen,
        path=file,
        imports=_imports(layer, imports, problems),
        mode=_choice(supervision, layer.mode, MODES, problems),
        supervisor_pidfile=_pidfile(pid, layer, problems),
        log_format=_choice(lines, layer.log_format, LOG_FORMATS, problems),
        skip_recurring=_skip_recurring(layer, skip_recurring, environ, problems),
    )
    configuration = _with_database_url(configuration, url, problems)
    configuration = _with_recurring_file(configuration, schedule, problems)
    _hint_at_async(configuration, problems)
    problems.raise_if_any()
    return replace(configuration, hints=tuple(problems.hints))


def _given(
    argument: str | os.PathLike[str] | None,
    option: str,
    variable: str,
    environ: Mapping[str, str],
) -> Given | None:
    if argument is not None:
        return Given(os.fspath(argument), option)
    # An empty variable counts as unset: a service file or a compose file often has no other way.
    if environ.get(variable):
        return Given(environ[variable], variable)
    return None


def _environment(given: Given | None, problems: Problems) -> str:
    if given is None:
        return DEFAULT_ENVIRONMENT
    if (why := unfit_text(given.value)) is not None:
        problems.add(given.source, why)
        return DEFAULT_ENVIRONMENT
    return given.value


def _file(given: Given | None) -> tuple[Path | None, str]:
    """The file to read and who named it. Only the default one may be missing."""
    if given is not None:
        return Path(given.value), given.source
    if _is_there(DEFAULT_PATH):
        return DEFAULT_PATH, ""
    return None, ""


def _is_there(path: Path) -> bool:
    """Whether reading should be tried: also a broken link and a closed folder are there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    else:
        return True


def _read_file(
    path: Path, named_by: str, environment: str, environ: Mapping[str, str], problems: Problems
) -> Configuration:
    """What the file sets for the environment, over the defaults."""
    source = bare(str(path))
    try:
        content = read_yaml(path, problems, named_by=named_by)
    except NothingReadError:
        return Configuration()
    section = choose_section(content, environment, source, problems)
    if section is None:
        return Configuration()
    values = {
        key: substitute(value, below(section.place, key), environ, problems)
        for key, value in section.values.items()
    }
    return read_section(values, section.place, source, problems)


def _with_database_url(
    configuration: Configuration, given: Given | None, problems: Problems
) -> Configuration:
    if given is None:
        return configuration
    if (why := unfit_url(given.value)) is not None:
        problems.add(given.source, why)
        return configuration
    return replace(configuration, database_url=given.value, database_url_source=given.source)


def _imports(
    configuration: Configuration, imports: Sequence[str], problems: Problems
) -> tuple[str, ...]:
    """Both: whoever imports one module more does not want to lose the jobs of the others."""
    for name in imports:
        if (why := unfit_module(name)) is not None:
            problems.add("--import", why)
    return tuple(dict.fromkeys((*configuration.imports, *imports)))


def _skip_recurring(
    configuration: Configuration,
    argument: bool | None,
    environ: Mapping[str, str],
    problems: Problems,
) -> bool:
    text = environ.get("QUEUEKIT_SKIP_RECURRING", "")
    value = _TRUTH.get(text.strip().lower())
    if text and value is None:
        expected = "expected true or false"
        problems.add("QUEUEKIT_SKIP_RECURRING", f"got the text {quoted(text)}, {expected}")
    if argument is not None:
        return argument
    if value is not None:
        return value
    return configuration.skip_recurring


def _choice(given: Given | None, default: C, choices: Sequence[C], problems: Problems) -> C:
    if given is None:
        return default
    for choice in choices:
        if choice == given.value:
            return choice
    problems.add(given.source, f"got {in_words(given.value)}, expected {either(choices)}")
    return default


def _pidfile(given: Given | None, layer: Configuration, problems: Problems) -> Path | None:
    if given is None:
        return layer.supervisor_pidfile
    if (why := unfit_text(given.value)) is not None:
        problems.add(given.source, why)
        return layer.supervisor_pidfile
    return Path(given.value)


def _hint_at_async(configuration: Configuration, problems: Problems) -> None:
    """No problem: the same file may serve to fork on the servers and to embed elsewhere."""
    counts = [worker.processes for worker in configuration.workers]
    if configuration.mode == "async" and max(counts, default=1) > 1:
        problems.hint(
            "mode", "async ignores processes: each entry of workers is one worker of this process"
        )


def _with_recurring_file(
    configuration: Configuration, given: Given | None, problems: Problems
) -> Configuration:
    """Only the default file may be missing, unless recurring tasks are skipped altogether."""
    named = configuration.recurring_schedule_file
    if given is not None:
        named, named_by = Path(given.value), given.source
    elif named is not None:
        named_by = f"recurring_schedule_file in {bare(str(configuration.path))}"
    else:
        there = _is_there(DEFAULT_RECURRING_PATH)
        return replace(
            configuration, recurring_schedule_file=DEFAULT_RECURRING_PATH if there else None
        )
    if not configuration.skip_recurring and not _is_there(named):
        problems.add(bare(str(named)), f"there is no such file (named by {named_by})")
    return replace(configuration, recurring_schedule_file=named)
