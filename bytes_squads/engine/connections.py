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
    SessionConnection,
    bind_connection,
    connection_options,
    create_pool,
    is_finished,
    open_read_only,
    parent_of,
    pool_of,
    sqlite_connection,
    sqlite_lock,
    transaction_client,
)
from .driver_errors import (
    DRIVER_ERRORS,
    RAISED_BY_DRIVERS,
    ConnectionLostError,
    ReadOnlyServerError,
    translate,
    translate_driver_errors,
)
from .execution import SQLITE_BEGIN
from .open_checks import read_only_uri, require_own_event_loop, require_same_file
from .servers import ServerConnector, avoid_server_of, is_outdated
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
async def bound_client(
    client: BaseDBAsyncClient, *, begin: str | None = None
) -> AsyncIterator[TransactionalDBClient]:
    """Bind an ORM client to one connection for the length of a block; see `acquire_connection`."""
    async with acquire_connection(client, begin=begin) as connection:
        db = transaction_client(client)
        bind_connection(db, connection)
        yield db


def acquire_connection(
    client: BaseDBAsyncClient, *, begin: str | None = None
) -> _AcquiredConnection:
    """Acquire a driver's connection for the length of a block.

    Args:
        client: The database's client: a pool, or SQLite's only connection.
        begin: A statement that begins a transaction, which the block ends. It changes nothing, so
            if it shows that the connection was lost in the pool, a new one is used.
    """
    return _AcquiredConnection(client, begin)


class _AcquiredConnection:
    __slots__ = ("_begin", "_client", "_connection", "_pool")

    _connection: Any
    _pool: Any

    def __init__(self, client: BaseDBAsyncClient, begin: str | None) -> None:
        self._client = client
        self._begin = begin

    async def __aenter__(self) -> Any:
        if self._begin is None:
            return await self._acquire()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + POOL_TIMEOUT
        for spare in range(self._idle_size(), -1, -1):
            try:
                return await self._acquire_and_begin(self._begin)
            except DRIVER_ERRORS as error:
                if not spare or loop.time() > deadline or translate_loss(error) is None:
                    raise
        raise AssertionError  # pragma: no cover  # the last attempt returns or raises

    def _idle_size(self) -> int:
        """Return how many connections are idle in the pool: each may have been lost."""
        pool = pool_of(self._client) if isinstance(self._client, AsyncpgDBClient) else None
        return int(pool.get_idle_size()) if pool is not None else 0

    async def _acquire_and_begin(self, begin: str) -> Any:
        connection = await self._acquire()
        try:
            await run_to_completion(connection.execute(begin))
        except BaseException as error:
            await run_to_completion(self._abandon(error))
            raise
        return connection

    async def _abandon(self, error: BaseException) -> None:
        """Release the connection after BEGIN failed or was cancelled."""
        if translate_loss(error) is None:
            with suppress(*RAISED_BY_DRIVERS):  # perhaps it had not begun
                await self._connection.execute("ROLLBACK")
        await self.__aexit__(type(error), error, None)

    async def _acquire(self) -> Any:
        client = self._client
        if isinstance(client, AsyncpgDBClient):
            if pool_of(client) is None:
                await run_to_completion(create_pool(client))
            self._pool = pool = pool_of(client)
            for _ in range(pool.get_max_size() + 1):
                # An idle connection is available immediately, so no timeout is set.
                timeout = None if pool.get_idle_size() else POOL_TIMEOUT
                self._connection = connection = await pool.acquire(timeout=timeout)
                if not is_outdated(connection):
                    return connection
                _terminate(connection)
                await run_to_completion(_release(pool, connection, ok=False))
            raise ConnectionLostError("the database's servers keep changing")
        if isinstance(client, SqliteClient):
            try:
                async with asyncio.timeout(POOL_TIMEOUT):
                    await sqlite_lock(client).acquire()
            except TimeoutError:
                raise ConnectionLostError("the database connection stayed in use") from None
            try:
                if sqlite_connection(client) is None:
                    await run_to_completion(_open_sqlite(client))
                require_same_file(client)
            except BaseException:
                sqlite_lock(client).release()
                raise
            self._connection = sqlite_connection(client)
            return self._connection
        raise StorageUnavailableError(  # pragma: no cover  # other drivers are not installed
            f"{type(client).__name__} is neither SQLite nor PostgreSQL through asyncpg"
        )

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, _: object
    ) -> None:
        if isinstance(self._client, SqliteClient):
            sqlite_lock(self._client).release()
            return
        lost = translate_loss(exc)
        if isinstance(lost, ReadOnlyServerError):
            avoid_server_of(self._connection)
        if lost is not None:
            # A statement that timed out may still run: do not reuse its connection.
            _terminate(self._connection)
        await run_to_completion(_release(self._pool, self._connection, ok=exc is None))


