"""Reading one YAML file that may be anything: no file, no text, no YAML, or a trap.

The file is composed into nodes first, and only the nodes that passed are made into values:

1. its size is bounded, because PyYAML reads some 200 KB a second;
2. its depth is bounded while composing, because composing recurses;
3. aliases are counted as if they were written out: a few lines of them can stand for billions of
   values, and a merge key writes them out in earnest. One that contains itself is refused;
4. a key given twice is a problem, where PyYAML would quietly take the last one.
"""

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from queuekit.config.problems import Problems, bare

MAXIMUM_DEPTH = 40


class Bounds(NamedTuple):
    """How large a file may be, and how many values it may hold with every alias written out."""

    kilobytes: int
    values: int


SETTINGS = Bounds(kilobytes=256, values=50_000)
# Some 20,000 tasks.
TASKS = Bounds(kilobytes=2048, values=400_000)


class _NotAFileError(Exception):
    """What is there cannot be a configuration file; the message says why."""


class NothingReadError(Exception):
    """The file gave no value at all; its problems have been reported."""


def read_yaml(
    path: Path, problems: Problems, *, named_by: str = "", bounds: Bounds = SETTINGS
) -> object:
    """The value of the file, None when there is nothing in it. Only safe YAML types."""
    source = bare(str(path))
    text = _read_text(path, source, problems, named_by, bounds)
    try:
        loader = _StrictLoader(text)
        try:
            return _read_document(loader, source, problems, bounds)
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(source, f"line {line}: invalid YAML: a character that YAML does not allow")
    except yaml.MarkedYAMLError as error:
        problems.add(source, _in_one_line(error))
    raise NothingReadError


def scalar(text: str) -> object:
    """What the plain, unquoted `text` means in YAML: a number, a truth value, nothing, or text."""
    loader = _StrictLoader("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text.strip(), (True, False))  # type: ignore[no-untyped-call]
        value = loader.construct_object(yaml.ScalarNode(tag, text.strip()))
    except yaml.YAMLError:
        return text
    else:
        return text if isinstance(value, str) else value
    finally:
        loader.dispose()


def _read_text(path: Path, source: str, problems: Problems, named_by: str, bounds: Bounds) -> str:
    try:
        return _read_bytes(path, bounds).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = f"line {line}: is not UTF-8 text"
    except FileNotFoundError:
        reason = "there is no such file"
    except _NotAFileError as error:
        reason = str(error)
    except OSError as error:
        reason = f"cannot be read: {os.strerror(error.errno) if error.errno else error}"
    except ValueError:
        reason = "cannot be the name of a file"
    problems.add(source, f"{reason} (named by {named_by})" if named_by else reason)
    raise NothingReadError


def _read_bytes(path: Path, bounds: Bounds) -> bytes:
    # Asked before opening: opening a pipe waits for somebody to write into it.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise _NotAFileError("is a folder, expected a file")
    if not stat.S_ISREG(mode):
        raise _NotAFileError("is not a regular file")
    with path.open("rb") as file:
        content = file.read(bounds.kilobytes * 1024 + 1)
    if len(content) > bounds.kilobytes * 1024:
        raise _NotAFileError(f"is larger than {bounds.kilobytes} KB, too much for configuration")
    return content


def _read_document(
    loader: "_StrictLoader", source: str, problems: Problems, bounds: Bounds
) -> object:
    node = loader.get_single_node()
    if node is None:
        return None
    _Inspection(source, problems, bounds.values).visit(node, "")
    return loader.construct_document(node)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with a bound on depth and with one kind of error."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise _too_deep(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML's constructors take `!!bool maybe` or the month 13 as they come, and stumble.
            raise _refusal("the value does not fit its type", node.start_mark) from error


class _Inspection:
    """One walk over the nodes of a file: duplicate keys, and how far its aliases would go."""

    def __init__(self, source: str, problems: Problems, maximum: int) -> None:
        self.source = source
        self.problems = problems
        self.maximum = maximum
        # Node to (values in it, depth), None while it is being walked. By identity, and with the
        # node kept alive by its document.
        self.measures: dict[int, tuple[int, int] | None] = {}

    def visit(self, node: yaml.Node, place: str) -> tuple[int, int]:
        if id(node) in self.measures:
            measure = self.measures[id(node)]
            if measure is None:
                raise _refusal("an alias contains itself", node.start_mark)
            return measure
        self.measures[id(node)] = None
        values, depth = 1, 0
        for child, child_place in self._children(node, place):
            child_values, child_depth = self.visit(child, child_place)
            values, depth = values + child_values, max(depth, child_depth)
        if values > self.maximum:
            message = f"it holds more than {self.maximum} values, with every alias written out"
            raise _refusal(message, node.start_mark)
        if depth + 1 > MAXIMUM_DEPTH:
            raise _too_deep(node.start_mark)
        self.measures[id(node)] = values, depth + 1
        return values, depth + 1

    def _children(self, node: yaml.Node, place: str) -> list[tuple[yaml.Node, str]]:
        match node:
            case yaml.MappingNode():
                self._report_duplicates(node, place)
                return [
                    (part, _below(place, key)) for key, item in node.value for part in (key, item)
                ]
            case yaml.SequenceNode():
                return [(item, f"{place}[{index}]") for index, item in enumerate(node.value)]
            case _:
                return []

    def _report_duplicates(self, mapping: yaml.MappingNode, place: str) -> None:
        lines: dict[tuple[str, str], int] = {}
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            known = (key.tag, key.value)
            if known not in lines:
                lines[known] = line
                continue
            name = _below(place, key)
            cure = "; merge several with <<: [*one, *other]" if key.value == "<<" else ""
            self.problems.add(
                self.source,
                f"line {line}: {name} is given twice (first on line {lines[known]}){cure}",
            )


def _below(place: str, key: yaml.Node) -> str:
    name = bare(key.value) if isinstance(key, yaml.ScalarNode) else "?"
    return f"{place}.{name}" if place else name


def _too_deep(mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return _refusal(f"it is nested deeper than {MAXIMUM_DEPTH} levels", mark)


def _refusal(message: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=mark)


def _in_one_line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    cure = ""
    if error.context == "while scanning an alias":
        cure = '; write "*" in quotes if it means all queues, and so a schedule: "*/15 * * * *"'
    elif "'%'" in said:
        cure = "; ERB is not read here, write ${NAME:-default}"
    return f"{where}invalid YAML: {' '.join(said.split())}{cure}"
