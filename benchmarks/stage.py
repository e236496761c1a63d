"""One database, with the package open on it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

import bytes_squads
from bytes_squads import BytesConfigUpdate

from . import workloads
from .rounds import measure_rate
from .workloads import BATCH, GUILD, REGULARS, WORKLOADS, Draw, member

SQLITE = "sqlite://"

# The ledger's rows without their members, and what else may change. Each member's balance follows
# from the ledger: `close` verifies that.
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
        self.url, self.members, self.clock = url, members, workloads.Clock()
        self.package = workloads.PackageOperations(self.clock)
        self._squads: list[UUID] = []
        self._runs = self._checks = 0

    async def open(self) -> None:
        """Create the tables, open the package and fill the guilds."""
        await bytes_squads.upgrade(self.url)
        await bytes_squads.init(self.url)
        small = min(self.members, BATCH)
        await self._fill(GUILD, self.members, 1_000_000, 0)
        await self._fill(workloads.COOLDOWN_GUILD, small, 1_000_000, 1)
        await self._fill(workloads.POOR_GUILD, small, 1, 10**6)
        for step in range(1, 16):
            guild_id = workloads.POOR_GUILD if step == 1 else GUILD
            async with asyncio.TaskGroup() as group:
                for n in range(REGULARS):
                    order = workloads.transfer(1 + n, 1 + (n + step) % REGULARS, guild_id=guild_id)
                    group.create_task(self.package.transfer(order))
        await self.query("ANALYZE" if self.url.startswith(SQLITE) else "VACUUM ANALYZE")

    async def _fill(self, guild_id: str, members: int, amount: int, hours: int) -> None:
        """Set the cooldown in hours, and give members the amount and up to 999 bytes more."""
        settings: Any = {"max_transfer": workloads.MAX_TRANSFER, "streak_bonuses": {1: 2, 2: 3}}
        config = BytesConfigUpdate(transfer_cooldown_hours=hours, **settings)
        await self.package.bytes.update_config(guild_id, config)
        for first in range(0, members + 1, BATCH):
            numbers = range(first, min(first + BATCH, members + 1))
            amounts = {member(number): amount + number % 1_000 for number in numbers}
            await self.package.bytes.grant_many(guild_id, amounts)

    async def close(self) -> None:
        """Verify the ledger and close the package."""
        try:
            report = await self.package.bytes.verify()
            if not report.ok:
                raise AssertionError(f"the ledger does not add up: {report.discrepancies[:3]}")
        finally:
            await bytes_squads.close()

    async def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute a statement on the package's connection and return the rows."""
        rows = await get_connection("default").execute_query_dict(sql)
        return [tuple(row.values()) for row in rows]

    async def checkpoint(self) -> None:
        """Remove dead rows and bring to disk what was written: nobody pays for the run before."""
        if self.url.startswith(SQLITE):
            await self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            await self.query("VACUUM bytes_balances, squads, squad_memberships")
            await self.query("CHECKPOINT")

    async def request(self, operations: Any, command: str, key: str, *run: Any) -> Any:
        """Have an implementation "run" a workload, or show its "effect".

        A run takes a seed, clients and seconds, and returns how much was done per second. An effect
        is of two calls, and returns what changed by how much.
        """
        workload = WORKLOADS[key]
        if command == "run":
            seed, clients, seconds = run
            self._runs += 1
            numbers = range(1, self.members + 1)
            acts_once = workload.squads or workload.hours
            unused = iter(Random(self._runs).sample(numbers, self.members) if acts_once else ())
            await self._begin(workload)
            draws = [self._draw(f"{seed} {client}", unused) for client in range(clients)]
            calls = [partial(workload.execute, operations, draw) for draw in draws]
            return workload.each * await measure_rate(seconds, calls)
        self._checks += 1
        await self._begin(workload)
        before = dict(await self.query(_STATE))
        await workload.execute(operations, self._draw("check", iter([self._checks])))
        await self._begin(workload)  # a second claim is one in a row
        await workload.execute(operations, self._draw("check", iter([self._checks])))
        after = dict(await self.query(_STATE))
        changes = {what: int(after[what] - before.get(what, 0)) for what in sorted(after)}
        return {what: change for what, change in changes.items() if change}

    async def _begin(self, workload: workloads.Workload) -> None:
        """Prepare a run, outside its time: every member may act again."""
        self.clock.offset += timedelta(hours=workload.hours)
        if workload.squads:
            self._squads = await self.package.replace_squads(self._squads)
        await self.checkpoint()

    def _draw(self, seed: str, unused: Iterator[int]) -> Draw:
        return Draw(Random(seed), self.members, unused, self._squads)
