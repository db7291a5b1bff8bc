"""Which part of the file counts: the section of the environment, or the whole file.

A file has sections when its top level is one mapping per environment (`production:`), beside
which there may be holders of anchors (`default: &default`). A file whose top level is settings
(`workers:`) counts for every environment. Both at once is a mistake, mostly one of indentation.
"""

from typing import NamedTuple

from queuekit.config.keys import NOT_NEEDED, SECTION
from queuekit.config.problems import Problems, bare, below, did_you_mean, in_words


class Section(NamedTuple):
    values: dict[object, object]
    place: str


def choose_section(
    content: object, environment: str, source: str, problems: Problems
) -> Section | None:
    """The settings for `environment`; None when the file has none, and the problem is reported."""
    if content is None or content == {}:
        problems.add(source, "is empty; delete it to run with the defaults")
    elif not isinstance(content, dict):
        problems.add(source, f"got {in_words(content)}, expected a mapping of settings")
    elif environment in content:
        _report_strays(content, environment, source, problems)
        return _section(content[environment], environment, source, problems)
    elif _is_settings(content):
        if not _report_misplaced_sections(content, source, problems):
            return Section(content, f"{source}: ")
    else:
        _report_missing(content, environment, source, problems)
    return None


def _section(value: object, environment: str, source: str, problems: Problems) -> Section | None:
    place = f"{source}: {bare(environment)}"
    if isinstance(value, dict):
        return Section(value, place)
    if value is None:
        problems.add(place, "is empty; write {} after it to run with the defaults")
    else:
        problems.add(place, f"got {in_words(value)}, expected a mapping of settings")
    return None


def _report_strays(
    content: dict[object, object], environment: str, source: str, problems: Problems
) -> None:
    for key in content:
        if isinstance(key, str) and key in SECTION:
            problems.add(
                f"{source}: {key}",
                f"stands beside the section {bare(environment)}; indent it into one",
            )


def _report_misplaced_sections(
    content: dict[object, object], source: str, problems: Problems
) -> bool:
    settings = [key for key in content if key in SECTION]
    sections = [key for key, value in content.items() if _looks_like_a_section(key, value)]
    if settings:
        for key in sections:
            problems.add(
                below(f"{source}: ", key),
                f"is a section, but {settings[0]} stands outside of any; indent it into one",
            )
    return bool(settings and sections)


def _looks_like_a_section(key: object, value: object) -> bool:
    if not isinstance(key, str) or key in SECTION or key in NOT_NEEDED:
        return False
    if value is None:
        return not did_you_mean(key, SECTION)
    return isinstance(value, dict) and any(name in SECTION for name in value)


def _is_settings(content: dict[object, object]) -> bool:
    """Whether the top level is settings: one of them is known, or something is no section."""
    return any(
        key in SECTION or key in NOT_NEEDED or not (value is None or isinstance(value, dict))
        for key, value in content.items()
    )


def _report_missing(
    content: dict[object, object], environment: str, source: str, problems: Problems
) -> None:
    sections = [key if isinstance(key, str) else in_words(key) for key in content]
    # A file of settings whose only key is misspelt looks like a file of sections.
    meant = [hint for name in sections if (hint := did_you_mean(name, SECTION))]
    problems.add(
        source,
        f"has no section {bare(environment)}, which QUEUEKIT_ENV chooses; "
        f"it has {', '.join(bare(name) for name in sections[:20])}{meant[0] if meant else ''}",
    )
