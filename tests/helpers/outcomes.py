"""The result of an operation or a block for its caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import bytes_squads
from bytes_squads import OutcomeUnknownError, StorageUnavailableError, in_transaction
from helpers.postgres_relay import PostgresRelay

DONE = "done"
FAILED = "failed: nothing happened, and nothing will"
UNKNOWN = "unknown"

POOL_SIZE = 4


async def outcome_of(work: Awaitable[object]) -> str:
    """Await an operation and return its result or error; other errors are raised."""
    try:
        await work
    except StorageUnavailableError:
        return FAILED
    except OutcomeUnknownError:
        return UNKNOWN
    return DONE


@asynccontextmanager
async def open_through_relay(
    url: str, options: str = "", *, pool_size: int = POOL_SIZE, hides_pids: bool = False
) -> AsyncIterator[PostgresRelay]:
    """Open a migrated database through a relay, with all connections of the pool open.

    Args:
        url: The database.
        options: More options of the URL, as ``&command_timeout=1``.
        pool_size: How many connections the pool has.
        hides_pids: Whether the relay shows other process ids, as PgBouncer does.
    """
    relay = PostgresRelay(url)
    relay.hides_pids = hides_pids
    async with relay.listening():
        await bytes_squads.init(f"{relay.url}&maxsize={pool_size}{options}")
        try:
            await use_whole_pool(pool_size)
            yield relay
        finally:
            relay.pass_all()
            relay.resume_connecting()
            await bytes_squads.close()


async def use_whole_pool(pool_size: int = POOL_SIZE, seconds: float = 10.0) -> None:
    """Use all connections of the pool at the same time; those that broke are replaced.

    Args:
        pool_size: How many connections the pool has.
        seconds: After which one is missing.

    Raises:
        TimeoutError: A connection did not come back to the pool.
    """

    async def use_one(inside: asyncio.Barrier) -> None:
        async with in_transaction() as db:
            await db.execute_query("SELECT 1")
            await inside.wait()

    async with asyncio.timeout(seconds):
        broken = True
        while broken:
            broken = False
            inside = asyncio.Barrier(pool_size)
            try:
                async with asyncio.TaskGroup() as users:
                    for _ in range(pool_size):
                        users.create_task(use_one(inside))
            except* StorageUnavailableError:
                broken = True
