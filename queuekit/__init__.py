"""Solid Queue for Python: background jobs in the SQL database you already have."""

from queuekit import queues, status
from queuekit.application import configure
from queuekit.enqueueing import Receipt
from queuekit.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    DeserializationError,
    EnqueueError,
    EnqueueOptionError,
    JobDeclarationError,
    JobNotFoundError,
    MissingDriverError,
    NotPreparedError,
    ProcessExitError,
    ProcessMissingError,
    ProcessPrunedError,
    QueuekitError,
    SerializationError,
    SignatureError,
    UnknownJobError,
    UnreachableJobError,
    UnsupportedServerError,
)
from queuekit.executions import failed
from queuekit.job import BoundJob, Job, enqueue_all, job
from queuekit.version import VERSION as __version__  # noqa: N811

__all__ = [
    "BoundJob",
    "ConfigurationError",
    "ConflictError",
    "DatabaseError",
    "DatabaseRefusedError",
    "DatabaseUnavailableError",
    "DeserializationError",
    "EnqueueError",
    "EnqueueOptionError",
    "Job",
    "JobDeclarationError",
    "JobNotFoundError",
    "MissingDriverError",
    "NotPreparedError",
    "ProcessExitError",
    "ProcessMissingError",
    "ProcessPrunedError",
    "QueuekitError",
    "Receipt",
    "SerializationError",
    "SignatureError",
    "UnknownJobError",
    "UnreachableJobError",
    "UnsupportedServerError",
    "__version__",
    "configure",
    "enqueue_all",
    "failed",
    "job",
    "queues",
    "status",
]
