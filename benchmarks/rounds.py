"""Rounds: every implementation does the same work in turn, in an order that alternates.

A result is the ratio of two implementations within one round, and of these ratios the median. What
slows the machine down for a while slows down both.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

PACKAGE = "bytes_squads"

Runner = Callable[[str, int, float], Awaitable[float]]
"""Does the work with a seed, clients and seconds; returns how much it did per second."""


class ExhaustedError(Exception):
    """Nothing is left to do: the run ends early and is timed up to here."""


@dataclass(frozen=True)
class Settings:
    """Numbers of rounds, durations in seconds, and sizes."""

    rounds: int = 5
    seconds: float = 1.0
    warm_seconds: float = 0.8
    sizes: tuple[int, int] = (1_000_000, 1_000)
    pgbench_scale: int = 50


@dataclass
class Benchmark:
    """One piece of work, and for each round what each implementation did per second."""

    key: str
    section: str
    title: str
    names: list[str] = field(default_factory=list)
    rounds: list[dict[str, float]] = field(default_factory=list)

    def ratios(self, other: str) -> tuple[float, float, float]:
        """Return the median, least and greatest of what the first one does for the other's 1."""
        ratios = sorted(figures[self.names[0]] / figures[other] for figures in self.rounds)
        return median(ratios), ratios[0], ratios[-1]

    async def run(self, runners: Mapping[str, Runner], clients: int, settings: Settings) -> None:
        """Run the implementations, in reversed order in every second round."""
        self.names = list(runners)
        for run in runners.values():
            await run("warm", clients, settings.warm_seconds)
        for number in range(settings.rounds):
            figures = {}
            for name in self.names[:: -1 if number % 2 else 1]:
                figures[name] = await runners[name](f"{number}", clients, settings.seconds)
            self.rounds.append(figures)


async def measure_rate(seconds: float, calls: Sequence[Callable[[], Awaitable[object]]]) -> float:
    """Repeat the calls concurrently for some seconds; return how many were made per second."""
    done = 0

    async def repeat(call: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        while perf_counter() < deadline:
            try:
                await call()
            except ExhaustedError:
                return
            done += 1

    gc.collect()
    begin = perf_counter()
    deadline = begin + seconds
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(repeat(call))
    return done / (perf_counter() - begin)
