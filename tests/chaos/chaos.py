"""A bank under faults: members transfer bytes while servers, connections and tasks fail.

Eight members have 8,000 bytes; workers transfer between them, readers read the whole guild in one
statement. At the same time server processes are ended ten times a second, packets are delayed,
connections are cut or become half-open, tasks are cancelled at random, and the server is killed
with -9 and started again. Every worker records its requests and their results: *ok*, *fail*
(nothing happened) or *unknown*; a request of unknown outcome is repeated with its idempotency key
until it is known. (A cancelled attempt may still be in progress when the next one is refused; such
requests are repeated once more after the faults.) Afterwards `check` compares the results with the
database, as the bank test of Jepsen does (jepsen.io, "bank" workload). Then the connection is cut
after every byte of four operations.

Run it for longer with ``make chaos MINUTES=5``.
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
from helpers import GUILD, byte_sweep, make_transfer
from helpers.byte_sweep import Sweep
from helpers.outcomes import open_through_relay, use_whole_pool
from helpers.postgres_process import PostgresProcess, start_private_server, terminate_backends
from helpers.postgres_relay import Direction, PostgresRelay

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    InsufficientBalanceError,
    OutcomeUnknownError,
    StorageUnavailableError,
)

MEMBERS = [str(number) for number in range(101, 109)]
EACH = 1_000
WORKERS = 8
READERS = 2
POOL_SIZE = 10
OPTIONS = "&command_timeout=2&timeout=2"
"""A half-open connection breaks after two seconds."""
KEEPALIVE = 5.0
"""Seconds after which the server's end of a half-open connection is closed."""
# A server that is killed while somebody connects: asyncpg may stumble over its own state as well.
UNREACHABLE = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@dataclass
class Event:
    """One line of the history: a request, or the answer to one."""

    at: float
    worker: int
    kind: str  # invoke, ok, fail, unknown
    key: str
    order: tuple[str, str, int]
    row: str | None = None


