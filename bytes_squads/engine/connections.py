"""Acquire and release connections. Every code path releases, including cancellation.

Tortoise's ``in_transaction`` loses a connection if it is cancelled between acquiring and BEGIN.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connections
from tortoise.exceptions import ConfigurationError

from ..domain.errors import StorageUnavailableError
from ._tortoise import (
    begin_with,
    bind_connection,
    bound_connection,
    connection_options,
    create_pool,
    is_finished,
    open_pool,
    open_read_only,
    parent_of,
    sqlite_connection,
    sqlite_lock,
    transaction_client,
)
from .driver_errors import (
    DRIVER_ERRORS,
    RAISED_BY_DRIVERS,
    ConnectionLostError,
    translate,
    translate_driver_errors,
)
from .execution import SQLITE_BEGIN
from .open_checks import read_only_uri, require_database_file, require_own_event_loop
from .tasks import run_to_completion, running_tasks

POOL_TIMEOUT = 20.0
"""Seconds that an operation waits for a free connection before `StorageUnavailableError`."""

RELEASE_TIMEOUT = 5.0
"""Seconds that returning a connection to the pool may take before it is terminated."""

IDLE_TIMEOUT = 30.0
"""Seconds after which PostgreSQL ends an idle transaction and releases its locks."""

_POOL_ONLY_OPTIONS = (
    "min_size",
    "max_size",
    "max_queries",
    "max_inactive_connection_lifetime",
    "reset",
    "init",
)

_skip_reset: ContextVar[bool] = ContextVar("bytes_squads_skip_reset", default=False)

log = logging.getLogger("bytes_squads")


_default_connection: Callable[[], str | None] | None = None


def set_default_connection(name_of: Callable[[], str | None]) -> None:
    """Set the default connection.

    Args:
        name_of: Returns the connection's name in Tortoise's config.
    """
    global _default_connection
    _default_connection = name_of


def current_client(connection_name: str | None = None) -> BaseDBAsyncClient:
    """Return the transaction that this task is in, or the database's client outside of one.

    Args:
        connection_name: The connection's name in Tortoise's config; by default that of the models.

    Raises:
        StorageUnavailableError: The database is not open.
    """
    require_own_event_loop()
    name = connection_name or (_default_connection() if _default_connection else None)
    try:
        client = get_connections().get(cast("str", name))
    except (RuntimeError, ConfigurationError):
        raise StorageUnavailableError(
            "the database is not open: call init() first, in the same event loop"
        ) from None
    # A task that outlives its transaction still has the finished client.
    while isinstance(client, TransactionalDBClient) and is_finished(client):
        client = parent_of(client)
    return client


@asynccontextmanager
async def bound_client(client: BaseDBAsyncClient) -> AsyncIterator[TransactionalDBClient]:
    """Bind an ORM client to one connection for the length of a block."""
    async with acquire_connection(client) as connection:
        db = transaction_client(client)
        bind_connection(db, connection)
        yield db


def acquire_connection(client: BaseDBAsyncClient) -> _AcquiredConnection:
    """Acquire a driver's connection for the length of a block.

    Args:
        client: The database's client: a pool, or SQLite's only connection.
    """
    return _AcquiredConnection(client)


class _AcquiredConnection:
    __slots__ = ("_client", "_connection", "_pool")

    _connection: Any
    _pool: Any

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self._client = client

    async def __aenter__(self) -> Any:
        client = self._client
        if isinstance(client, AsyncpgDBClient):
            if open_pool(client) is None:
                await run_to_completion(create_pool(client))
            pool = open_pool(client)
            # An idle connection is available immediately, so no timeout is set.
            timeout = None if pool.get_idle_size() else POOL_TIMEOUT
            self._pool, self._connection = pool, await pool.acquire(timeout=timeout)
            return self._connection
        if isinstance(client, SqliteClient):
            try:
                async with asyncio.timeout(POOL_TIMEOUT):
                    await sqlite_lock(client).acquire()
            except TimeoutError:
                raise ConnectionLostError("the database connection stayed in use") from None
            try:
                if sqlite_connection(client) is None:
                    await run_to_completion(_open_sqlite(client))
                require_database_file(client)
            except BaseException:
                sqlite_lock(client).release()
                raise
            return sqlite_connection(client)
        raise StorageUnavailableError(  # pragma: no cover  # other drivers are not installed
            f"{type(client).__name__} is neither SQLite nor PostgreSQL through asyncpg"
        )

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, _: object
    ) -> None:
        if isinstance(self._client, SqliteClient):
            sqlite_lock(self._client).release()
            return
        if isinstance(exc, ConnectionLostError) or (
            isinstance(exc, Exception) and isinstance(translate(exc), ConnectionLostError)
        ):
            # A statement that timed out may still run: do not reuse its connection.
            _terminate(self._connection)
        await run_to_completion(_release(self._pool, self._connection, ok=exc_type is None))


async def _open_sqlite(client: SqliteClient) -> None:
    try:
        uri = read_only_uri(client.filename)
        if uri is None:
            await client.create_connection(with_db=True)
        else:
            await open_read_only(client, uri)
    except BaseException:
        with suppress(*RAISED_BY_DRIVERS):
            await client.close()  # a connection without its pragmas must not be used
        raise


async def _release(pool: Any, connection: Any, *, ok: bool) -> None:
    """Return a connection to the pool; terminate it after `RELEASE_TIMEOUT`.

    Args:
        pool: The pool.
        connection: The connection.
        ok: Whether its block succeeded.
    """
    clean = asyncio.current_task() in running_tasks
    _skip_reset.set(clean)
    try:
        # The release of a clean connection needs no round trip, so no timeout is set.
        await pool.release(connection, timeout=None if clean and ok else RELEASE_TIMEOUT)
    except DRIVER_ERRORS as error:
        log.debug("a connection was terminated: %r", error)
        _terminate(connection)


def _terminate(connection: Any) -> None:
    with suppress(asyncpg.InterfaceError):  # the pool has noticed already that it is closed
        connection.terminate()


async def reset_connection(connection: Any) -> None:
    """Reset a connection that is returned to the pool.

    Operations leave no session state, so their connections are not reset. After a caller's own
    block or statement, settings, locks and listeners are removed with asyncpg's reset query.
    """
    if not _skip_reset.get() and (query := connection.get_reset_query()):
        await connection.execute(query)


async def begin_transaction(db: TransactionalDBClient) -> None:
    """Begin the outermost transaction on the connection that the client is bound to.

    The isolation level and `IDLE_TIMEOUT` are set explicitly, in the same message as BEGIN, so that
    defaults of the server, database or role do not apply.
    """
    if isinstance(db, SqliteClient):
        await bound_connection(db).execute(SQLITE_BEGIN)
        return
    await begin_with(
        db,
        "BEGIN ISOLATION LEVEL READ COMMITTED;"
        f" SET LOCAL idle_in_transaction_session_timeout = {round(IDLE_TIMEOUT * 1000)}",
    )


def is_sqlite(client: BaseDBAsyncClient) -> bool:
    """Return whether the database is SQLite."""
    return isinstance(client, SqliteClient)


def backend_pid(connection: Any) -> int:
    """Return the PostgreSQL process id of this driver's connection; 0 on SQLite."""
    return int(connection.get_server_pid()) if hasattr(connection, "get_server_pid") else 0


