"""Contests: everybody does the same work in turn, in rounds of alternating order.

What counts is the ratio of two contestants within one round, and of these ratios the median. What
slows a machine down for a while then slows down both.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

OURS = "bytes_squads"


class Exhausted(Exception):  # noqa: N818  # no error, an end
    """Nothing is left to do in this turn: it ends early, and is timed up to here."""


@dataclass(frozen=True)
class Turn:
    """One contestant's turn.

    Args:
        seed: The same for all contestants of a round: they meet the same members.
        clients: How many act at once.
        seconds: How long.
    """

    seed: str
    clients: int
    seconds: float


Step = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Contestant:
    """Somebody who does the work.

    Args:
        name: As the tables have it.
        run: Takes a turn, and gives how much was done per second.
    """

    name: str
    run: Callable[[Turn], Awaitable[float]]


async def rate(turn: Turn, client: Callable[[Random], Step], each: int = 1) -> float:
    """How much clients do per second, all of them together.

    Args:
        turn: How many clients, and for how long.
        client: Makes a client from its source of chance; called, it does one step.
        each: What one step counts for.
    """
    steps = [client(Random(f"{turn.seed} {number}")) for number in range(turn.clients)]
    done = 0

    async def work(step: Step) -> None:
        nonlocal done
        while perf_counter() < deadline:
            try:
                await step()
            except Exhausted:
                return
            done += each

    gc.collect()
    begin = perf_counter()
    deadline = begin + turn.seconds
    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(work(step))
    return done / (perf_counter() - begin)


@dataclass
class Contest:
    """A contest and its figures.

    Args:
        key: Its name in results.
        title: Its name for people.
        unit: What is counted, per second.
        rounds: For each round the contestants in their order and how much each did per second.
    """

    key: str
    title: str
    unit: str
    rounds: list[dict[str, Any]] = field(default_factory=list)


async def hold(
    contest: Contest,
    contestants: list[Contestant],
    *,
    rounds: int,
    clients: int,
    seconds: float,
    warm_seconds: float,
    before: Callable[[], Awaitable[None]],
) -> Contest:
    """Hold a contest.

    Args:
        contest: Takes the figures.
        contestants: In the order of the first round; every other round is the other way round.
        rounds: How many.
        clients: How many act at once.
        seconds: Timed seconds of a turn.
        warm_seconds: Seconds of a turn before the first round that does not count.
        before: Called before each turn, outside of its time.
    """
    for contestant in contestants:
        await before()
        await contestant.run(Turn(f"{contest.key} warm", clients, warm_seconds))
    for number in range(rounds):
        order = contestants[:: -1 if number % 2 else 1]
        figures: dict[str, float] = {}
        for contestant in order:
            await before()
            turn = Turn(f"{contest.key} {number}", clients, seconds)
            figures[contestant.name] = await contestant.run(turn)
        contest.rounds.append({"order": [one.name for one in order], "figures": figures})
    return contest
