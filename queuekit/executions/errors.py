"""An error as it is kept with a failed job: JSON with the class, the message and the traceback."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass

from queuekit.arguments import encode
from queuekit.names import kind_name

#: What is kept of a message and of a traceback, in characters: an error must not fill the disk.
_MESSAGE_LIMIT = 10_000
_TRACEBACK_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class StoredError:
    """What is known of why a job failed."""

    exception_class: str
    message: str
    traceback: str


def describe_error(error: BaseException, frames_to_skip: int = 0) -> str:
    """The stored form of an error. The first frames, queuekit's own, can be left out."""
    return encode(
        {
            "exception_class": kind_name(type(error)),
            "message": _cut(_message(error), _MESSAGE_LIMIT),
            "traceback": _cut(_traceback(error, frames_to_skip), _TRACEBACK_LIMIT),
        }
    )


def read_error(text: str) -> StoredError:
    stored = json.loads(text)
    return StoredError(stored["exception_class"], stored["message"], stored["traceback"])


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as unprintable:  # it is a job's own class: it may do anything
        return f"<no message: its str() raised {type(unprintable).__name__}>"


def _traceback(error: BaseException, frames_to_skip: int) -> str:
    frames = error.__traceback__
    for _ in range(frames_to_skip):
        frames = frames.tb_next if frames is not None else None
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except BaseException as unprintable:
        return f"<no traceback: formatting it raised {type(unprintable).__name__}>"


def _cut(text: str, limit: int) -> str:
    """Keep both ends: where it began and, in a traceback, what it was."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
