"""One database, with the package open on it in this process."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from time import perf_counter
from typing import Any, Self
from uuid import UUID

from tortoise.connection import get_connection

import bytes_squads
from bytes_squads import BytesConfigUpdate, SquadCreate

from . import workloads
from .workloads import BATCH, GUILD, REGULARS, Draw, member

SQLITE = "sqlite://"

# The ledger's rows without their members, and other sums. Each member's balance follows from the
# ledger, which is verified at the end.
_STATE = """
    SELECT kind || ' ' || giver_username || ' ' || receiver_username || ' ' || amount, count(*)
    FROM bytes_transactions GROUP BY kind, giver_username, receiver_username, amount
    UNION ALL SELECT 'sum of balances', sum(balance) FROM bytes_balances
    UNION ALL SELECT 'sum of streaks', sum(streak_count) FROM bytes_balances
    UNION ALL SELECT 'memberships', count(*) FROM squad_memberships
"""


class Stage:
    """A new, empty database, and how many members its largest guild gets."""

    def __init__(self, url: str, members: int) -> None:
        self.url, self.members, self._days = url, members, 0
        self.package = workloads.PackageOperations(self.clock)
        self._squads: list[UUID] = []
        self._checks = 0

    def clock(self) -> datetime:
        """Return the wall time, some days later: members in a cooldown act once in each run."""
        return datetime.now(UTC) + timedelta(self._days)

    async def __aenter__(self) -> Self:
        """Create the tables, open the package and fill the guilds."""
        await bytes_squads.upgrade(self.url)
        await bytes_squads.init(self.url)
        await self._fill(GUILD, self.members, 0)
        await self._fill(workloads.COOLDOWN_GUILD, min(self.members, BATCH), 1)
        await self._fill(workloads.WAITING_GUILD, REGULARS, 10**6)
        for guild_id in workloads.SMALL_GUILDS:
            await self._fill(guild_id, REGULARS, 0)
        for step in range(1, 16):
            guild_id = workloads.WAITING_GUILD if step == 1 else GUILD
            async with asyncio.TaskGroup() as group:
                for n in range(REGULARS):
                    receiver = 1 + (n + step) % REGULARS
                    order = workloads.transfer(1 + n, receiver, guild_id=guild_id)
                    group.create_task(self.package.transfer(order))
        settings: Any = {"guild_id": GUILD, "name": "Squad", "switch_cost": 1, "max_members": BATCH}
        orders = [SquadCreate(role_id=str(10**17 + number), **settings) for number in range(20)]
        self._squads = [(await self.package.squads.create_squad(order)).id for order in orders]
        await self.query("ANALYZE" if self.url.startswith(SQLITE) else "VACUUM ANALYZE")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Verify the ledger and close the package."""
        report = await self.package.bytes.verify()
        await bytes_squads.close()
        if not report.ok:
            raise AssertionError(f"the ledger does not add up: {report.discrepancies[:3]}")

    async def _fill(self, guild_id: str, members: int, hours: int) -> None:
        """Set the cooldown in hours, and give members a million bytes and up to 999 more."""
        settings: Any = {"max_transfer": workloads.MAX_TRANSFER, "streak_bonuses": {1: 2, 2: 3}}
        config = BytesConfigUpdate(transfer_cooldown_hours=hours, **settings)
        await self.package.bytes.update_config(guild_id, config)
        for first in range(0, members + 1, BATCH):
            numbers = range(first, min(first + BATCH, members + 1))
            amounts = {member(number): 1_000_000 + number % 1_000 for number in numbers}
            await self.package.bytes.grant_many(guild_id, amounts)

    async def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute a statement on the package's connection and return the rows."""
        rows = await get_connection("default").execute_query_dict(sql)
        return [tuple(row.values()) for row in rows]

    async def request(self, operations: Any, command: str, key: str, *run: Any) -> Any:
        """Run a workload (seed, clients, seconds; returns the rate), or return its "effect".

        An effect is the change of some sums by two calls.
        """
        workload = workloads.WORKLOADS[key]
        await self._begin()
        if command == "run":
            seed, clients, seconds = run
            # Every member once: the step is prime. Each day begins elsewhere.
            numbers = range(self.members)
            unused = (1 + (self._days * 101 + n * 7919) % self.members for n in numbers)
            draws = [self._draw(f"{seed} {client}", unused) for client in range(clients)]
            calls = [partial(workload.execute, operations, draw) for draw in draws]
            return await measure_rate(seconds, calls)
        self._checks += 1
        before = dict(await self.query(_STATE))
        await workload.execute(operations, self._draw("check", iter([self._checks])))
        await self._begin()  # a second claim is one in a row
        await workload.execute(operations, self._draw("check", iter([self._checks])))
        after = dict(await self.query(_STATE))
        changes = {what: int(after[what] - before.get(what, 0)) for what in sorted(after)}
        return {what: change for what, change in changes.items() if change}

    async def _begin(self) -> None:
        """Prepare a run: every member may act again, and no write is left from the last run."""
        self._days += 1
        await self.query("DELETE FROM squad_memberships")
        if self.url.startswith(SQLITE):
            await self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            await self.query("VACUUM bytes_balances, squad_memberships")
            await self.query("CHECKPOINT")

    def _draw(self, seed: str, unused: Iterator[int]) -> Draw:
        return Draw(Random(seed), self.members, unused, self._squads)


async def measure_rate(seconds: float, calls: Sequence[Callable[[], Awaitable[object]]]) -> float:
    """Repeat the calls concurrently for some seconds; return the rate per second."""
    done = 0

    async def repeat(call: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        while perf_counter() < deadline:
            try:
                await call()
            except workloads.ExhaustedError:
                return
            done += 1

    gc.collect()
    begin = perf_counter()
    deadline = begin + seconds
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(repeat(call))
    return done / (perf_counter() - begin)
