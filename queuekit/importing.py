"""Finding the job that a row names: among what was declared, or in a module that may be imported.

A worker imports on demand only modules that lie below the application's folder (the current one
when it began) or are named in `imports`: where a module lies is known before any of it runs. What
runs as a job is only what declares itself as one. A row can neither import `antigravity` nor call
`os.system`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from queuekit import declaration
from queuekit.declaration import Declaration
from queuekit.errors import ImportFailedError, UnknownJobError

_LIBRARIES = ("site-packages", "dist-packages")

_CURE = "start bin/jobs in the folder that its module lies below, or list the module under imports"

#: The jobs that queuekit brings along, and where they are declared.
_OWN = {"queuekit.recurring.command": "queuekit.recurring.commands"}


def import_all(modules: Iterable[str]) -> None:
    """Import what is listed under `imports`.

    Raises ImportFailedError with, as its cause, what the first module raised that failed. One that
    leaves by `sys.exit` has failed, too: whoever started us must not take its status for ours.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            what = f"{type(error).__name__}: {error}".removesuffix(": ")
            cure = "; a module's name has no .py at its end" if module.endswith(".py") else ""
            raise ImportFailedError(
                f"imports: {module} cannot be imported: {what}{cure}"
            ) from error


def known(name: str) -> Declaration | None:
    """The job declared under this name by a module that has been run to its end. Imports nothing,
    and waits for nobody."""
    found = declaration.find(name)
    if found is None:
        return None
    # As importlib itself asks it. Until then a job would miss what stands below it in its module.
    spec = getattr(sys.modules.get(found.module), "__spec__", None)
    return None if getattr(spec, "_initializing", False) else found


def find(name: str, imports: Sequence[str] = (), folder: Path | None = None) -> Declaration:
    """The job declared under this name, after importing its module where that is allowed.

    `folder` is the application's, by default the current one.

    Raises UnknownJobError, with the cure; an error in the module itself is its cause.
    """
    found = known(name)
    if found is None:
        module = (
            _imported(_OWN[name], f"job {name}")
            if name in _OWN
            else _import_longest(name, imports, folder or Path.cwd())
        )
        found = declaration.find(name)
        if found is None:
            raise UnknownJobError(_unknown(name, module))
    return found


def locate(name: str, imports: Sequence[str] = (), folder: Path | None = None) -> Any:
    """What a dotted name names, be it no job, after importing its module where that is allowed.

    A module is not passed through on the way: `app.models.os.system` would be found wherever
    somebody imports `os`.

    Raises UnknownJobError, with the cure; an error in the module itself is its cause.
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        if all(part.isidentifier() for part in parts[:length]) and _may_import(
            module, imports, folder or Path.cwd()
        ):
            _imported(module, name)
            return _walk(name, module, parts[length:])
    raise UnknownJobError(f"{name} is not known: {_CURE}")


def _walk(name: str, module: str, attributes: Sequence[str]) -> Any:
    value: Any = sys.modules[module]
    path = module
    for attribute in attributes:
        try:
            value = getattr(value, attribute)
        except AttributeError:
            raise UnknownJobError(f"{name} is not known: {path} has no {attribute}") from None
        except Exception as error:
            raise UnknownJobError(
                f"{name} is not known: {path}.{attribute} raised {type(error).__name__}: {error}"
            ) from error
        path = f"{path}.{attribute}"
        if isinstance(value, ModuleType):
            raise UnknownJobError(
                f"{name} is not known: {path} is the module {value.__name__}, to be named as such"
            )
    return value


def _import_longest(name: str, imports: Sequence[str], folder: Path) -> str | None:
    """Import the longest part of a dotted name that is a module, if it may be. Returns its name.

    `app.jobs.Mail.Welcome` is the class Welcome in the class Mail in the module app.jobs.
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        if module in sys.modules:
            # Another thread may be in the middle of importing it: this waits for that one's end.
            return _imported(module, f"job {name}")
        if all(part.isidentifier() for part in parts[:length]) and _may_import(
            module, imports, folder
        ):
            return _imported(module, f"job {name}")
    return None


def _may_import(module: str, imports: Sequence[str], folder: Path) -> bool:
    if any(module == named or module.startswith(f"{named}.") for named in imports):
        return _spec(module) is not None
    top = _spec(module.partition(".")[0])
    return top is not None and _lies_below(top, folder) and _exists(module, top)


def _exists(module: str, top: ModuleSpec) -> bool:
    """Whether there is such a module, found by looking at files: no package on the way is run.

    Each part is looked up without those before it: asked for the whole name of a namespace package,
    the finder wants its parent in sys.modules, where nothing has put it yet.
    """
    spec: ModuleSpec | None = top
    for part in module.split(".")[1:]:
        if spec is None or spec.submodule_search_locations is None:
            return False
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec is not None


def _spec(name: str) -> ModuleSpec | None:
    if "." in name:
        try:
            return importlib.util.find_spec(name)
        except ImportError:
            return None
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _lies_below(spec: ModuleSpec, folder: Path) -> bool:
    places = list(spec.submodule_search_locations or ())
    if not places and spec.has_location and spec.origin is not None:
        places = [spec.origin]
    return bool(places) and all(_is_application_file(Path(place), folder) for place in places)


def _is_application_file(place: Path, folder: Path) -> bool:
    """Below the folder, but not in a virtual environment that happens to stand there."""
    resolved = place.resolve()
    return resolved.is_relative_to(folder.resolve()) and not any(
        part in _LIBRARIES for part in resolved.parts
    )


def _imported(module: str, what: str) -> str:
    try:
        importlib.import_module(module)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise UnknownJobError(
            f"{what} is not known: importing {module} raised {type(error).__name__}: {error}"
        ) from error
    return module


def _unknown(name: str, module: str | None) -> str:
    if module is not None:
        return f"job {name} is not known: {module} was imported and declares no job of that name"
    return f"job {name} is not known: {_CURE}"
