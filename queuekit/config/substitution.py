"""`${NAME}` and `${NAME:-default}` in the texts of a file that has already been parsed.

Substituting after parsing means that no value of a variable can break the file or add to its
structure. A text that was nothing but one substitution is then typed as YAML would type it, so
`threads: ${THREADS:-3}` is a number. `$${` stands for a plain `${`.
"""

import re
from collections.abc import Mapping

from queuekit.config.problems import Problems, below, quoted
from queuekit.config.yaml_file import scalar

_SUBSTITUTION = re.compile(
    r"(?P<escape>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}|(?P<bad>\$\{)"
)


class Unusable:
    """Stands where a value would be whose problem has been reported already."""


UNUSABLE = Unusable()


def substitute(value: object, place: str, environ: Mapping[str, str], problems: Problems) -> object:
    """`value` with every text in it expanded; a copy, all the way down."""
    match value:
        case dict():
            return {
                key: substitute(item, below(place, key), environ, problems)
                for key, item in value.items()
            }
        case list():
            return [
                substitute(item, f"{place}[{index}]", environ, problems)
                for index, item in enumerate(value)
            ]
        case str():
            return _substitute_text(value, place, environ, problems)
        case _:
            return value


def _substitute_text(
    text: str, place: str, environ: Mapping[str, str], problems: Problems
) -> object:
    pieces: list[str] = []
    end = 0
    usable = True
    for match in _SUBSTITUTION.finditer(text):
        replacement = _replacement(match, place, environ, problems)
        usable = usable and replacement is not None
        pieces += [text[end : match.start()], replacement or ""]
        end = match.end()
    expanded = "".join(pieces) + text[end:]
    if not usable:
        return UNUSABLE
    if _is_wholly_a_substitution(text):
        return scalar(expanded)
    return expanded


def _replacement(
    match: re.Match[str], place: str, environ: Mapping[str, str], problems: Problems
) -> str | None:
    """What stands for one substitution; None when nothing can, and the problem is reported."""
    if match["escape"]:
        return "${"
    if match["bad"]:
        found = quoted(match.string[match.start() :])
        problems.add(
            place,
            f"{found} is no substitution; write ${{NAME}}, ${{NAME:-default}}, "
            "or $${ for a plain ${",
        )
        return None
    name, default = match["name"], match["default"]
    value = environ.get(name)
    if default is not None:
        return value or default
    if value is None:
        problems.add(
            place,
            f"${{{name}}} is not set and has no default; set it or write ${{{name}:-default}}",
        )
    return value


def _is_wholly_a_substitution(text: str) -> bool:
    match = _SUBSTITUTION.fullmatch(text.strip())
    return match is not None and match["name"] is not None
