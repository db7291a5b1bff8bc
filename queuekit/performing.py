"""Running one attempt of a job, and saying how it ended. Nothing a job does leaves this place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from queuekit import arguments, hooks
from queuekit.declaration import Declaration
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, Result
from queuekit.importing import find

#: The frames of this module, which say nothing about the job.
_OWN_FRAMES = 2


def perform(
    job: ClaimedJob,
    imports: Sequence[str] = (),
    folder: Path | None = None,
    watch: Callable[[Declaration], object] = lambda declaration: None,
) -> Result:
    """Run a claimed job in this thread. `imports` and `folder` say what may be imported for it;
    `watch` is called with its declaration before it begins.

    Whatever it raises makes it fail, `sys.exit()` included: a worker's thread is not its to end.
    """
    began = time.monotonic()
    try:
        _run(job, find(job.class_name, imports, folder), watch)
    except BaseException as error:
        stored = describe_error(error, _OWN_FRAMES)
        return Result(job.row_id, FAILED, stored, time.monotonic() - began)
    return Result(job.row_id, FINISHED, None, time.monotonic() - began)


def _run(job: ClaimedJob, declaration: Declaration, watch: Callable[[Declaration], object]) -> None:
    watch(declaration)
    args, kwargs = arguments.load(job.arguments)
    if not hooks.any_around_run():
        declaration.call(*args, **kwargs)
        return
    with hooks.surround(hooks.Run(job.job_id, job.class_name, job.queue, job.attempt)):
        declaration.call(*args, **kwargs)
