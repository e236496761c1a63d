"""The connections of either database, and the certainty that each is given back.

Tortoise's own ``in_transaction`` takes a connection and only then begins; a cancel in between loses
it for good. Here every way out gives it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import ConfigurationError

from ..domain.errors import StorageUnavailableError
from ..sql.statement import BEGIN_ON_SQLITE
from .driver_errors import DRIVER_ERRORS, FAILURES, ConnectionLostError
from .tasks import finish, running

POOL_TIMEOUT = 20.0
"""Seconds an operation waits for a free connection before `StorageUnavailableError`."""

RELEASE_TIMEOUT = 5.0
"""Seconds a connection may take to come back to the pool before it is cut off."""

_POOL_OPTIONS = ("min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "reset")

_left_clean: ContextVar[bool] = ContextVar("bytes_squads_left_clean", default=False)

log = logging.getLogger("bytes_squads")


_default_connection: Callable[[], str | None] | None = None


def set_default_connection(name_of: Callable[[], str | None]) -> None:
    """Name the connection that is used where a caller names none.

    Args:
        name_of: Return the connection's name in Tortoise's config.
    """
    global _default_connection
    _default_connection = name_of


def current_client(connection_name: str | None = None) -> BaseDBAsyncClient:
    """The transaction that this task is in, or the database connection outside of one.

    Args:
        connection_name: The connection's name in Tortoise's config; by default that of the models.

    Raises:
        StorageUnavailableError: When the database is not open.
    """
    name = connection_name or (_default_connection() if _default_connection else None)
    try:
        client = get_connections().get(cast("str", name))
    except (RuntimeError, ConfigurationError):
        raise StorageUnavailableError(
            "the database is not open: call init() first, in the same event loop"
        ) from None
    # A task that outlives the transaction it was started in still sees that one.
    while isinstance(client, TransactionalDBClient) and client._finalized:
        client = client._parent
    return client


@asynccontextmanager
async def borrowed(client: BaseDBAsyncClient) -> AsyncIterator[TransactionalDBClient]:
    """A connection for the ORM, for as long as the block lasts."""
    async with Loan(client) as connection:
        db = wrapper(client)
        cast("Any", db)._connection = connection
        yield db


class Loan:
    """A driver's connection, from the pool or SQLite's only one, for as long as the block lasts.

    Args:
        client: The database.
    """

    __slots__ = ("_client", "_connection", "_pool")

    _connection: Any
    _pool: Any

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self._client = client

    async def __aenter__(self) -> Any:
        client = self._client
        if isinstance(client, AsyncpgDBClient):
            if client._pool is None:
                await finish(_make_pool(client))
            pool: Any = client._pool
            # Where one is idle there is nothing to wait for, and no need of a timer.
            timeout = None if pool.get_idle_size() else POOL_TIMEOUT
            self._pool, self._connection = pool, await pool.acquire(timeout=timeout)
            return self._connection
        if isinstance(client, SqliteClient):
            try:
                async with asyncio.timeout(POOL_TIMEOUT):
                    await client._lock.acquire()
            except TimeoutError:
                raise ConnectionLostError("the database connection stayed in use") from None
            try:
                if client._connection is None:
                    await finish(_open_file(client))
            except BaseException:
                client._lock.release()
                raise
            return client._connection
        raise StorageUnavailableError(  # pragma: no cover  # others' drivers are no dependencies
            f"{type(client).__name__} is neither SQLite nor PostgreSQL through asyncpg"
        )

    async def __aexit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if isinstance(self._client, SqliteClient):
            self._client._lock.release()
        else:
            await finish(_give_back(self._pool, self._connection, well=exc_type is None))


async def _open_file(client: SqliteClient) -> None:
    try:
        await client.create_connection(with_db=True)
    except BaseException:
        with suppress(*FAILURES):
            await client.close()  # a connection without its pragmas must not be used
        raise


async def _make_pool(client: AsyncpgDBClient) -> None:
    async with client._pool_init_lock:
        if client._pool is None:
            await client.create_connection(with_db=True)


async def _give_back(pool: Any, connection: Any, *, well: bool) -> None:
    """Return a connection to the pool, by force if it does not come back in time.

    Args:
        pool: The pool.
        connection: The connection.
        well: Whether nothing went wrong on it.
    """
    clean = asyncio.current_task() in running
    _left_clean.set(clean)
    try:
        # What comes back clean and well has nothing to do on its way, and needs no timer.
        await pool.release(connection, timeout=None if clean and well else RELEASE_TIMEOUT)
    except DRIVER_ERRORS as error:
        log.debug("a connection was cut off: %r", error)
        connection.terminate()


async def reset(connection: Any) -> None:
    """What the pool does with a connection that comes back.

    An operation of ours leaves nothing in the session and saves the round trip. What a caller's own
    block or statement has left there (settings, locks, listeners) is taken away as asyncpg does it.
    """
    if not _left_clean.get() and (query := connection.get_reset_query()):
        await connection.execute(query)


def wrapper(client: BaseDBAsyncClient) -> TransactionalDBClient:
    """A Tortoise client bound to one connection of this one, and to its transaction if any."""
    context = client._in_transaction()
    # Tortoise calls it `connection` in SQLite's context and `client` in the others.
    return cast("TransactionalDBClient", getattr(context, "connection", None) or context.client)


def begin(db: TransactionalDBClient) -> Callable[[], Awaitable[Any]]:
    """How the outermost transaction begins."""
    if isinstance(db, SqliteClient):
        connection = cast("Any", db)._connection
        return lambda: connection.execute(BEGIN_ON_SQLITE)
    return db.begin


def server_pid(connection: Any) -> int:
    """PostgreSQL's process that serves this driver's connection, 0 on SQLite."""
    return int(connection.get_server_pid()) if hasattr(connection, "get_server_pid") else 0


@asynccontextmanager
async def apart(client: BaseDBAsyncClient) -> AsyncIterator[TransactionalDBClient]:
    """A connection beside the pool: those who wait for the pool may be a long queue by now."""
    assert isinstance(client, AsyncpgDBClient)  # SQLite's COMMIT does not get lost on the way
    options = {name: value for name, value in client._template.items() if name not in _POOL_OPTIONS}
    connection = await asyncpg.connect(password=client.password, **options)
    try:
        db = wrapper(client)
        cast("Any", db)._connection = connection
        yield db
    finally:
        connection.terminate()
