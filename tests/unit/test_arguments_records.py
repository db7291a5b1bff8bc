"""Records travel as class and key, and other types as their serializer says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest

import queuekit
from queuekit.arguments import dump, load, records, register_locator, serializers
from queuekit.errors import (
    ConfigurationError,
    DeserializationError,
    RecordNotFound,
    SerializationError,
)


@dataclass
class Model:
    """A dataclass too, as SQLAlchemy's may be: it is a record first."""

    id: Any


class User(Model):
    pass


class Admin(User):
    pass


class Document(Model):
    pass


class Memory:
    """What stands in for a database: the records that are there."""

    def __init__(self) -> None:
        self.records: list[Model] = []
        self.failure: Exception | None = None

    def key(self, record: Model) -> object:
        if self.failure is not None:
            raise self.failure
        return record.id

    def locate(self, record_class: type[Model], key: Any) -> Model | None:
        if self.failure is not None:
            raise self.failure
        for record in self.records:
            if type(record) is record_class and record.id == key:
                return record
        return None

    def save(self, record: Model) -> Model:
        self.records.append(record)
        return record


@pytest.fixture(autouse=True)
def registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_locators", {})
    monkeypatch.setattr(serializers, "_by_name", {})
    monkeypatch.setattr(serializers, "_by_class", {})


@pytest.fixture
def memory(registers: None) -> Memory:
    memory = Memory()
    register_locator(Model, memory)
    return memory


def again(value: Any) -> Any:
    (value,), _ = load(dump([value], {}))
    return value


# Records


def test_a_record_is_found_again_by_its_class_and_key(memory: Memory) -> None:
    user, admin = memory.save(User(1)), memory.save(Admin(1))

    assert again(user) is user
    assert again(admin) is admin
    assert again({"users": [(user,), {"a": admin}]}) == {"users": [(user,), {"a": admin}]}
    assert dump([user], {}) == (
        f'{{"args":[{{"_queuekit":"record","class":"{__name__}:User","key":1}}],"kwargs":{{}}}}'
    )


@pytest.mark.parametrize("key", ["a", Decimal("1.50"), (1, "b"), {"pk": 1, "using": "other"}])
def test_a_key_may_be_anything_that_travels(memory: Memory, key: Any) -> None:
    user = memory.save(User(key))

    assert again(user) is user


def test_a_record_that_is_gone_is_not_found(memory: Memory) -> None:
    text = dump([User(42)], {})

    with pytest.raises(RecordNotFound) as raised:
        load(text)

    assert str(raised.value) == f"there is no {__name__}.User with the key 42"
    assert isinstance(raised.value, DeserializationError)


def test_a_record_that_was_never_saved_is_refused(memory: Memory) -> None:
    with pytest.raises(SerializationError) as raised:
        dump([[User(None)]], {}, ["users"])

    assert str(raised.value) == (
        f"argument users[0] is a {__name__}.User without a primary key, which no job could find: "
        "save it first"
    )


def test_a_key_that_cannot_travel_is_refused(memory: Memory) -> None:
    with pytest.raises(SerializationError, match=r"^argument user's key is a object, which cannot"):
        dump([User(object())], {}, ["user"])


def test_a_lost_connection_stays_one(memory: Memory) -> None:
    text = dump([(memory.save(User(1)),)], {})
    memory.failure = ValueError("a driver may call it anything")

    with pytest.raises(ValueError, match="a driver may call it anything"):
        load(text)
    with pytest.raises(
        SerializationError, match=r"argument user is a .*, whose locator raised Val"
    ):
        dump([User(1)], {}, ["user"])


def test_the_nearest_class_has_the_say(memory: Memory) -> None:
    users = Memory()
    register_locator(User, users)

    assert again(users.save(Admin(1))) is users.records[0]
    assert again(memory.save(Document(1))) is memory.records[0]


def test_what_a_lazy_object_stands_for_travels(memory: Memory) -> None:
    class Lazy:
        id = 1
        __class__ = User  # type: ignore[assignment]

    user = memory.save(User(1))

    assert again(Lazy()) is user


def test_a_class_of_records_is_a_class(memory: Memory) -> None:
    assert again(User) is User


