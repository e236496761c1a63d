"""Reports: what takes longer than a page may, computed in the background and shared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_WAIT = 0.2
"""Seconds that a page waits for a report before it shows the last one."""

REFRESH_SECONDS = 2
"""Seconds until a page comes back that did not wait for its report."""

KEEP_SECONDS, KEEP_FACTOR = 10, 100
"""A report is kept for these seconds, or for so many times the time it took if that is longer."""

MAX_AT_ONCE, MAX_REPORTS = 2, 100


@dataclass(frozen=True, slots=True)
class Report(Generic[T]):
    """The result of a computation.

    Attributes:
        value: The result.
        made_at: When the computation began; no figure is older.
        seconds: How long it took.
    """

    value: T
    made_at: datetime
    seconds: float


class Reports:
    """The last report of each key. Each key has one computation at a time, for all who ask."""

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[Report[Any] | Exception, float]] = {}
        self._running: dict[Hashable, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    async def get(
        self, key: Hashable, compute: Callable[[], Awaitable[T]], *, need: bool = False
    ) -> tuple[Report[T] | None, bool]:
        """Return the last report and whether a newer one is being computed.

        Args:
            key: What it is a report of.
            compute: Called if there is no report or it is too old; what it raises is raised here.
            need: Whether to wait for the first report however long it takes, and not return None.
        """
        last, old_at = self._last.get(key, (None, 0.0))
        if key not in self._running and monotonic() >= old_at:
            if isinstance(last, Exception):
                del self._last[key]
                last = None
            self._running[key] = asyncio.create_task(self._compute(key, compute))
        if task := self._running.get(key):
            await asyncio.wait([task], timeout=None if need and last is None else MAX_WAIT)
            last, _ = self._last.get(key, (None, 0.0))
        if isinstance(last, Exception):
            raise last
        return last, key in self._running

    async def close(self) -> None:
        """Cancel the computations in progress, and wait until they have ended."""
        tasks = set(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compute(self, key: Hashable, compute: Callable[[], Awaitable[Any]]) -> None:
        result: Report[Any] | Exception
        async with self._slots:
            made_at, began = datetime.now(UTC), monotonic()
            try:
                value = await compute()
            except Exception as error:  # noqa: BLE001  # raised for those who ask
                result, keep = error, 2.0 * REFRESH_SECONDS
            else:
                seconds = monotonic() - began
                result, keep = Report(value, made_at, seconds), seconds * KEEP_FACTOR
                keep = max(keep, KEEP_SECONDS)
        self._last.pop(key, None)  # the order is that of their age
        self._last[key] = result, monotonic() + keep
        if len(self._last) > MAX_REPORTS:
            del self._last[next(iter(self._last))]
        del self._running[key]
