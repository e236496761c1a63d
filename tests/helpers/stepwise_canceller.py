"""Cancelling a task at each of its awaits, those of the tasks that it starts included."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from .backends import LONG

Start = Callable[[], Coroutine[Any, Any, Any]]


class StepwiseCanceller:
    """Cancels a task when it, and the tasks that it starts, have suspended so many times in all.

    Args:
        step: The suspension at which the task is cancelled, counted from 1.
        again: Whether it is cancelled at each later suspension, too.
    """

    def __init__(self, step: int, *, again: bool = False) -> None:
        self.step, self.again = step, again
        self.steps = 0
        self.task: asyncio.Task[Any] | None = None

    async def run(self, work: Start) -> Any:
        """Run the work in a task, and return its result or the exception that it ended with."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        make_task: Any = self._make_task
        loop.set_task_factory(make_task)
        try:
            self.task = loop.create_task(work())
            result: Any
            (result,) = await asyncio.gather(self.task, return_exceptions=True)
        finally:
            loop.set_task_factory(before)
        return result

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(self._count(work), loop=loop, **options)

    async def _count(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await self._drive(work)

    @types.coroutine
    def _drive(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        resume: Callable[[Any], Any] = work.send
        sent: Any = None
        while True:
            try:
                awaited = resume(sent)
            except StopIteration as stop:
                return stop.value
            self.steps += 1
            if self.steps == self.step or (self.again and self.steps > self.step):
                assert self.task is not None
                asyncio.get_running_loop().call_soon(self.task.cancel)
            try:
                resume, sent = work.send, (yield awaited)
            except BaseException as error:  # noqa: BLE001
                resume, sent = work.throw, error


async def cancel_at_every_step(
    work: Start,
    check: Callable[[], Awaitable[None]],
    *,
    again: bool = False,
    first: int = 1,
    stride: int = 1,
) -> int:
    """Repeat the work, cancelled one step later each time, until it ends before the cancel.

    Args:
        work: Starts the work.
        check: Run after each time; makes everything ready for the next one, too.
        again: Whether a cancelled task is cancelled at each later step, too.
        first: The first step at which it is cancelled.
        stride: How many steps later the next time.

    Returns:
        How often it was cancelled.
    """
    step, cancelled = first, 0
    while True:
        canceller = StepwiseCanceller(step, again=again)
        async with asyncio.timeout(LONG):
            result = await canceller.run(work)
        assert result is None or isinstance(result, (asyncio.CancelledError, list)), repr(result)
        cancelled += isinstance(result, asyncio.CancelledError)
        async with asyncio.timeout(LONG):
            await check()
        if canceller.steps < step:
            return cancelled
        step += stride