def test_without_its_locator_a_record_is_not_made_up(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = dump([User(1)], {})
    monkeypatch.setattr(records, "_locators", {})

    with pytest.raises(DeserializationError, match=f"no locator is registered for {__name__}.User"):
        load(text)
    with pytest.raises(DeserializationError, match="a stored record's class is not text"):
        load('{"args":[{"_queuekit":"record","class":1,"key":1}],"kwargs":{}}')


def test_one_class_has_one_locator(memory: Memory) -> None:
    register_locator(Model, memory)

    with pytest.raises(ConfigurationError, match=f"{__name__}.Model has a locator already"):
        register_locator(Model, Memory())
    for wrong in (int, object, type, dict, "User", None):
        with pytest.raises(ConfigurationError, match="cannot have a locator"):
            queuekit.register_locator(wrong, memory)  # type: ignore[arg-type]


# Serializers


class Celsius:
    def __init__(self, degrees: Decimal) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__


class Kelvin(Celsius):
    pass


def register_celsius(**more: Any) -> None:
    queuekit.register_serializer(
        Celsius, name="celsius", dump=lambda value: value.degrees, load=Celsius, **more
    )


def test_a_type_with_a_serializer_travels() -> None:
    register_celsius()

    assert again([Celsius(Decimal("36.6"))]) == [Celsius(Decimal("36.6"))]
    assert dump([Celsius(Decimal(1))], {}) == (
        '{"args":[{"_queuekit":"serializer","name":"celsius","value":'
        '{"_queuekit":"decimal","value":"1"}}],"kwargs":{}}'
    )


def test_a_subclass_does_not_come_back_as_its_base() -> None:
    register_celsius()

    with pytest.raises(SerializationError, match=r"is a .*Kelvin, which cannot travel"):
        dump([Kelvin(Decimal(0))], {})


def test_a_serializer_may_take_subclasses() -> None:
    kinds = {"Celsius": Celsius, "Kelvin": Kelvin}
    queuekit.register_serializer(
        Celsius,
        name="temperature",
        dump=lambda value: (type(value).__name__, value.degrees),
        load=lambda stored: kinds[stored[0]](stored[1]),
        subclasses=True,
    )

    assert again(Kelvin(Decimal(5))) == Kelvin(Decimal(5))


def test_a_class_that_is_no_value_itself_can_stand_for_those_that_are() -> None:
    queuekit.register_serializer(
        PurePosixPath, name="path", dump=str, load=PurePosixPath, subclasses=True
    )

    assert again(PurePosixPath("/a")) == PurePosixPath("/a")


def test_a_serializer_comes_before_a_locator(memory: Memory) -> None:
    queuekit.register_serializer(User, name="user", dump=lambda user: [user.id], load=tuple)

    assert again(User(7)) == (7,)


def test_an_unknown_serializer_is_named_with_the_cure() -> None:
    with pytest.raises(DeserializationError) as raised:
        load('{"args":[{"_queuekit":"serializer","name":"money","value":1}],"kwargs":{}}')

    assert str(raised.value) == (
        "no serializer is named 'money' here: list the module that registers it under imports"
    )


def test_what_a_serializer_raises_is_said_with_its_cause() -> None:
    register_celsius()

    def refuse(stored: Any) -> Kelvin:
        raise LookupError("no such temperature")

    queuekit.register_serializer(Kelvin, name="kelvin", dump=lambda value: 1 / 0, load=refuse)

    with pytest.raises(SerializationError, match="whose serializer kelvin raised ZeroD") as dumping:
        dump([Kelvin(Decimal(1))], {})
    assert isinstance(dumping.value.__cause__, ZeroDivisionError)
    with pytest.raises(DeserializationError, match="no such temperature") as loading:
        load('{"args":[{"_queuekit":"serializer","name":"kelvin","value":1}],"kwargs":{}}')
    assert isinstance(loading.value.__cause__, LookupError)


def test_what_a_serializer_makes_must_travel() -> None:
    queuekit.register_serializer(
        Celsius, name="celsius", dump=lambda value: [value], load=lambda stored: stored[0]
    )
    with pytest.raises(SerializationError, match="nested deeper than 100 levels, or holds itself"):
        dump([Celsius(Decimal(1))], {})

    queuekit.register_serializer(Kelvin, name="kelvin", dump=lambda value: {1: 2}, load=Kelvin)
    with pytest.raises(SerializationError, match=r"^argument t, as dumped, has the key 1, a int"):
        dump([Kelvin(Decimal(1))], {}, ["t"])


def test_a_name_and_a_class_have_one_serializer() -> None:
    register_celsius()
    register_celsius()  # its module was imported again

    for cls, name in [(Kelvin, "celsius"), (Celsius, "centigrade")]:
        with pytest.raises(ConfigurationError, match=r"there is one named 'celsius' for .*Celsius"):
            queuekit.register_serializer(cls, name=name, dump=str, load=cls)
    for wrong in (int, Decimal, list, type, object, "Celsius"):
        with pytest.raises(ConfigurationError, match="cannot have one"):
            queuekit.register_serializer(wrong, name="new", dump=str, load=int)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="needs a name"):
        queuekit.register_serializer(Kelvin, name="", dump=str, load=Kelvin)
