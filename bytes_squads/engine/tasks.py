"""What a cancel may reach: whoever waits for a unit of work, never the work itself.

An operation of this package runs in a task of its own, which nobody outside holds; `close` waits
for those tasks. What a caller's own task must not leave half done runs to its end there too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ..domain.errors import StorageUnavailableError

T = TypeVar("T")

LAST_WORDS = 0.5
"""Seconds that operations cancelled by `drain` have to undo their work and say so."""

running: set[asyncio.Task[Any]] = set()
"""The tasks of operations under way."""

_closing: set[asyncio.AbstractEventLoop] = set()


async def detached(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the unit of work in its own task; a cancel reaches only the one who waits for it."""
    loop = asyncio.get_running_loop()
    if loop in _closing:
        raise StorageUnavailableError("the database is being closed")
    task = loop.create_task(work())
    running.add(task)
    answer: asyncio.Future[T] = loop.create_future()
    task.add_done_callback(partial(_ended, answer))
    try:
        return await answer
    except asyncio.CancelledError:
        if not (task.cancelled() and closing()):
            raise
        raise StorageUnavailableError("the database was closed before the operation") from None


def _ended(answer: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    running.discard(task)
    if task.cancelled():
        answer.cancel()
    elif error := task.exception():  # seen, also when nobody waits any more
        if not answer.done():
            answer.set_exception(error)
    elif not answer.done():
        answer.set_result(task.result())


async def finish(work: Awaitable[T]) -> T:
    """Await the work to its end even when this task is cancelled meanwhile; then say so."""
    if asyncio.current_task() in running:  # nobody cancels an operation's own task
        return await work
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise


async def drain(seconds: float) -> None:
    """Refuse new operations in this event loop, wait for those under way, then cancel the rest.

    Args:
        seconds: How long to wait at most.
    """
    loop = asyncio.get_running_loop()
    _closing.add(loop)
    tasks = {task for task in running if task.get_loop() is loop}
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_WORDS)


def closing() -> bool:
    """Whether `drain` cancels here, and somebody waits for the answer; otherwise the loop ends."""
    return asyncio.get_running_loop() in _closing


def accept() -> None:
    """Accept operations in this event loop again, after `drain`."""
    _closing.discard(asyncio.get_running_loop())
