"""Half-open connections: no lock stays, and no caller hangs.

From some point on the relay forwards nothing and closes nothing. Only timeouts end the waiting:
the client's for a statement, and the server's for a transaction that sends nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from helpers import ALICE, BOB, GUILD, read_rows
from helpers.engine_settings import set_timeout
from helpers.operations_table import KNOWN, OPERATIONS, count_changes, create_world
from helpers.outcomes import DONE, FAILED, open_through_relay, outcome_of, use_whole_pool
from helpers.postgres_relay import PostgresRelay

from bytes_squads import BytesOperations, BytesTransaction, SquadOperations, in_transaction

pytestmark = pytest.mark.postgres

COMMIT = b"COMMIT;"
STATEMENT_SECONDS = 1.0
"""The client's timeout for a statement."""
LONG = 10.0
"""Seconds that no caller waits, with these timeouts."""

ops = BytesOperations()


@pytest.fixture
async def relay(copied_url: str) -> AsyncIterator[PostgresRelay]:
    """Open the database through a relay; Alice and Bob are known."""
    options = f"&command_timeout={STATEMENT_SECONDS}"
    async with open_through_relay(copied_url, options) as relay:
        await ops.grant_many(GUILD, {ALICE: 1, BOB: 1})
        yield relay


async def grant_in_a_block() -> None:
    """Grant Alice and Bob a byte each, in the caller's transaction."""
    async with in_transaction():
        await ops.grant(GUILD, ALICE, 1)
        await ops.grant(GUILD, BOB, 1)


async def test_block_on_a_half_open_connection_frees_its_rows(
    relay: PostgresRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member whose row such a block has locked can be paid after the server's timeout."""
    set_timeout(monkeypatch, "idle_timeout", 1.0)
    changed = asyncio.Event()
    silent = asyncio.Event()

    async def block() -> None:
        async with in_transaction():
            await ops.grant(GUILD, ALICE, 1)
            changed.set()
            await silent.wait()
            await ops.grant(GUILD, BOB, 1)

    task = asyncio.create_task(outcome_of(block()))
    await changed.wait()
    caught = relay.hold_requests()
    silent.set()
    (await caught).silence()
    started = time.monotonic()
    async with asyncio.timeout(LONG):
        await ops.grant(GUILD, ALICE, 10)
    waited = time.monotonic() - started
    async with asyncio.timeout(LONG):
        outcome = await task
    await use_whole_pool()
    assert outcome == FAILED
    assert (await ops.get_balance(GUILD, ALICE)).balance == 111
    assert waited < 5


async def test_block_whose_commit_is_lost_on_a_half_open_connection_is_undone(
    relay: PostgresRelay,
) -> None:
    """A COMMIT that never arrives ends in StorageUnavailableError, and nothing has happened."""
    caught = relay.hold_requests(COMMIT)
    task = asyncio.create_task(outcome_of(grant_in_a_block()))
    async with asyncio.timeout(LONG):
        (await caught).silence()
        outcome = await task
    await use_whole_pool()
    assert outcome == FAILED
    assert await BytesTransaction.filter(guild_id=GUILD, amount=1, kind="grant").count() == 2


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize(
    "name", ["create_transaction", "claim_daily", "grant_many", "join_squad", "leave_squad"]
)
async def test_operation_on_a_half_open_connection_happens_once(
    name: str, lost: str, relay: PostgresRelay
) -> None:
    """An operation whose request or answer is lost happens once."""
    operation = OPERATIONS[name]
    world = await create_world(ops, SquadOperations())
    await operation.get_ready(world, KNOWN[0])
    before = await read_rows()
    caught = relay.hold_requests() if lost == "request" else relay.hold_answers()
    task = asyncio.create_task(outcome_of(operation.run(world, KNOWN[0])))
    async with asyncio.timeout(LONG):
        (await caught).silence()
        outcome = await task
    await use_whole_pool()
    assert outcome == DONE
    assert count_changes(before, await read_rows()) == operation.writes
    assert (await ops.verify(GUILD)).ok
