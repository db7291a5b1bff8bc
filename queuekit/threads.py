"""Blocking calls on behalf of event loops: a thread makes them, and its task waits.

A leaf of the import graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function in a thread, with this task's context variables.

    A call that has begun cannot be taken back. A task that is cancelled meanwhile waits for its
    end all the same: nothing of it happens behind the back of whoever goes on.
    """
    import asyncio  # only those who are asynchronous pay for it

    call = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        if not call.cancelled():
            call.exception()  # known now: nobody else would ask for it
        raise