def translate_loss(error: BaseException | None) -> ConnectionLostError | ReadOnlyServerError | None:
    """Return the translated error if its connection must not be used again, or None."""
    if isinstance(error, DRIVER_ERRORS):
        error = translate(error)
    return error if isinstance(error, ConnectionLostError | ReadOnlyServerError) else None


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
    with suppress(asyncpg.InterfaceError):  # the pool has closed it already
        connection.terminate()


async def reset_connection(connection: Any) -> None:
    """Reset a connection that is returned to the pool.

    Operations leave no session state, so their connections are not reset. After a caller's own
    block or statement, settings, locks and listeners are removed with asyncpg's reset query.
    """
    if not _skip_reset.get() and (query := connection.get_reset_query()):
        await connection.execute(query)


def begin_statement(client: BaseDBAsyncClient) -> str:
    """Return the statement that begins a transaction.

    On PostgreSQL it sets the isolation level and `IDLE_TIMEOUT` explicitly, in the same message as
    BEGIN, so that defaults of the server, database or role do not apply.
    """
    if isinstance(client, SqliteClient):
        return SQLITE_BEGIN
    return (
        "BEGIN ISOLATION LEVEL READ COMMITTED;"
        f" SET LOCAL idle_in_transaction_session_timeout = {round(IDLE_TIMEOUT * 1000)}"
    )


def is_sqlite(client: BaseDBAsyncClient) -> bool:
    """Return whether the database is SQLite."""
    return isinstance(client, SqliteClient)


@asynccontextmanager
async def dedicated_connection(client: AsyncpgDBClient) -> AsyncIterator[Any]:
    """Open a driver's connection to the primary, outside the pool: it waits for no free one."""
    options = connection_options(client)
    for name in _POOL_ONLY_OPTIONS:
        options.pop(name, None)
    connect = options.pop("connect", asyncpg.connect)
    options |= {"connection_class": SessionConnection, "target_session_attrs": "primary"}
    connection = await connect(password=client.password, **options)
    try:
        yield connection
    finally:
        connection.terminate()


def is_read_write_wanted(client: BaseDBAsyncClient) -> bool:
    """Return whether the client's URL requires a server that accepts writes."""
    connector = isinstance(client, AsyncpgDBClient) and connection_options(client).get("connect")
    return isinstance(connector, ServerConnector) and connector.target == "read-write"


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
            begin = _snapshot_begin_statement(client)
            db = await stack.enter_async_context(bound_client(client, begin=begin))
            stack.push_async_callback(_end_snapshot, db)
        yield db


def _snapshot_begin_statement(client: BaseDBAsyncClient) -> str:
    if isinstance(client, SqliteClient):
        return "BEGIN"
    return (
        "BEGIN ISOLATION LEVEL REPEATABLE READ;"
        " SET LOCAL idle_in_transaction_session_timeout = 0"  # the reader may be slow
    )


async def _end_snapshot(db: BaseDBAsyncClient) -> None:
    with suppress(*RAISED_BY_DRIVERS):  # a lost connection has no snapshot
        await run_to_completion(db.execute_query("ROLLBACK"))
