"""Closing a database: from any task, repeatedly, and while operations run."""

from __future__ import annotations

import asyncio
import contextvars
import time

import asyncpg
import pytest
from helpers.backends import LONG

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    OutcomeUnknownError,
    StorageUnavailableError,
    database,
)

pytestmark = pytest.mark.usefixtures("close_after_test")

GUILD, ALICE, BOB = 1, 2, 3


async def test_close_can_be_repeated(migrated_url: str) -> None:
    """Closing a closed or never opened database does nothing."""
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)
    await bytes_squads.close()
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_close_works_in_another_task(migrated_url: str) -> None:
    """Another task than the one that opened the database can close it."""
    await asyncio.create_task(bytes_squads.init(migrated_url))
    await BytesOperations().grant(GUILD, ALICE, 1)
    await asyncio.create_task(bytes_squads.close())
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().grant(GUILD, ALICE, 1)
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


@pytest.mark.postgres
async def test_close_leaves_no_connection_on_the_server(migrated_url: str) -> None:
    """After close() the server has no session of ours."""
    await bytes_squads.init(migrated_url)
    await asyncio.gather(*(BytesOperations().grant(GUILD, ALICE, 1) for _ in range(5)))
    await bytes_squads.close()
    connection = await asyncpg.connect(migrated_url)
    try:
        sessions = -1
        deadline = time.monotonic() + LONG
        while sessions and time.monotonic() < deadline:  # a session ends a moment after its socket
            sessions = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'bytes_squads'"
            )
    finally:
        await connection.close()

    assert sessions == 0


# Closing while operations run ---------------------------------------------------------------------


async def test_close_waits_for_operations_under_way(migrated_url: str) -> None:
    """Operations that began before close() complete."""
    await bytes_squads.init(migrated_url)
    grants = [asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1)) for _ in range(20)]
    await asyncio.sleep(0)  # each has begun
    await bytes_squads.close()
    results = await asyncio.gather(*grants)
    await bytes_squads.init(migrated_url)

    assert len(results) == 20
    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 120


async def test_close_refuses_new_operations_while_it_waits(migrated_url: str) -> None:
    """While close() waits for an operation, new ones are refused."""
    outside = contextvars.copy_context()
    await bytes_squads.init(migrated_url)
    loop, operations = asyncio.get_running_loop(), BytesOperations()
    async with bytes_squads.in_transaction():
        await operations.grant(GUILD, ALICE, 1)
        waiting = loop.create_task(operations.grant(GUILD, ALICE, 1), context=outside)
        await asyncio.sleep(0.05)
        closing = loop.create_task(bytes_squads.close(), context=outside)
        await asyncio.sleep(0.05)
        newcomer = loop.create_task(operations.grant(GUILD, BOB, 1), context=outside)
        with pytest.raises(StorageUnavailableError):
            await asyncio.wait_for(newcomer, LONG)
        assert (waiting.done(), closing.done()) == (False, False)
    await asyncio.wait_for(closing, LONG)
    amount = (await waiting).amount
    await bytes_squads.init(migrated_url)

    assert amount == 1
    assert await BytesBalance.all().values_list("user_id", "balance") == [(str(ALICE), 102)]


async def test_close_waits_for_a_cancelled_operation(migrated_url: str) -> None:
    """close() waits for an operation whose caller was cancelled."""
    await bytes_squads.init(migrated_url)
    click = asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1))
    await asyncio.sleep(0)
    click.cancel()
    with pytest.raises(asyncio.CancelledError):
        await click
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


@pytest.mark.postgres
async def test_close_gives_up_after_its_timeout(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """close() stops waiting for an operation that waits for a lock."""
    monkeypatch.setattr(database, "CLOSE_TIMEOUT", 0.3)
    await bytes_squads.init(migrated_url)
    await BytesOperations().get_balance(GUILD, ALICE)
    somebody = await asyncpg.connect(migrated_url)
    try:
        lock = somebody.transaction()
        await lock.start()
        await somebody.execute("SELECT * FROM bytes_balances FOR UPDATE")
        stuck = asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(bytes_squads.close(), LONG)
        await lock.rollback()
        with pytest.raises(OutcomeUnknownError):  # its statement was on the way
            await asyncio.wait_for(stuck, LONG)
        balance = await somebody.fetchval("SELECT balance FROM bytes_balances")
    finally:
        await somebody.close()

    assert balance == 100
