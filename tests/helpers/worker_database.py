"""The migrated PostgreSQL database of a test process, with a pool that stays open between tests.

A new connection costs the server more than most tests do: a process, its caches, the plan of each
statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

import bytes_squads
from bytes_squads.engine.driver_errors import DRIVER_ERRORS
from bytes_squads.engine.tasks import running_tasks

from .backends import LONG, MODELS

_SCHEMA = """
SELECT (SELECT count(*) FROM aerich), (SELECT count(*) FROM pg_constraint),
    (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_class WHERE relpersistence = 'p')
"""
"""What tells a changed schema from the migrated one."""


class KeptPool:
    """A pool that `close` leaves open while ``is_kept`` is set.

    Args:
        pool: An open pool of asyncpg.
    """

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.is_kept = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pool, name)

    async def close(self) -> None:
        """Close the pool, unless it is kept."""
        if not self.is_kept:
            await self.pool.close()


class WorkerDatabase:
    """A migrated database that tests use one after another, each time empty.

    Args:
        url: Its URL, of a superuser.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool: KeptPool | None = None
        self._schema: Any = None

    async def open(self) -> None:
        """Open the database as `bytes_squads.init` does, with the pool of the test before."""
        with patch.object(AsyncpgDBClient, "create_pool", self._take_pool):
            await bytes_squads.init(self.url)

    async def close(self) -> None:
        """End what the test left running, close all but the pool, and empty the tables."""
        await end_other_tasks()
        if self._pool is not None:
            self._pool.is_kept = self._pool.get_idle_size() == self._pool.get_size()
        await bytes_squads.close()
        if self._pool is not None:
            self._pool.is_kept = False
        await self.empty()

    async def empty(self) -> None:
        """Delete every row of the package's tables."""
        pool = self._open_pool()
        if pool is not None:
            try:
                async with pool.acquire() as connection:
                    await empty_tables(connection)
            except DRIVER_ERRORS:  # the test ended the connection
                pool.terminate()
            else:
                return
        connection = await asyncpg.connect(self.url)
        try:
            await empty_tables(connection)
        finally:
            await connection.close()

    async def end(self) -> None:
        """Close the pool."""
        pool = self._open_pool()
        if pool is not None:
            await pool.close()

    async def lend(self) -> AsyncIterator[str]:
        """Yield the URL of the database, which nobody has open; empty it afterwards.

        Raises:
            AssertionError: The schema was changed, which a test may do in a new database only.
        """
        await self.end()
        if self._schema is None:
            self._schema = await self._read_schema()
        yield self.url
        await end_other_tasks()
        await self.empty()
        assert await self._read_schema() == self._schema, "the test needs `migrated_url`"

    async def _read_schema(self) -> Any:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchrow(_SCHEMA)
        finally:
            await connection.close()

    async def _take_pool(self, **options: Any) -> KeptPool:
        pool = self._open_pool()
        if pool is None:
            pool = self._pool = KeptPool(await asyncpg.create_pool(None, **options))
        return pool

    def _open_pool(self) -> KeptPool | None:
        return None if self._pool is None or self._pool.is_closing() else self._pool


async def empty_tables(connection: Any) -> None:
    """Delete every row of the package's tables, as a superuser.

    The role of a replica leaves out triggers, which protect the ledger. For small tables this is
    several times faster than TRUNCATE, which makes new files.
    """
    deletes = "; ".join(f"DELETE FROM {model._meta.db_table}" for model in MODELS)
    # On Citus, without a new connection for each shard.
    await connection.execute(
        "BEGIN; SET LOCAL session_replication_role = replica;"
        f" SET LOCAL citus.max_adaptive_executor_pool_size = 1; {deletes}; COMMIT"
    )


async def end_other_tasks() -> None:
    """Wait for operations in progress and cancel all other tasks: the event loop goes on."""
    if running_tasks:
        await asyncio.wait(running_tasks, timeout=LONG)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=LONG)
