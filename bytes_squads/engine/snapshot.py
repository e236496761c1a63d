"""Reading for long without waiting for anybody, and without anybody's waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient

from .connections import borrowed, current_client
from .driver_errors import FAILURES, translated
from .tasks import finish


@asynccontextmanager
async def snapshot() -> AsyncIterator[BaseDBAsyncClient]:
    """A connection whose reads all see the database as it was at the first of them.

    It locks no row. On SQLite it is a transaction that only reads, where `in_transaction` would
    keep every writer out; on PostgreSQL the isolation REPEATABLE READ.

    Raises:
        StorageUnavailableError: The database is not open, or cannot be reached.
    """
    client = current_client()
    assert not isinstance(client, TransactionalDBClient)  # which has begun, and sees what it sees
    begin = "BEGIN" if isinstance(client, SqliteClient) else "BEGIN ISOLATION LEVEL REPEATABLE READ"
    async with AsyncExitStack() as stack:
        with translated():
            db = await stack.enter_async_context(borrowed(client))
            stack.push_async_callback(_end, db)
            # Not execute_script, which on SQLite is a series of transactions of its own.
            await finish(db.execute_query(begin))
        yield db


async def _end(db: BaseDBAsyncClient) -> None:
    with suppress(*FAILURES):  # of a connection that is gone nothing is left to end
        await finish(db.execute_query("ROLLBACK"))
