"""The private attributes of libraries that engine/_tortoise.py uses are still there.

When one of these fails after an update, read what the library changed before anything else.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest
from aerich.models import Aerich
from helpers import Database
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import ConnectionHandler
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError

import bytes_squads
from bytes_squads import BytesOperations, BytesTransaction, StorageUnavailableError
from bytes_squads.database import APP_LABEL
from bytes_squads.engine import _tortoise
from bytes_squads.engine.connections import acquire_connection, current_client
from bytes_squads.engine.urls import connection_config, refused_config

pytestmark = pytest.mark.usefixtures("close_after_test")


def require(condition: object, library: str, change: str) -> None:
    """Fail with a message that names the library and its changed attribute."""
    assert condition, f"{library} changed {change}: adapt bytes_squads/engine/_tortoise.py"


def config(connection: dict[str, Any]) -> dict[str, Any]:
    return {
        "connections": {"default": connection},
        "apps": {APP_LABEL: {"models": ["aerich.models"], "default_connection": "default"}},
    }


async def test_tortoise_keeps_its_clients_in_a_storage() -> None:
    """A context's clients can be listed, and listing opens and replaces none."""
    context = TortoiseContext()
    require(hasattr(context, "_connections"), "Tortoise", "TortoiseContext._connections")
    require(
        hasattr(ConnectionHandler, "_get_storage"), "Tortoise", "ConnectionHandler._get_storage"
    )

    assert _tortoise.list_clients(None) == []
    assert _tortoise.list_clients(context) == []
    with context:
        await context.init(config=config(connection_config("sqlite://:memory:")))
    (client,) = _tortoise.list_clients(context)
    require(client is context.connections.get("default"), "Tortoise", "where it keeps its clients")
    await context.close_connections()


async def test_tortoise_binds_a_client_to_its_event_loop(copied_url: str) -> None:
    """A client has the event loop in which it connected, and can be unbound from it."""
    require(hasattr(BaseDBAsyncClient, "_bound_loop"), "Tortoise", "BaseDBAsyncClient._bound_loop")
    require(hasattr(BaseDBAsyncClient, "_check_loop"), "Tortoise", "how it finds a foreign loop")
    await bytes_squads.init(copied_url)
    client = current_client()

    require(
        _tortoise.event_loop_of(client) is asyncio.get_running_loop(), "Tortoise", "_bound_loop"
    )
    _tortoise.unbind_event_loop(client)
    require(_tortoise.event_loop_of(client) is None, "Tortoise", "_bound_loop")
    require(client._check_loop(), "Tortoise", "what a client without a loop is")


async def test_tortoise_gives_a_refused_config_to_its_engine() -> None:
    """Tortoise calls get_client_class of the engine's module first."""
    context = TortoiseContext()
    with pytest.raises(StorageUnavailableError, match="the reason"):
        await context.init(config=config(refused_config("the reason")))


async def test_aerich_keeps_its_connection_in_its_models_class() -> None:
    """Attributes that a context overwrites in Aerich's model are restored."""
    for name in _tortoise._AERICH_META_FIELDS:
        require(hasattr(Aerich._meta, name), "Tortoise", f"MetaInfo.{name}")
    before = {name: getattr(Aerich._meta, name) for name in _tortoise._AERICH_META_FIELDS}
    restore = _tortoise.save_aerich_state()
    async with TortoiseContext() as context:
        await context.init(
            config={
                "connections": {"other": connection_config("sqlite://:memory:")},
                "apps": {APP_LABEL: {"models": ["aerich.models"], "default_connection": "other"}},
            }
        )
        changed = Aerich._meta.default_connection
    restore()

    require(changed == "other", "Tortoise", "where a model keeps its connection's name")
    assert {name: getattr(Aerich._meta, name) for name in before} == before


async def test_tortoise_uses_a_sqlite_connection_that_it_did_not_open(tmp_path: Path) -> None:
    """The client's pragmas are set, its rows have names, and it may not write."""
    file = tmp_path / "bot.db"
    sqlite3.connect(file).close()
    context = TortoiseContext()
    with context:
        await context.init(config=config(connection_config(f"sqlite://{file}?cache_size=-77")))
    (client,) = _tortoise.list_clients(context)
    require(hasattr(client, "pragmas"), "Tortoise", "SqliteClient.pragmas")
    require(hasattr(client, "_post_connect"), "Tortoise", "SqliteClient._post_connect")
    await _tortoise.open_read_only(cast("SqliteClient", client), f"{file.as_uri()}?mode=ro")
    rows = await client.execute_query_dict("PRAGMA cache_size")

    require(rows == [{"cache_size": -77}], "Tortoise", "how a SQLite client is opened")
    with pytest.raises(OperationalError, match="readonly"):
        await client.execute_script("CREATE TABLE t (a)")
    await context.close_connections()


