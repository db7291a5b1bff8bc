"""Running one attempt of a job, and saying how it ended. Nothing a job does leaves this place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from queuekit import arguments
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, Result
from queuekit.importing import find

#: The frame of `perform` itself, which says nothing about the job.
_OWN_FRAMES = 1


def perform(job: ClaimedJob, imports: Sequence[str] = (), folder: Path | None = None) -> Result:
    """Run a claimed job in this thread. `imports` and `folder` say what may be imported for it.

    Whatever it raises makes it fail, `sys.exit()` included: a worker's thread is not its to end.
    """
    try:
        declaration = find(job.class_name, imports, folder)
        args, kwargs = arguments.load(job.arguments)
        declaration.call(*args, **kwargs)
    except BaseException as error:
        return Result(job.row_id, FAILED, describe_error(error, _OWN_FRAMES))
    return Result(job.row_id, FINISHED)
