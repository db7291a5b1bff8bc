"""Solid Queue for Python: background jobs in the SQL database you already have."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from queuekit import events, jobs, queues, slots, status
from queuekit.application import configure
from queuekit.arguments import Locator, register_locator, register_serializer
from queuekit.binding import BoundJob, aenqueue_all, enqueue_all
from queuekit.callbacks import (
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
)
from queuekit.current import CurrentJob, context
from queuekit.deferral import enqueue_after_commit, on_commit_of
from queuekit.errors import (
    Abort,
    ClaimLostError,
    ConfigurationError,
    ConflictError,
    ContinuationError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    DeserializationError,
    EnqueueError,
    EnqueueOptionError,
    ImportFailedError,
    InvalidStepError,
    JobDeclarationError,
    JobNotFoundError,
    JobTimeout,
    MissingDriverError,
    NoCurrentJobError,
    NotCommittedError,
    NotPreparedError,
    PidfileError,
    ProcessExitError,
    ProcessMissingError,
    ProcessPrunedError,
    QueuekitError,
    RecordNotFound,
    RecurringTaskError,
    RecurringTaskNotFoundError,
    ResumeLimitError,
    ScheduleError,
    SerializationError,
    SignatureError,
    UnadvanceableCursorError,
    UnknownJobError,
    UnreachableJobError,
    UnsupportedServerError,
)
from queuekit.executions import failed
from queuekit.hooks import (
    around_run,
    on_dispatcher_exit,
    on_dispatcher_start,
    on_dispatcher_stop,
    on_error,
    on_exit,
    on_scheduler_exit,
    on_scheduler_start,
    on_scheduler_stop,
    on_start,
    on_stop,
    on_worker_exit,
    on_worker_start,
    on_worker_stop,
)
from queuekit.job import Job, job
from queuekit.limits import Limit
from queuekit.policies import (
    AfterDiscard,
    Discard,
    DiscardOn,
    Rescue,
    RescueFrom,
    Retry,
    RetryOn,
)
from queuekit.propagation import propagate, stop_propagating
from queuekit.receipts import Receipt
from queuekit.stepping import Continuable, Step
from queuekit.throttles import Throttle
from queuekit.uniqueness import Unique
from queuekit.version import VERSION as __version__  # noqa: N811

if TYPE_CHECKING:
    from queuekit import recurring, schedules
    from queuekit.recurring.dynamic import schedule_recurring_task, unschedule_recurring_task

__all__ = [
    "Abort",
    "AfterDiscard",
    "BoundJob",
    "ClaimLostError",
    "ConfigurationError",
    "ConflictError",
    "Continuable",
    "ContinuationError",
    "CurrentJob",
    "DatabaseError",
    "DatabaseRefusedError",
    "DatabaseUnavailableError",
    "DeserializationError",
    "Discard",
    "DiscardOn",
    "EnqueueError",
    "EnqueueOptionError",
    "ImportFailedError",
    "InvalidStepError",
    "Job",
    "JobDeclarationError",
    "JobNotFoundError",
    "JobTimeout",
    "Limit",
    "Locator",
    "MissingDriverError",
    "NoCurrentJobError",
    "NotCommittedError",
    "NotPreparedError",
    "PidfileError",
    "ProcessExitError",
    "ProcessMissingError",
    "ProcessPrunedError",
    "QueuekitError",
    "Receipt",
    "RecordNotFound",
    "RecurringTaskError",
    "RecurringTaskNotFoundError",
    "Rescue",
    "RescueFrom",
    "ResumeLimitError",
    "Retry",
    "RetryOn",
    "ScheduleError",
    "SerializationError",
    "SignatureError",
    "Step",
    "Throttle",
    "UnadvanceableCursorError",
    "Unique",
    "UnknownJobError",
    "UnreachableJobError",
    "UnsupportedServerError",
    "__version__",
    "aenqueue_all",
    "after_enqueue",
    "after_perform",
    "around_enqueue",
    "around_perform",
    "around_run",
    "before_enqueue",
    "before_perform",
    "configure",
    "context",
    "enqueue_after_commit",
    "enqueue_all",
    "events",
    "failed",
    "job",
    "jobs",
    "on_commit_of",
    "on_dispatcher_exit",
    "on_dispatcher_start",
    "on_dispatcher_stop",
    "on_error",
    "on_exit",
    "on_scheduler_exit",
    "on_scheduler_start",
    "on_scheduler_stop",
    "on_start",
    "on_stop",
    "on_worker_exit",
    "on_worker_start",
    "on_worker_stop",
    "propagate",
    "queues",
    "recurring",
    "register_locator",
    "register_serializer",
    "schedule_recurring_task",
    "schedules",
    "slots",
    "status",
    "stop_propagating",
    "unschedule_recurring_task",
]


def __getattr__(name: str) -> Any:
    """What has to do with schedules is loaded by who first asks for it: most only enqueue."""
    if name in ("recurring", "schedules"):
        return import_module(f"queuekit.{name}")
    if name in ("schedule_recurring_task", "unschedule_recurring_task"):
        return getattr(import_module("queuekit.recurring.dynamic"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
