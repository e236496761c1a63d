"""A bank under a storm: members give to each other while everything around them breaks.

Eight members hold 8,000 bytes; workers transfer between them, readers look at the whole guild in
one statement. Meanwhile connections are ended ten times a second, tasks are cancelled at random,
and the server is killed with -9 and started again. Every worker writes down what it asked for and
what it was told: *ok*, *fail* (nothing happened) or *unknown*; an unknown outcome is asked again
with its idempotency key until it is known. (A cancelled attempt may still be under way when the
next one is refused; such orders are asked once more when all is calm.) Afterwards `check` compares
what was told with what is there, as the bank test of Jepsen does (jepsen.io, "bank" workload).

Run it for longer with ``make storm MINUTES=5``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from faults import Server, own_server, terminate_backends

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    InsufficientBalanceError,
    OutcomeUnknownError,
    StorageUnavailableError,
)
from bytes_squads.engine.connections import current_client
from bytes_squads.engine.tasks import running

GUILD = "1"
MEMBERS = [str(number) for number in range(101, 109)]
EACH = 1_000
WORKERS = 8
# A server that is killed while somebody connects: asyncpg may stumble over its own state as well.
UNREACHABLE = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
READERS = 2


@dataclass
class Event:
    """One line of the history: an invocation, or what came of one."""

    at: float
    worker: int
    kind: str  # invoke, ok, fail, unknown
    key: str
    order: tuple[str, str, int]
    row: str | None = None


@dataclass
class Storm:
    """One run: its history, its weather, and what is counted."""

    url: str
    chance: random.Random = field(default_factory=lambda: random.Random(2026))
    history: list[Event] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    reads_failed: int = 0
    ended: int = 0
    cancelled: int = 0
    killed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    over: bool = False
    current: dict[int, asyncio.Task[Any]] = field(default_factory=dict)

    def note(self, worker: int, kind: str, key: str, order: Any, row: str | None = None) -> None:
        self.history.append(Event(time.monotonic() - self.began, worker, kind, key, order, row))
        self.outcomes[kind] += 1

    async def work(self, number: int) -> None:
        """Transfer, note, and ask again by key whatever stayed unknown."""
        operations = BytesOperations()
        serial = 0
        while not self.over:
            serial += 1
            key = f"{number}-{serial}"
            giver, receiver = self.chance.sample(MEMBERS, 2)
            order = (giver, receiver, self.chance.randint(1, 400))
            self.note(number, "invoke", key, order)
            while not await self.settle(operations, number, key, order):
                self.note(number, "invoke", key, order)

    async def settle(
        self, operations: BytesOperations, number: int, key: str, order: tuple[str, str, int]
    ) -> bool:
        """Try the order once. Returns whether its outcome is known."""
        giver, receiver, amount = order
        data = BytesTransactionCreate(
            guild_id=GUILD,
            giver_id=giver,
            giver_username=giver,
            receiver_id=receiver,
            receiver_username=receiver,
            amount=amount,
            idempotency_key=key,
        )
        task = asyncio.create_task(operations.create_transaction(data))
        self.current[number] = task
        try:
            row = await task
        except InsufficientBalanceError:
            self.note(number, "fail", key, order)
        except StorageUnavailableError:
            self.note(number, "fail", key, order)
        except (OutcomeUnknownError, asyncio.CancelledError):
            self.note(number, "unknown", key, order)
            return False
        else:
            self.note(number, "ok", key, order, str(row.id))
        return True

    async def ask_again(self) -> None:
        """Ask for the orders that were refused while a cancelled attempt was under way."""
        operations = BytesOperations()
        last = {event.key: event for event in self.history}
        cancelled = {event.key for event in self.history if event.kind == "unknown"}
        for key in cancelled:
            if last[key].kind == "fail":
                self.note(-1, "invoke", key, last[key].order)
                await self.settle(operations, -1, key, last[key].order)

    async def read(self) -> None:
        """Look at the whole guild in one statement, again and again."""
        operations = BytesOperations()
        while not self.over:
            try:
                entries = await operations.get_leaderboard(GUILD, limit=100)
            except StorageUnavailableError:
                self.reads_failed += 1
            else:
                self.reads.append(sum(entry.balance for entry in entries))
            await asyncio.sleep(0.01)

    async def end_connections(self) -> None:
        """End one connection of the package at a time, ten times a second."""
        while not self.over:
            await asyncio.sleep(0.1)
            with suppress(*UNREACHABLE):
                self.ended += await terminate_backends(self.url, most=1)

    async def cancel(self) -> None:
        """Cancel whoever is at work at the moment."""
        while not self.over:
            await asyncio.sleep(self.chance.uniform(0.005, 0.05))
            task = self.current.get(self.chance.randrange(WORKERS))
            if task is not None and task.cancel():
                self.cancelled += 1

    async def kill(self, server: Server, every: float) -> None:
        """Kill the server with -9 and start it again."""
        while not self.over:
            await asyncio.sleep(every)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
            self.killed += 1


async def storm(server: Server, seconds: float, kill_every: float) -> Storm:
    """Run the storm and then wait for the calm."""
    run = Storm(server.url)
    await bytes_squads.init(server.url)
    await bytes_squads.upgrade()
    operations = BytesOperations()
    await operations.update_config(
        GUILD, bytes_squads.BytesConfigUpdate(starting_balance=EACH, max_transfer=10**6)
    )
    for member in MEMBERS:
        await operations.get_balance(GUILD, member)
    people = [asyncio.create_task(run.work(number)) for number in range(WORKERS)]
    people += [asyncio.create_task(run.read()) for _ in range(READERS)]
    weather = [
        asyncio.create_task(run.end_connections()),
        asyncio.create_task(run.cancel()),
        asyncio.create_task(run.kill(server, kill_every)),
    ]
    await asyncio.sleep(seconds)
    run.over = True
    async with asyncio.timeout(120):
        await asyncio.gather(*weather)
        await asyncio.gather(*people)
        while under_way := [task for task in running if not task.done()]:
            await asyncio.wait(under_way)
        await run.ask_again()
    return run


async def check(run: Storm) -> list[str]:
    """What the history and the database disagree on; nothing, if all is well."""
    wrong: list[str] = []
    total = EACH * len(MEMBERS)
    wrong += [f"a read saw {seen} bytes of {total}" for seen in run.reads if seen != total]
    balances = [int(row.balance) for row in await BytesBalance.filter(guild_id=GUILD)]
    if sum(balances) != total or min(balances) < 0:
        wrong.append(f"the balances are {balances}")
    report = await BytesOperations().verify(GUILD)
    wrong += [f"ledger and balance differ: {item}" for item in report.discrepancies]
    wrong += exactly_once(
        run.history, await BytesTransaction.filter(guild_id=GUILD, kind="transfer")
    )
    pool: Any = current_client()._pool
    if pool.get_idle_size() != pool.get_size():
        wrong.append(f"{pool.get_size() - pool.get_idle_size()} connections did not come back")
    return wrong


def exactly_once(history: list[Event], rows: list[BytesTransaction]) -> list[str]:
    """Where the history and the ledger differ: acknowledged and not there, refused and there."""
    ledger: dict[str, list[BytesTransaction]] = {}
    for row in rows:
        ledger.setdefault(str(row.idempotency_key), []).append(row)
    told = {event.key: event for event in history}  # the last word on each key
    wrong = [f"{key} was never asked for" for key in ledger.keys() - told.keys()]
    for key, last in told.items():
        found = [
            (row.giver_id, row.receiver_id, row.amount, str(row.id)) for row in ledger.get(key, [])
        ]
        expected = {"ok": [(*last.order, last.row)], "fail": []}.get(last.kind)
        if found != expected:
            wrong.append(f"{key} was told {last.kind} and the ledger has {found}")
    return wrong


def report(run: Storm, seconds: float, wrong: list[str]) -> str:
    """The run in figures."""
    kinds = run.outcomes
    lines = [
        f"seconds of storm          {seconds:10,.0f}",
        f"transfers asked for       {len({event.key for event in run.history}):10,}",
        f"  acknowledged            {kinds['ok']:10,}",
        f"  refused, nothing moved  {kinds['fail']:10,}",
        f"  unknown, asked again    {kinds['unknown']:10,}",
        f"whole-guild reads         {len(run.reads):10,}",
        f"  refused                 {run.reads_failed:10,}",
        f"connections ended         {run.ended:10,}",
        f"tasks cancelled           {run.cancelled:10,}",
        f"server killed with -9     {run.killed:10,}",
        f"lost, doubled or stuck    {len(wrong):10,}",
    ]
    return "\n".join(lines + wrong[:20])


async def main(seconds: float, kill_every: float) -> tuple[Storm, list[str]]:
    """One run on a server of its own, checked."""
    with own_server() as server:
        run = await storm(server, seconds, kill_every)
        wrong = await check(run)
        await bytes_squads.close()
    return run, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--kill-every", type=float, default=10.0, help="seconds")
    options = parser.parse_args()
    finished, faults = asyncio.run(main(options.minutes * 60, options.kill_every))
    print(report(finished, options.minutes * 60, faults))
    raise SystemExit(1 if faults else 0)
