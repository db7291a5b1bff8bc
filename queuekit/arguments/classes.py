"""A class by its path, `app.models:Order.Status`: its module and its name there.

A path is looked up only among the modules that are imported by now, through their plain
dictionaries: no `__getattr__` of a module, no descriptor and no lazy import runs for a row. What is
found counts only if it is a class that calls itself by this path.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, cast

from queuekit.arguments.forms import RefusedError
from queuekit.errors import DeserializationError
from queuekit.names import kind_name


def path_of(cls: type) -> str:
    """Raises RefusedError when no other process could find the class."""
    module = _real_module(cls)
    if module == "__main__":
        raise RefusedError(
            f"needs the class {kind_name(cls)}, defined in the script that is being run, which a "
            "worker cannot import: move it into a module"
        )
    if "<locals>" in cls.__qualname__:
        raise RefusedError(
            f"needs the class {kind_name(cls)}, defined inside a function, where a worker cannot "
            "find it: move it to the top of its module"
        )
    if _look_up(cls.__module__, cls.__qualname__) is not cls:
        raise RefusedError(
            f"needs the class {kind_name(cls)}, which is not what {module} has under that name"
        )
    return f"{module}:{cls.__qualname__}"


def find(path: str) -> type:
    """Raises DeserializationError, with the cure where there is one."""
    module, _, name = path.partition(":")
    if module not in sys.modules:
        raise DeserializationError(
            f"the class {path} is not among what this process has imported: "
            f"list {module} under imports"
        )
    found = _look_up(module, name)
    if found is None or (found.__module__, found.__qualname__) != (module, name):
        raise DeserializationError(f"{module} is imported and has no class {name}")
    return found


def _look_up(module: str, name: str) -> type | None:
    place = sys.modules.get(module)
    if not issubclass(type(place), ModuleType):
        return None
    # A lazily loaded module would begin to load at the sight of `place.__dict__`.
    names = object.__getattribute__(place, "__dict__")
    found: Any = None
    for part in name.split("."):
        found = names.get(part)
        if not issubclass(type(found), type):
            return None
        names = vars(found)
    return cast(type, found)


def _real_module(cls: type) -> str:
    """`python -m app.jobs` runs app.jobs as `__main__`, but says so in its spec."""
    if cls.__module__ != "__main__":
        return cls.__module__
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else "__main__"
