"""Connections that break, or are outdated, while they are idle in the pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, GUILD
from helpers.engine_settings import set_timeout
from helpers.outcomes import POOL_SIZE, use_whole_pool
from helpers.postgres import run_in_thread
from helpers.postgres_process import terminate_backends

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError, in_transaction
from bytes_squads.engine import _tortoise
from bytes_squads.engine._tortoise import SessionConnection, connection_options
from bytes_squads.engine.connections import (
    acquire_connection,
    current_client,
    dedicated_connection,
    snapshot_connection,
)
from bytes_squads.engine.execution import execute
from bytes_squads.engine.servers import ServerConnector, Session, session_of
from bytes_squads.sql.sessions import END_BACKEND

pytestmark = pytest.mark.postgres

LONG = 20.0
"""Seconds after which a block hangs."""

ops = BytesOperations()


@pytest.fixture
def backend() -> str:
    """Return the database that has connections: PostgreSQL."""
    return "postgres"


@pytest.fixture
async def full_pool(copied_url: str) -> AsyncIterator[str]:
    """Open a database with all connections of the pool idle; return its URL."""
    await bytes_squads.init(f"{copied_url}&maxsize={POOL_SIZE}")
    try:
        await ops.grant(GUILD, ALICE, 1)
        await use_whole_pool()
        yield copied_url
    finally:
        await bytes_squads.close()


def end_idle_connections(url: str) -> None:
    """End the pool's connections without an iteration of the event loop."""
    assert run_in_thread(terminate_backends(url)) == POOL_SIZE


async def test_in_transaction_begins_on_a_new_connection_where_the_idle_ones_are_lost(
    full_pool: str,
) -> None:
    """A caller's block begins on a new connection if idle ones have broken."""
    end_idle_connections(full_pool)
    async with in_transaction():
        await ops.grant(GUILD, ALICE, 1)
    assert (await ops.get_balance(GUILD, ALICE)).balance == 102


@pytest.mark.parametrize("nested", [False, True], ids=["BEGIN", "SAVEPOINT"])
async def test_in_transaction_releases_a_connection_that_is_lost_as_it_begins(
    nested: bool, full_pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's answer arrives and the connection breaks before the block runs."""
    execute, lost = SessionConnection.execute, "SAVEPOINT" if nested else "BEGIN"

    async def execute_and_lose(self: Any, query: str, *args: Any, **options: Any) -> str:
        status: str = await execute(self, query, *args, **options)
        if query.startswith(lost):
            self.terminate()
        return status

    async def block() -> None:
        async with in_transaction():
            await ops.grant(GUILD, ALICE, 1)

    monkeypatch.setattr(SessionConnection, "execute", execute_and_lose)
    task = asyncio.create_task(block())
    await asyncio.wait({task}, timeout=LONG)  # its end may not be cancelled
    assert task.done()
    assert isinstance(task.exception(), StorageUnavailableError)
    monkeypatch.undo()
    await use_whole_pool()
    assert (await ops.get_balance(GUILD, ALICE)).balance == 101


async def test_export_begins_on_a_new_connection_where_the_idle_ones_are_lost(
    full_pool: str,
) -> None:
    """A snapshot begins on a new connection too."""
    end_idle_connections(full_pool)
    async with snapshot_connection() as db:
        rows = await db.execute_query_dict("SELECT balance FROM bytes_balances")
    assert [row["balance"] for row in rows] == [101]


async def test_grant_works_where_the_idle_connections_are_lost(full_pool: str) -> None:
    """An operation on a broken idle connection happens once."""
    end_idle_connections(full_pool)
    await ops.grant(GUILD, ALICE, 1)
    assert (await ops.get_balance(GUILD, ALICE)).balance == 102


def connector() -> ServerConnector:
    """Return the connector of the open database."""
    found: ServerConnector = connection_options(current_client())["connect"]  # type: ignore[arg-type]
    return found


async def test_grant_refuses_a_former_primary(
    full_pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a newer timeline was seen, a server on an older one is refused."""
    set_timeout(monkeypatch, "retry_deadline", 0.2)
    newest = connector().newest
    assert newest is not None
    connector().update_newest(newest.system, newest.number + 1)
    with pytest.raises(StorageUnavailableError, match="is a former primary: timeline"):
        await ops.grant(GUILD, ALICE, 1)
    with pytest.raises(StorageUnavailableError, match="is a former primary: timeline"):
        async with in_transaction():
            pytest.fail("the block was entered")
    # A new database has another identifier.
    connector().update_newest(newest.system + 1, newest.number)
    await ops.grant(GUILD, ALICE, 1)
    assert connector().newest == newest
    assert (await ops.get_balance(GUILD, ALICE)).balance == 102


async def test_commit_check_does_not_end_another_process_with_the_same_id(full_pool: str) -> None:
    """A new process with the old process id has another start time, and is not ended."""
    client = current_client()
    async with (
        acquire_connection(client) as connection,
        dedicated_connection(client) as other,  # type: ignore[arg-type]
    ):
        session = session_of(connection)
        assert isinstance(session, Session)
        assert session.started is not None
        later = session.started + timedelta(microseconds=1)
        assert await execute(other, END_BACKEND, session.pid, later) == []
        assert await connection.fetchval("SELECT 1") == 1
        assert await execute(other, END_BACKEND, session.pid, session.started) != []


async def test_dedicated_connection_detects_a_cancelled_wait_for_the_standby(
    full_pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning of the function that waits for a standby is noted, any other is not."""
    client = current_client()
    async with dedicated_connection(client) as connection:  # type: ignore[arg-type]
        assert isinstance(connection, SessionConnection)
        warning = "DO $$ BEGIN RAISE WARNING 'a message'; END $$"
        await connection.execute(warning)
        assert not connection.unconfirmed
        monkeypatch.setattr(_tortoise, "_WAIT_FOR_STANDBY", "exec_stmt_raise")
        await connection.execute(warning)
        assert connection.unconfirmed


async def test_operations_work_on_a_pool_of_the_hosts_own_driver_settings(full_pool: str) -> None:
    """A connection that the package did not open works, with a process id only."""
    plain = await asyncpg.connect(full_pool)
    assert session_of(plain) == Session(plain.get_server_pid())
    await plain.close()
