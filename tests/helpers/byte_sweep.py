"""Cut the connection after every number of bytes of an operation, and check the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    OutcomeUnknownError,
    SquadCreate,
    SquadOperations,
    StorageUnavailableError,
)

from .postgres_relay import Direction, PostgresRelay
from .sample_data import ALICE, BOB, GUILD, make_transfer

NUMBERS = count(1_000)
"""A number for each operation, which is also the id of an unused member."""
LONGEST_WAIT = 10.0
"""Seconds that no call may take."""

bytes_ops = BytesOperations(clock=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))
squad_ops = SquadOperations()


async def transfer(number: int, key: str) -> Any:
    """Transfer a byte from Alice to Bob."""
    row = await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 1, idempotency_key=key))
    return row.id


async def claim(number: int, key: str) -> Any:
    """Claim the day's bytes of one of many members."""
    return await bytes_ops.claim_daily(GUILD, number, idempotency_key=key)


async def grant_many(number: int, key: str) -> Any:
    """Grant bytes to Alice, Bob and somebody new."""
    return await bytes_ops.grant_many(
        GUILD, {ALICE: 1, BOB: 1, str(number): 1}, idempotency_key=key
    )


async def join(number: int, key: str) -> Any:
    """Let one of many members join the only squad."""
    (summary,) = await squad_ops.get_guild_squads(GUILD)
    seat = await squad_ops.join_squad(GUILD, number, summary.squad.id, idempotency_key=key)
    return seat.user_id, seat.squad_id, seat.joined_at


Act = Callable[[int, str], Awaitable[Any]]
ACTS: dict[str, Act] = {
    "create_transaction": transfer,
    "claim_daily": claim,
    "grant_many": grant_many,
    "join_squad": join,
}
"""What is done with a number of its own and a key; the answer is the same when it is repeated."""


async def prepare() -> None:
    """Make the guild: Alice and Bob have enough, and there is a squad."""
    await bytes_ops.update_config(
        GUILD, BytesConfigUpdate(max_transfer=10**6, starting_balance=1_000)
    )
    await bytes_ops.grant_many(GUILD, {ALICE: 10**6, BOB: 1})
    await squad_ops.create_squad(SquadCreate(guild_id=GUILD, role_id=7, name="Owls"))


@dataclass
class Sweep:
    """One sweep: its cuts and failures.

    Attributes:
        calls: How many operations were begun.
        cuts: How many of them had their connection cut.
        bytes: How many bytes the operation sends or receives.
        longest: Seconds that the longest call took.
        wrong: Operations that were lost, doubled, or had another result when repeated.
    """

    calls: int = 0
    cuts: int = 0
    bytes: int = 0
    longest: float = 0.0
    wrong: tuple[str, ...] = ()


async def sweep(relay: PostgresRelay, name: str, direction: Direction, step: int = 1) -> Sweep:
    """Cut the connection after 0, step, 2 × step, … bytes until the operation needs no more.

    Each operation is repeated with its key until it is answered, and once more.

    Args:
        relay: What the package is connected through.
        name: Which operation, of `ACTS`.
        direction: Which bytes are counted.
        step: Bytes from one cut to the next.
    """
    act, run, wrong = ACTS[name], Sweep(), list[str]()
    keys: list[str] = []
    before = await bytes_ops.verify(GUILD)

    async def call(number: int, key: str) -> Any:
        started = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await act(number, key)
        except TimeoutError:
            wrong.append(f"{key} took longer than {LONGEST_WAIT} s")
        finally:
            run.longest = max(run.longest, time.monotonic() - started)

    while run.calls < 100_000:
        key = f"{name} {direction.value} {run.bytes}"
        keys.append(key)
        number, cuts, answer = next(NUMBERS), relay.cuts, None
        relay.cut_after(run.bytes, direction)
        with suppress(StorageUnavailableError, OutcomeUnknownError):
            answer = await call(number, key)
        relay.pass_all()
        again = await call(number, key)
        if answer not in {None, again}:
            wrong.append(f"{key} was answered with {answer} and then with {again}")
        run.calls += 1
        if relay.cuts == cuts:
            break
        run.cuts += 1
        run.bytes += step
    rows = await BytesTransaction.filter(guild_id=str(GUILD), idempotency_key__in=keys)
    count = dict.fromkeys(keys, 0)
    for row in rows:
        count[str(row.idempotency_key)] += 1
    wrong += [f"{key} happened {times} times" for key, times in count.items() if times != 1]
    after = await bytes_ops.verify(GUILD)
    if not (before.ok and after.ok):
        wrong.append(f"the ledger differs: {after.discrepancies}")
    run.wrong = tuple(wrong)
    return run
