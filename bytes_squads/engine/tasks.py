"""Run operations in separate tasks.

Cancelling the task that awaits an operation does not cancel the operation. `close` waits for
operations in progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ..domain.errors import StorageUnavailableError

T = TypeVar("T")

CANCEL_GRACE = 0.5
"""Seconds that operations cancelled by `drain` get to roll back."""

running_tasks: set[asyncio.Task[Any]] = set()
"""The tasks of operations in progress."""

_draining: set[asyncio.AbstractEventLoop] = set()


async def run_shielded(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run work in a separate task, which cancelling the caller does not cancel."""
    loop = asyncio.get_running_loop()
    if loop in _draining:
        raise StorageUnavailableError("the database is being closed")
    task = loop.create_task(work())
    running_tasks.add(task)
    result: asyncio.Future[T] = loop.create_future()
    task.add_done_callback(partial(_on_done, result))
    try:
        return await result
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if not (task.cancelled() and is_draining()) or (current and current.cancelling()):
            raise
        raise StorageUnavailableError("the database was closed before the operation") from None


def _on_done(result: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    running_tasks.discard(task)
    if task.cancelled():
        result.cancel()
    elif error := task.exception():  # retrieved even if the caller was cancelled
        if not result.done():
            result.set_exception(error)
    elif not result.done():
        result.set_result(task.result())


async def run_to_completion(work: Awaitable[T]) -> T:
    """Await work until it ends even if this task is cancelled; then raise CancelledError."""
    if asyncio.current_task() in running_tasks:  # callers cannot cancel an operation's task
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
    """Refuse new operations in this event loop, wait for those in progress, then cancel the rest.

    Args:
        seconds: The longest wait.
    """
    loop = asyncio.get_running_loop()
    _draining.add(loop)
    tasks = {task for task in running_tasks if task.get_loop() is loop}
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_GRACE)


def is_draining() -> bool:
    """Return whether `drain` has been called in this event loop."""
    return asyncio.get_running_loop() in _draining


def resume() -> None:
    """Accept operations in this event loop again, after `drain`."""
    _draining.discard(asyncio.get_running_loop())