@dataclass
class Chaos:
    """One run: its history, its faults, and its counts."""

    url: str
    relay: PostgresRelay
    chance: random.Random = field(default_factory=lambda: random.Random(2026))
    history: list[Event] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    reads_failed: int = 0
    ended: int = 0
    cut: int = 0
    silenced: int = 0
    delayed: int = 0
    cancelled: int = 0
    killed: int = 0
    longest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    over: bool = False
    current: dict[int, asyncio.Task[Any]] = field(default_factory=dict)

    def note(self, worker: int, kind: str, key: str, order: Any, row: str | None = None) -> None:
        """Write a line of the history."""
        self.history.append(Event(time.monotonic() - self.began, worker, kind, key, order, row))
        self.outcomes[kind] += 1

    # Workers ----------------------------------------------------------------------------------

    async def work(self, number: int) -> None:
        """Transfer, record, and repeat with the key as long as the outcome is unknown."""
        operations = BytesOperations()
        serial = 0
        while not self.over:
            serial += 1
            key = f"{number}-{serial}"
            giver, receiver = self.chance.sample(MEMBERS, 2)
            order = (giver, receiver, self.chance.randint(1, 400))
            self.note(number, "invoke", key, order)
            while not await self.try_transfer(operations, number, key, order):
                self.note(number, "invoke", key, order)

    async def try_transfer(
        self, operations: BytesOperations, number: int, key: str, order: tuple[str, str, int]
    ) -> bool:
        """Try the transfer once; return whether its outcome is known."""
        giver, receiver, amount = order
        data = make_transfer(giver, receiver, amount, idempotency_key=key)
        task = asyncio.create_task(operations.create_transaction(data))
        self.current[number] = task
        started = time.monotonic()
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
        finally:
            self.longest = max(self.longest, time.monotonic() - started)
        return True

    async def repeat_refused(self) -> None:
        """Repeat the transfers that were refused while a cancelled attempt was in progress."""
        operations = BytesOperations()
        last = {event.key: event for event in self.history}
        cancelled = {event.key for event in self.history if event.kind == "unknown"}
        for key in cancelled:
            if last[key].kind == "fail":
                self.note(-1, "invoke", key, last[key].order)
                await self.try_transfer(operations, -1, key, last[key].order)

    async def read(self) -> None:
        """Read the whole guild in one statement, repeatedly."""
        operations = BytesOperations()
        while not self.over:
            try:
                entries = await operations.get_leaderboard(GUILD, limit=100)
            except StorageUnavailableError:
                self.reads_failed += 1
            else:
                self.reads.append(sum(entry.balance for entry in entries))
            await asyncio.sleep(0.01)

    # Faults -----------------------------------------------------------------------------------

    async def end_processes(self) -> None:
        """End one server process of the package at a time, ten times a second."""
        while not self.over:
            await asyncio.sleep(0.1)
            with suppress(*UNREACHABLE):
                self.ended += await terminate_backends(self.url, most=1)

    async def break_connections(self) -> None:
        """Cut a connection twice a second; every other second one becomes half-open instead."""
        while not self.over:
            await asyncio.sleep(0.5)
            if not self.relay.links:
                continue
            link = self.chance.choice(self.relay.links)
            if self.chance.random() < 0.25:
                link.silence()
                asyncio.get_running_loop().call_later(KEEPALIVE, link.cut)
                self.silenced += 1
            else:
                link.cut()
                self.cut += 1

    def delay(self) -> float:
        """Return the seconds that a packet takes: one in twenty is late."""
        if self.over or self.chance.random() > 0.05:
            return 0.0
        self.delayed += 1
        return self.chance.uniform(0.001, 0.05)

    async def cancel(self) -> None:
        """Cancel a worker's request at random."""
        while not self.over:
            await asyncio.sleep(self.chance.uniform(0.005, 0.05))
            task = self.current.get(self.chance.randrange(WORKERS))
            if task is not None and task.cancel():
                self.cancelled += 1

    async def kill(self, server: PostgresProcess, every: float) -> None:
        """Kill the server with -9 and start it again."""
        while not self.over:
            await asyncio.sleep(every)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
            self.killed += 1


async def run_bank(
    server: PostgresProcess, relay: PostgresRelay, seconds: float, kill_every: float
) -> Chaos:
    """Run the bank under all faults, and then wait for operations in progress."""
    run = Chaos(server.url, relay)
    operations = BytesOperations()
    await operations.update_config(
        GUILD, bytes_squads.BytesConfigUpdate(starting_balance=EACH, max_transfer=10**6)
    )
    for member in MEMBERS:
        await operations.get_balance(GUILD, member)
    relay.delay = run.delay
    people = [asyncio.create_task(run.work(number)) for number in range(WORKERS)]
    people += [asyncio.create_task(run.read()) for _ in range(READERS)]
    faults = [
        asyncio.create_task(run.end_processes()),
        asyncio.create_task(run.break_connections()),
        asyncio.create_task(run.cancel()),
        asyncio.create_task(run.kill(server, kill_every)),
    ]
    await asyncio.sleep(seconds)
    run.over = True
    async with asyncio.timeout(120):
        await asyncio.gather(*faults)
        await asyncio.gather(*people)
    relay.delay = None
    for link in relay.links:
        link.cut()
    return run


async def check(run: Chaos) -> list[str]:
    """Return the differences between the history and the database."""
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
    return wrong


