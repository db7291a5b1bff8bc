"""Records: rows of the application's own tables, which travel as class and primary key.

A locator knows the records of one class and its subclasses: their keys, and how to find one again.
The job gets the record as it is when it runs, and fails with RecordNotFound when it is gone.

    class ModelLocator:
        def key(self, record: Model) -> object:
            return record.id

        def locate(self, record_class: type[Model], key: Any) -> Model | None:
            return Session().get(record_class, key)

    queuekit.register_locator(Model, ModelLocator())
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from queuekit.arguments import classes
from queuekit.arguments.forms import MARK, Form, Inner, RefusedError, Store
from queuekit.arguments.values import BUILT_IN
from queuekit.errors import ConfigurationError, DeserializationError, RecordNotFound
from queuekit.names import kind_name

R = TypeVar("R")

_locators: dict[type, Locator[Any]] = {}


class Locator(Protocol[R]):
    """Finds the records of a class again. One object for all threads."""

    def key(self, record: R) -> object:
        """The primary key: anything that can travel itself; a dict or tuple if it has parts.

        None when the record was never saved: it is refused.
        """

    def locate(self, record_class: type[R], key: Any) -> R | None:
        """The record with this key, None when there is none.

        What it raises is what the job fails with: a lost connection stays one.
        """


def register_locator(record_class: type[R], locator: Locator[R]) -> None:
    """Let records of this class and its subclasses travel. The nearest class's locator counts.

    Raises ConfigurationError.
    """
    if not isinstance(record_class, type) or record_class in BUILT_IN:
        raise ConfigurationError(
            f"{record_class!r} cannot have a locator: it is no class of records"
        )
    other = _locators.setdefault(record_class, locator)
    if other is not locator:
        raise ConfigurationError(f"{kind_name(record_class)} has a locator already: {other!r}")


def store_for(value: Any) -> Store | None:
    return None if _locator(_class_of(value)) is None else _store_record


def _store_record(record: Any, inner: Inner) -> dict[str, Any]:
    kind = _class_of(record)
    locator = _locator(kind)
    assert locator is not None
    path = classes.path_of(kind)
    try:
        key = locator.key(record)
    except Exception as error:
        raise RefusedError(
            f"is a {kind_name(kind)}, whose locator raised {type(error).__name__}: {error}"
        ) from error
    if key is None:
        raise RefusedError(
            f"is a {kind_name(kind)} without a primary key, which no job could find: save it first"
        )
    return {MARK: "record", "class": path, "key": inner(key, "'s key")}


def identity(value: Any) -> tuple[str, Any] | None:
    """The class of a record and its primary key, None when it is none."""
    kind = _class_of(value)
    locator = _locator(kind)
    return None if locator is None else (kind_name(kind), locator.key(value))


def _load_record(stored: dict[str, Any]) -> Any:
    path, key = stored["class"], stored["key"]
    if not isinstance(path, str):
        raise DeserializationError("a stored record's class is not text")
    kind = classes.find(path)
    locator = _locator(kind)
    if locator is None:
        raise DeserializationError(
            f"no locator is registered for {kind_name(kind)}: list the module that does it "
            "under imports"
        )
    record = locator.locate(kind, key)
    if record is None:
        raise RecordNotFound(f"there is no {kind_name(kind)} with the key {key!r}")
    return record


def _class_of(value: Any) -> type:
    """What a lazy object stands for, such as a web request's user, says only its `__class__`."""
    kind = value.__class__
    return kind if isinstance(kind, type) else type(value)


def _locator(kind: type) -> Locator[Any] | None:
    for base in kind.__mro__:
        if base in _locators:
            return _locators[base]
    return None


FORMS = [Form("record", frozenset({"class", "key"}), _load_record, misfits=())]