@asynccontextmanager
async def dedicated_connection(client: AsyncpgDBClient) -> AsyncIterator[Any]:
    """Open a driver's connection outside the pool, so that it does not wait for a free one."""
    options = connection_options(client)
    set_up = options.get("init")
    for name in _POOL_ONLY_OPTIONS:
        options.pop(name, None)
    connection = await asyncpg.connect(password=client.password, **options)
    try:
        if set_up:
            await set_up(connection)
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def snapshot_connection() -> AsyncIterator[BaseDBAsyncClient]:
    """Open a connection for long reads from one snapshot that block no other operation.

    On SQLite it is a read transaction, while `in_transaction` would block all writers; on
    PostgreSQL the isolation level is REPEATABLE READ.

    Raises:
        StorageUnavailableError: The database is not open, or cannot be reached.
    """
    client = current_client()
    assert not isinstance(client, TransactionalDBClient)  # already in a transaction
    async with AsyncExitStack() as stack:
        with translate_driver_errors():
            db = await stack.enter_async_context(bound_client(client))
            stack.push_async_callback(_end_snapshot, db)
            # On the driver's connection, because Tortoise's execute_script commits first on SQLite.
            await run_to_completion(bound_connection(db).execute(_begin_snapshot(client)))
        yield db


def _begin_snapshot(client: BaseDBAsyncClient) -> str:
    if isinstance(client, SqliteClient):
        return "BEGIN"
    return (
        "BEGIN ISOLATION LEVEL REPEATABLE READ;"
        " SET LOCAL idle_in_transaction_session_timeout = 0"  # the reader may be slow
    )


async def _end_snapshot(db: BaseDBAsyncClient) -> None:
    with suppress(*RAISED_BY_DRIVERS):  # a lost connection has no snapshot
        await run_to_completion(db.execute_query("ROLLBACK"))