def exactly_once(history: list[Event], rows: list[BytesTransaction]) -> list[str]:
    """Return the differences between results and ledger: lost, doubled, or done though refused."""
    ledger: dict[str, list[BytesTransaction]] = {}
    for row in rows:
        ledger.setdefault(str(row.idempotency_key), []).append(row)
    answers = {event.key: event for event in history}  # the last one to each key
    wrong = [f"{key} was never asked for" for key in ledger.keys() - answers.keys()]
    for key, last in answers.items():
        found = [
            (row.giver_id, row.receiver_id, row.amount, str(row.id)) for row in ledger.get(key, [])
        ]
        expected = {"ok": [(*last.order, last.row)], "fail": []}.get(last.kind)
        if found != expected:
            wrong.append(f"{key} was answered with {last.kind} and the ledger has {found}")
    return wrong


def report(run: Chaos, seconds: float, wrong: list[str]) -> str:
    """Return the run in figures."""
    kinds = run.outcomes
    lines = [
        f"seconds                   {seconds:10,.0f}",
        f"transfers asked for       {len({event.key for event in run.history}):10,}",
        f"  acknowledged            {kinds['ok']:10,}",
        f"  refused, nothing moved  {kinds['fail']:10,}",
        f"  unknown, asked again    {kinds['unknown']:10,}",
        f"  longest, in seconds     {run.longest:10,.1f}",
        f"whole-guild reads         {len(run.reads):10,}",
        f"  refused                 {run.reads_failed:10,}",
        f"server processes ended    {run.ended:10,}",
        f"connections cut           {run.cut:10,}",
        f"  fallen silent           {run.silenced:10,}",
        f"packets delayed           {run.delayed:10,}",
        f"tasks cancelled           {run.cancelled:10,}",
        f"server killed with -9     {run.killed:10,}",
        f"lost, doubled or stuck    {len(wrong):10,}",
    ]
    return "\n".join(lines + wrong[:20])


def report_sweeps(sweeps: dict[str, Sweep]) -> str:
    """Return the byte sweeps in figures."""
    lines = ["cut after each byte: cuts, longest call in seconds, lost or doubled"]
    for name, run in sweeps.items():
        lines.append(f"  {name:32}{run.cuts:8,}{run.longest:8.1f}{len(run.wrong):8,}")
        lines += run.wrong[:5]
    return "\n".join(lines)


async def main(
    seconds: float, kill_every: float, sweep_step: int = 0
) -> tuple[Chaos, list[str], dict[str, Sweep]]:
    """Run once on a new server, and check.

    Args:
        seconds: How long the bank runs.
        kill_every: Seconds from one kill of the server to the next.
        sweep_step: Bytes from one cut of the byte sweep to the next; 0 for no sweep.

    Returns:
        The run, what is wrong, and the byte sweeps.
    """
    sweeps: dict[str, Sweep] = {}
    with start_private_server() as server:
        await bytes_squads.upgrade(server.url)
        async with open_through_relay(server.url, OPTIONS, pool_size=POOL_SIZE) as relay:
            run = await run_bank(server, relay, seconds, kill_every)
            wrong: list[str] = []
            try:
                await use_whole_pool(POOL_SIZE)
            except TimeoutError:
                wrong.append("connections did not come back to the pool")
            await bytes_squads.close()  # waits for cancelled attempts
            await bytes_squads.init(f"{relay.url}&maxsize={POOL_SIZE}{OPTIONS}")
            await run.repeat_refused()
            wrong += await check(run)
            if sweep_step:
                await byte_sweep.prepare()
                for name in byte_sweep.ACTS:
                    for direction in Direction:
                        sweeps[f"{name} {direction.value}"] = await byte_sweep.sweep(
                            relay, name, direction, sweep_step
                        )
    return run, wrong, sweeps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--kill-every", type=float, default=10.0, help="seconds")
    parser.add_argument("--sweep-step", type=int, default=1, help="bytes; 0 for no byte sweep")
    options = parser.parse_args()
    finished, found, swept = asyncio.run(
        main(options.minutes * 60, options.kill_every, options.sweep_step)
    )
    print(report(finished, options.minutes * 60, found))
    if swept:
        print(report_sweeps(swept))
    raise SystemExit(1 if found or any(run.wrong for run in swept.values()) else 0)
