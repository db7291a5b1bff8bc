"""Every way of going wrong that queuekit names, under one root.

A leaf of the import graph: anything may import it, it imports nothing of queuekit.
"""


class QueuekitError(Exception):
    """The root of all errors raised by queuekit itself."""


# Configuration


class ConfigurationError(QueuekitError):
    """The configuration cannot be used. `problems` has every reason, one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class ImportFailedError(ConfigurationError):
    """A module under `imports` cannot be imported. What it raised is the cause."""


# Declaring and enqueueing jobs


class JobDeclarationError(QueuekitError):
    """A job is declared in a way that cannot work; raised at import, where the declaration is."""


class EnqueueError(QueuekitError):
    """A job could not be enqueued; nothing was written. A database's own error is its cause."""


class SerializationError(EnqueueError):
    """An argument cannot travel through the database. Raised when enqueueing, and names it."""


class SignatureError(EnqueueError, TypeError):
    """The arguments do not fit the job's own signature. Raised when enqueueing."""


class EnqueueOptionError(EnqueueError, ValueError):
    """A queue, priority, time or connection that a job cannot be enqueued with."""


class UnreachableJobError(EnqueueError):
    """No worker could import this job, because of where it is defined. The message has the cure."""


class Abort(QueuekitError):  # noqa: N818 - a signal more than an error
    """Raised in a callback: before enqueueing it enqueues nothing, before performing it gives the
    job up. Not an error: no policy sees it."""


class NoCurrentJobError(QueuekitError):
    """`queuekit.context` was asked outside of a job."""


class DeserializationError(QueuekitError):
    """Stored arguments cannot be turned back into values. Raised in the run: it fails one job."""


class RecordNotFound(DeserializationError):  # noqa: N818 - a name that job code says often
    """A record that a job was enqueued with is gone. Its locator did not find it."""


class UnknownJobError(QueuekitError):
    """A row names a job that this worker does not know or may not import."""


class JobNotFoundError(QueuekitError):
    """No job with that id is in the state that the call works on."""


# Continuations, and jobs that end themselves


class ContinuationError(QueuekitError):
    """Something is wrong with the steps of a job. Such an error is never resumed after."""


class InvalidStepError(ContinuationError):
    """A step where none can be, or another than an earlier run of the job had there."""


class UnadvanceableCursorError(ContinuationError):
    """A cursor that is no whole number cannot be advanced, only set."""


class ResumeLimitError(ContinuationError):
    """The job was resumed as often as its `max_resumptions` allows. Its cause is the last error."""


class ClaimLostError(QueuekitError):
    """This process has not claimed the job, or not any more: what the job does is another's now."""


class NotCommittedError(QueuekitError):
    """The job completed itself, but the transaction in which it did was not committed."""


# Recurring tasks


class ScheduleError(QueuekitError, ValueError):
    """A text that is no schedule, or one that would not do what it says. The message has why."""


class RecurringTaskError(QueuekitError, ValueError):
    """A recurring task that cannot be made, replaced or removed like this."""


class RecurringTaskNotFoundError(QueuekitError):
    """There is no recurring task with that key."""


# The database


class DatabaseError(QueuekitError):
    """The database refused a statement. The driver's error is its cause."""


class DatabaseUnavailableError(DatabaseError):
    """The server cannot be reached, or the connection was lost. It may come back."""


class DatabaseRefusedError(DatabaseError):
    """The database is there, and of no use: a wrong password, no such user or database, a missing
    privilege; of SQLite a file that is no database, is damaged or may not be written."""


class ConflictError(DatabaseError):
    """A transaction lost against others (deadlock, serialization, busy) again and again."""


class MissingDriverError(DatabaseError):
    """The driver for this database is not installed. The message names the extra that brings it."""


class UnsupportedServerError(DatabaseError):
    """The server is too old: it lacks something that a queue cannot do without."""


class NotPreparedError(DatabaseError):
    """The database lacks queuekit's tables. The message says what to run."""


# Processes


class JobTimeout(QueuekitError):  # noqa: N818 - a name that job code catches
    """The job ran longer than its `timeout`. Raised in the thread that runs it, where it stands."""

    def __init__(self, message: str = "the job ran longer than its timeout") -> None:
        super().__init__(message)


class PidfileError(QueuekitError):
    """The pidfile cannot be used: another supervisor holds it, or it cannot be written."""


class ProcessExitError(QueuekitError):
    """The process that was running the job exited or was killed. Recorded on the failed job."""


class ProcessPrunedError(QueuekitError):
    """The process that was running the job sent no heartbeats. Recorded on the failed job."""


class ProcessMissingError(QueuekitError):
    """The process that had claimed the job is not registered. Recorded on the failed job."""