async def test_aiosqlite_runs_a_function_on_its_thread() -> None:
    """A function gets the standard library's connection, on the thread that may use it."""
    await bytes_squads.init("sqlite://:memory:")
    client = current_client()
    connection = _tortoise.sqlite_connection(client)
    require(connection is not None, "Tortoise", "SqliteClient._connection")
    require(hasattr(connection, "_execute"), "aiosqlite", "Connection._execute")
    require(isinstance(connection._conn, sqlite3.Connection), "aiosqlite", "Connection._conn")

    rows = await _tortoise.run_on_sqlite_thread(
        client, lambda database: database.execute("SELECT 1").fetchall()
    )
    assert [tuple(row) for row in rows] == [(1,)]


@pytest.mark.postgres
async def test_asyncpg_has_the_socket_of_a_connection(copied_url: str) -> None:
    """The socket of a connection is found, for TCP's keepalives."""
    await bytes_squads.init(copied_url)
    client: Any = current_client()
    require(getattr(client, "_pool", None) is not None, "Tortoise", "AsyncpgDBClient._pool")
    async with client._pool.acquire() as connection:
        require(hasattr(connection, "_transport"), "asyncpg", "Connection._transport")
        found = _tortoise.find_socket(connection)

    require(found is not None and found.fileno() > 0, "asyncpg", "Connection._transport")


@pytest.mark.postgres
async def test_asyncpg_terminates_a_pool(copied_url: str) -> None:
    """A terminated client has no pool, and opens another when it is used."""
    await bytes_squads.init(copied_url)
    client: Any = current_client()
    _tortoise.terminate_pool(client)

    require(client._pool is None, "Tortoise", "AsyncpgDBClient._pool")
    assert await client.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]


async def test_tortoise_binds_a_transactions_client_to_a_connection(db: Database) -> None:
    """A transaction's client can be made, bound and marked as finished, and has a parent."""
    client = current_client()
    bound = _tortoise.transaction_client(client)
    connection = object()
    _tortoise.bind_connection(bound, connection)
    require(bound._connection is connection, "Tortoise", "TransactionWrapper._connection")
    require(_tortoise.parent_of(bound) is client, "Tortoise", "TransactionWrapper._parent")
    require(_tortoise.is_finished(bound) is False, "Tortoise", "TransactionWrapper._finalized")
    _tortoise.mark_finished(bound)

    assert _tortoise.is_finished(bound)


async def test_tortoise_has_a_pool_or_a_lock(db: Database, bytes_ops: BytesOperations) -> None:
    """PostgreSQL's client has a pool and its options, SQLite's has a lock and a connection."""
    client: Any = current_client()
    await bytes_ops.get_leaderboard(1)
    if db.is_postgres:
        require(_tortoise.pool_of(client) is not None, "Tortoise", "AsyncpgDBClient._pool")
        require(hasattr(client, "_pool_init_lock"), "Tortoise", "AsyncpgDBClient._pool_init_lock")
        require("min_size" in _tortoise.connection_options(client), "Tortoise", "_template")
    else:
        require(isinstance(_tortoise.sqlite_lock(client), asyncio.Lock), "Tortoise", "_lock")
        require(_tortoise.sqlite_connection(client) is not None, "Tortoise", "_connection")


@pytest.mark.postgres
async def test_asyncpg_ends_a_transaction_that_we_began(db: Database) -> None:
    """Asyncpg commits it, and makes savepoints in it, as one of its own."""
    begin = "BEGIN; SET LOCAL work_mem = '1MB'"
    async with acquire_connection(current_client(), begin=begin) as connection:
        client = _tortoise.transaction_client(current_client())
        _tortoise.bind_connection(client, connection)
        _tortoise.adopt_transaction(client)
        inner = connection.transaction()
        await inner.start()
        await inner.rollback()
        kept = await connection.fetchval("SHOW work_mem")
        await client.commit()
        after = await connection.fetchval("SHOW work_mem")

        require(kept == "1MB", "asyncpg", "how a savepoint is made in a transaction")
        require(after != "1MB", "asyncpg", "how a transaction is committed")
        require(not connection.is_in_transaction(), "asyncpg", "how a transaction ends")


def test_tortoise_makes_instances_without_its_checks() -> None:
    """An instance is made of a row or of values, stored or unsaved."""
    entry = _tortoise.new_instance(BytesTransaction, guild_id="1", amount=3)
    require(entry._saved_in_db is False, "Tortoise", "Model._saved_in_db")
    _tortoise.mark_saved(entry)
    stored = _tortoise.from_row(BytesTransaction, {"guild_id": "1", "amount": 3, "other": 4})

    assert (entry.guild_id, entry.amount, entry._saved_in_db) == ("1", 3, True)
    assert (stored.amount, stored._saved_in_db) == (3, True)
    assert "amount" in _tortoise.column_names(BytesTransaction)
    assert _tortoise.field_of(BytesTransaction, "amount").model_field_name == "amount"
