"""What travels in a job's arguments, and how: a JSON object `{"args": [...], "kwargs": {...}}`.

What JSON can say travels as itself: None, bool, int, finite floats, str, lists, and dicts with text
keys. Every other value is an object with the reserved key `_queuekit`, which names its type, and a
few more keys, which are the value:

    {"_queuekit": "float", "value": "inf"}                    also "-inf" and "nan"
    {"_queuekit": "decimal", "value": "1.50"}
    {"_queuekit": "date", "value": "2026-01-31"}
    {"_queuekit": "datetime", "value": "2026-01-31T09:00:00"}             without a zone
    {"_queuekit": "datetime", "value": "2026-01-31T09:00:00+01:00"}       with a fixed offset, and
                                                              "tzname": "CET" where it has a name
    {"_queuekit": "datetime", "value": "2026-01-31T09:00:00", "zone": "Europe/Berlin"}
                                                              "fold": 1 in the hour that comes twice
    {"_queuekit": "time", ...}                                with the keys of a datetime
    {"_queuekit": "timedelta", "days": 1, "seconds": 7200, "microseconds": 0}
    {"_queuekit": "uuid", "value": "0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704"}
    {"_queuekit": "bytes", "base64": "AAEC"}
    {"_queuekit": "tuple", "values": [1, 2]}                  likewise "set" and "frozenset", sorted
    {"_queuekit": "range", "start": 0, "stop": 10, "step": 2}
    {"_queuekit": "class", "class": "app.models:User"}        module and name
    {"_queuekit": "enum", "class": "app.models:Colour", "name": "RED"}
    {"_queuekit": "flag", "class": "app.models:Access", "names": ["READ", "WRITE"]}
                                                              "bits": 8 where some have no name
    {"_queuekit": "dataclass", "class": "app.models:Money", "fields": {"amount": 5, ...}}
    {"_queuekit": "record", "class": "app.models:User", "key": 42}        see records.py
    {"_queuekit": "serializer", "name": "money", "value": ...}            see serializers.py

With arguments that are redacted comes `"redact": ["password", 0]`, first in the object: the names
and the positions that nobody is shown. The values stand in the row; the job needs them.

What was stored once can be loaded forever: these forms may get company, they never change. Keys
that begin with `_queuekit` are refused in a user's dict. Whatever else cannot travel is refused
when enqueueing, with the argument and the place in it; a value that came back as another type would
be found much later.

Nothing is ever unpickled, evaluated or imported for a row. A class is looked up among the modules
that are imported, under its own name (classes.py), and only dataclasses are called: with their
stored fields.

    storing    arguments    ->  the stored text         forms      what a typed value is
    loading    stored text  ->  arguments               values     the types of the standard library
    describing stored text  ->  a line for people       objects    classes, enums, dataclasses
"""

from queuekit.arguments.describing import describe, redacted
from queuekit.arguments.loading import load
from queuekit.arguments.records import Locator, register_locator
from queuekit.arguments.serializers import register_serializer
from queuekit.arguments.storing import dump, encode

__all__ = [
    "Locator",
    "describe",
    "dump",
    "encode",
    "load",
    "redacted",
    "register_locator",
    "register_serializer",
]
