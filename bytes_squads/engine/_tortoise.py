"""Access private attributes of Tortoise, Aerich, aiosqlite and asyncpg; no other module may.

``tests/engine/test_library_contract.py`` checks every attribute and names the library that changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast

import aiosqlite
import asyncpg
import asyncpg.transaction
from aerich.models import Aerich
from asyncpg.transaction import TransactionState
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import TortoiseContext
from tortoise.fields.base import Field
from tortoise.models import Model

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=Model)

_ROUTINE, _WAIT_FOR_STANDBY = "R", "SyncRepWaitForLSN"
"""The field of a message that names the server's function, and the one that waits."""

_WRITING_PRAGMAS = ("journal_mode", "journal_size_limit")

_AERICH_META_FIELDS = ("default_connection", "basetable", "basequery", "basequery_all_fields")


# Contexts -----------------------------------------------------------------------------------------


def list_clients(context: TortoiseContext | None) -> list[BaseDBAsyncClient]:
    """Return the context's clients, including those of other event loops.

    Tortoise's own ``connections.all()`` replaces a client that belongs to another event loop.
    """
    if context is None or context._connections is None:
        return []
    return list(context._connections._get_storage().values())


def save_aerich_state() -> Callable[[], None]:
    """Save the connection that Aerich's model uses: initialising a context overwrites it globally.

    Returns:
        A function that restores it.
    """
    state = {name: getattr(Aerich._meta, name) for name in _AERICH_META_FIELDS}

    def restore() -> None:
        for name, value in state.items():
            setattr(Aerich._meta, name, value)

    return restore


# Clients ------------------------------------------------------------------------------------------


def event_loop_of(client: BaseDBAsyncClient) -> asyncio.AbstractEventLoop | None:
    """Return the event loop in which the client connected, or None."""
    return client._bound_loop


def unbind_event_loop(client: BaseDBAsyncClient) -> None:
    """Let another event loop use the client. Only valid on SQLite: its connection is a thread."""
    client._bound_loop = None


def terminate_pool(client: BaseDBAsyncClient) -> None:
    """Terminate the connections of a PostgreSQL client; do nothing on SQLite."""
    pool: Any = getattr(client, "_pool", None)
    if pool is not None:
        with suppress(RuntimeError):  # the event loop of the connections is closed
            pool.terminate()
        client._pool = None


def is_finished(client: TransactionalDBClient) -> bool:
    """Return whether a transaction or savepoint has ended."""
    return client._finalized


def mark_finished(client: TransactionalDBClient) -> None:
    """Mark a transaction or savepoint as ended for the ORM."""
    client._finalized = True


def parent_of(client: TransactionalDBClient) -> BaseDBAsyncClient:
    """Return the client that a transaction or savepoint began on."""
    parent: BaseDBAsyncClient = client._parent
    return parent


def transaction_client(client: BaseDBAsyncClient) -> TransactionalDBClient:
    """Return a client that can be bound to one connection and its transaction."""
    context = client._in_transaction()
    # The attribute is `connection` in SQLite's context and `client` in the others.
    return cast("TransactionalDBClient", getattr(context, "connection", None) or context.client)


def bind_connection(client: TransactionalDBClient, connection: Any) -> None:
    """Bind a transaction's client to a driver's connection."""
    cast("Any", client)._connection = connection


def bound_connection(client: BaseDBAsyncClient) -> Any:
    """Return the driver's connection that a client is bound to, or None."""
    return cast("Any", client)._connection


def sqlite_lock(client: SqliteClient) -> asyncio.Lock:
    """Return the lock of a SQLite client's only connection."""
    return client._lock


async def open_read_only(client: SqliteClient, uri: str) -> None:
    """Open a SQLite client's connection without the pragmas that change the file.

    Args:
        client: The client, which is not open.
        uri: The file as a URI of SQLite.
    """
    connection = await aiosqlite.connect(uri, uri=True, isolation_level=None)
    client._connection = connection
    connection._conn.row_factory = sqlite3.Row
    for pragma, value in client.pragmas.items():
        if pragma not in _WRITING_PRAGMAS:
            await connection.execute_fetchall(f"PRAGMA {pragma}={value}")
    await client._post_connect()


def pool_of(client: AsyncpgDBClient) -> Any:
    """Return the client's pool; None before it is open."""
    return client._pool


async def create_pool(client: AsyncpgDBClient) -> None:
    """Open the client's pool once, also if several tasks call this at the same time."""
    async with client._pool_init_lock:
        if client._pool is None:
            await client.create_connection(with_db=True)


def connection_options(client: AsyncpgDBClient) -> dict[str, Any]:
    """Return the options that the client's connections and pool are opened with."""
    return dict(client._template)


class _CheckedTransaction(asyncpg.transaction.Transaction):  # type: ignore[misc]  # is untyped
    """asyncpg's transaction, whose ``commit`` fails where the server rolled back.

    PostgreSQL answers COMMIT with ROLLBACK, and without an error, when a statement had failed.
    """

    async def commit(self) -> None:
        """Commit.

        Raises:
            asyncpg.InFailedSQLTransactionError: The server has rolled the transaction back.
        """
        connection = self._connection
        if connection._top_xact is self:
            connection._top_xact = None
        self._state = TransactionState.FAILED
        if await connection.execute("COMMIT;") != "COMMIT":
            raise asyncpg.InFailedSQLTransactionError("a statement of the transaction had failed")
        self._state = TransactionState.COMMITTED


def require_transaction(client: TransactionalDBClient) -> None:
    """Check that SQLite has not ended the transaction by itself, as after some I/O errors.

    Raises:
        sqlite3.OperationalError: It has.
    """
    connection = bound_connection(client)
    if isinstance(client, SqliteClient) and not connection.in_transaction:
        raise sqlite3.OperationalError("the transaction was rolled back by SQLite")


def adopt_transaction(client: TransactionalDBClient) -> None:
    """Bind the transaction that a client's connection has begun; do nothing on SQLite.

    asyncpg and Tortoise end it and nest savepoints in it as usual.
    """
    if isinstance(client, SqliteClient):
        return
    # The driver's connection, inside the pool's proxy.
    connection = bound_connection(client).transaction()._connection
    transaction = _CheckedTransaction(
        connection, "read_committed", readonly=False, deferrable=False
    )
    transaction._state = TransactionState.STARTED
    connection._top_xact = transaction
    cast("Any", client).transaction = transaction


# Models -------------------------------------------------------------------------------------------


def default_connection(model: type[Model]) -> str | None:
    """Return the name of the connection that a model uses."""
    return model._meta.default_connection


def field_of(model: type[Model], name: str) -> Field[Any]:
    """Return a field of a model."""
    return model._meta.fields_map[name]


def column_names(model: type[Model]) -> list[str]:
    """Return the names of a model's fields that are columns."""
    return list(model._meta.fields_db_projection)


def from_row(model: type[ModelT], row: Mapping[str, Any]) -> ModelT:
    """Return the stored instance of a row; columns of other tables are ignored."""
    return model._init_from_db(**row)


def new_instance(model: type[ModelT], **fields: Any) -> ModelT:
    """Return an unsaved instance of validated values.

    This skips ``Model.__init__``, which costs as much as all other Python code of a statement.
    """
    instance = model._init_from_db(**fields)
    instance._saved_in_db = False
    return instance


def mark_saved(instance: Model) -> None:
    """Mark an instance as stored for the ORM."""
    instance._saved_in_db = True


# Drivers' connections -----------------------------------------------------------------------------


def sqlite_connection(client: BaseDBAsyncClient) -> Any:
    """Return the client's aiosqlite connection; None before it is open."""
    return client._connection


async def run_on_sqlite_thread(
    client: BaseDBAsyncClient, work: Callable[[sqlite3.Connection], T]
) -> T:
    """Run a function on the thread of the client's SQLite connection.

    Args:
        client: An open SQLite client.
        work: The function; it takes the connection of the standard library.
    """
    return await run_on_thread(sqlite_connection(client), work)


async def run_on_thread(connection: Any, work: Callable[..., T], *arguments: Any) -> T:
    """Run a function on the thread of an aiosqlite connection.

    Args:
        connection: The connection.
        work: The function; it takes the connection of the standard library first.
        arguments: Its further arguments.
    """
    result: T = await connection._execute(work, connection._conn, *arguments)
    return result


class SessionConnection(asyncpg.Connection):  # type: ignore[misc]  # is untyped
    """asyncpg's connection, which records that the server has stopped waiting for a standby.

    If the wait of a COMMIT is cancelled, by an operator for example, PostgreSQL reports success
    and warns that the standby may not have the transaction.

    Attributes:
        unconfirmed: Whether the server gave that warning.
        session: The server process, and ``address`` that of its server.
    """

    unconfirmed = False
    session: Any = None
    address: Any = None

    def _process_log_message(self, fields: Mapping[str, str], last_query: str) -> None:
        if fields.get(_ROUTINE) == _WAIT_FOR_STANDBY:  # the text may be translated
            self.unconfirmed = True
        super()._process_log_message(fields, last_query)


def find_socket(connection: Any) -> Any:
    """Return the event loop's socket of an asyncpg connection, or None."""
    return connection._transport.get_extra_info("socket")
