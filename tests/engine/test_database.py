"""Opening a database: its settings, and when operations are refused."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from helpers import ALICE, GUILD, PostgresServer, make_transfer

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    SquadOperations,
    StorageUnavailableError,
)
from bytes_squads.engine._tortoise import pool_of, sqlite_connection
from bytes_squads.engine.connections import current_client, is_sqlite

pytestmark = pytest.mark.usefixtures("close_after_test")


async def setting(statement: str) -> Any:
    """Return the value that a statement returns on the open database."""
    (row,) = await current_client().execute_query_dict(statement)
    (value,) = row.values()
    return value


# What is set on an open database ------------------------------------------------------------------


async def test_init_sets_the_pragmas_of_a_sqlite_file(tmp_path: Path) -> None:
    """WAL with a size limit, a busy timeout, and foreign keys are set."""
    await bytes_squads.init(f"sqlite://{tmp_path / 'a.db'}")

    assert await setting("PRAGMA journal_mode") == "wal"
    assert await setting("PRAGMA journal_size_limit") == 16 * 1024 * 1024
    assert await setting("PRAGMA busy_timeout") == 5000
    assert await setting("PRAGMA foreign_keys") == 1


async def test_init_takes_pragmas_from_the_url(tmp_path: Path) -> None:
    """Pragmas of the URL override the defaults; the others stay."""
    options = "busy_timeout=123&synchronous=2&journal_size_limit=9"
    await bytes_squads.init(f"sqlite://{tmp_path / 'a.db'}?{options}")

    assert await setting("PRAGMA busy_timeout") == 123
    assert await setting("PRAGMA journal_size_limit") == 9
    assert await setting("PRAGMA synchronous") == 2
    assert await setting("PRAGMA foreign_keys") == 1


@pytest.mark.postgres
async def test_init_takes_the_pool_sizes_from_the_url(empty_url: str) -> None:
    """?minsize= and ?maxsize= set the pool's size, and the application_name is set."""
    sign = "&" if urlsplit(empty_url).query else "?"
    await bytes_squads.init(f"{empty_url}{sign}minsize=2&maxsize=3")
    client: Any = current_client()
    pool = pool_of(client)

    assert (pool.get_min_size(), pool.get_max_size()) == (2, 3)
    assert await setting("SELECT current_setting('application_name')") == "bytes_squads"


@pytest.mark.postgres
async def test_init_decodes_names_in_the_url(
    empty_url: str, postgres_server: PostgresServer
) -> None:
    """A user, a password and a database with percent-encoded characters work."""
    server = urlsplit(empty_url)
    name = f"we!rd:n/m@ {server.path[-6:]}"
    postgres_server.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'p@ss:w/rd'")
    postgres_server.execute(f'CREATE DATABASE "{name}" OWNER "{name}"')
    try:
        encoded = quote(name, safe="")
        user = f"{encoded}:{quote('p@ss:w/rd', safe='')}"
        url = server._replace(
            netloc=f"{user}@{server.netloc.rpartition('@')[2]}", path=f"/{encoded}"
        ).geturl()
        await bytes_squads.upgrade(url)
        await bytes_squads.init(url)
        who = (await setting("SELECT current_user"), await setting("SELECT current_database()"))
        await BytesOperations().grant(GUILD, ALICE, 1)
    finally:
        await bytes_squads.close()
        postgres_server.drop(name)
        postgres_server.execute(f'DROP ROLE "{name}"')

    assert who == (name, name)


# Open and closed ----------------------------------------------------------------------------------

READS_AND_WRITES: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "get_balance": lambda: BytesOperations().get_balance(GUILD, ALICE),
    "get_leaderboard": lambda: BytesOperations().get_leaderboard(GUILD),
    "get_transaction_history": lambda: BytesOperations().get_transaction_history(GUILD),
    "get_config": lambda: BytesOperations().get_config(GUILD),
    "grant": lambda: BytesOperations().grant(GUILD, ALICE, 1),
    "claim_daily": lambda: BytesOperations().claim_daily(GUILD, ALICE),
    "create_transaction": lambda: BytesOperations().create_transaction(make_transfer()),
    "verify": lambda: BytesOperations().verify(),
    "get_user_squad": lambda: SquadOperations().get_user_squad(GUILD, ALICE),
    "leave_squad": lambda: SquadOperations().leave_squad(GUILD, ALICE),
}


@pytest.mark.parametrize("name", READS_AND_WRITES)
async def test_operation_before_init_is_refused(name: str) -> None:
    """Before init() it is StorageUnavailableError, which names init()."""
    with pytest.raises(StorageUnavailableError, match=r"init\(\)"):
        await READS_AND_WRITES[name]()


@pytest.mark.parametrize("name", READS_AND_WRITES)
async def test_operation_after_close_is_refused(migrated_url: str, name: str) -> None:
    """After close() operations are refused, in this task and in others."""
    await bytes_squads.init(migrated_url)
    await BytesOperations().get_balance(GUILD, ALICE)
    await bytes_squads.close()

    with pytest.raises(StorageUnavailableError):
        await READS_AND_WRITES[name]()
    with pytest.raises(StorageUnavailableError):
        await asyncio.create_task(READS_AND_WRITES[name]())


async def test_in_transaction_needs_an_open_database(migrated_url: str) -> None:
    """A caller's own transaction is refused like an operation, before init and after close."""
    with pytest.raises(StorageUnavailableError):
        async with bytes_squads.in_transaction():
            pytest.fail("the block was entered")
    await bytes_squads.init(migrated_url)
    await bytes_squads.close()
    with pytest.raises(StorageUnavailableError):
        async with bytes_squads.in_transaction():
            pytest.fail("the block was entered")


async def test_operation_after_init_alone_names_upgrade(empty_url: str) -> None:
    """After init() without tables the error of an operation names upgrade()."""
    await bytes_squads.init(empty_url)
    with pytest.raises(StorageUnavailableError, match=r"upgrade\(\)"):
        await BytesOperations().get_balance(GUILD, ALICE)


async def test_init_after_close_opens_again(migrated_url: str) -> None:
    """A database can be opened again after it was closed."""
    balances = []
    for _ in range(3):
        await bytes_squads.init(migrated_url)
        await BytesOperations().grant(GUILD, ALICE, 1)
        balances.append((await BytesOperations().get_balance(GUILD, ALICE)).balance)
        await bytes_squads.close()

    assert balances == [101, 102, 103]


def is_closed(client: Any) -> bool:
    """Return whether the client has neither a pool nor a file."""
    if is_sqlite(client):
        return sqlite_connection(client) is None
    return pool_of(client) is None


async def test_init_twice_closes_the_first_database(migrated_url: str, tmp_path: Path) -> None:
    """A second init() closes the first database's connections."""
    other = f"sqlite://{tmp_path / 'other.db'}"
    await bytes_squads.upgrade(other)
    await bytes_squads.init(migrated_url)
    await BytesOperations().grant(GUILD, ALICE, 1)
    first = current_client()
    await bytes_squads.init(other)

    assert is_closed(first)
    assert await BytesBalance.all().count() == 0
    assert current_client() is not first
    await bytes_squads.init(migrated_url)
    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


async def test_init_with_an_invalid_url_keeps_the_open_database(migrated_url: str) -> None:
    """An invalid URL is refused, and the database stays open."""
    await bytes_squads.init(migrated_url)
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.init("mysql://x")

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_init_opens_the_database_for_all_tasks(migrated_url: str) -> None:
    """A database opened in one task is open in all tasks."""
    before = contextvars.copy_context()
    await asyncio.create_task(bytes_squads.init(migrated_url))
    operations = BytesOperations()
    await operations.grant(GUILD, ALICE, 1)
    await asyncio.create_task(operations.grant(GUILD, ALICE, 1))
    await asyncio.get_running_loop().create_task(operations.grant(GUILD, ALICE, 1), context=before)

    async def ask_a_model() -> list[Any]:
        return await BytesBalance.all().values_list("user_id", "balance")

    assert await asyncio.create_task(ask_a_model()) == [(str(ALICE), 103)]


def test_init_works_again_in_each_event_loop(tmp_path: Path) -> None:
    """A script may call asyncio.run() more than once."""
    url = f"sqlite://{tmp_path / 'a.db'}"

    async def script() -> int:
        await bytes_squads.upgrade(url)
        await bytes_squads.init(url)
        await BytesOperations().grant(GUILD, ALICE, 1)
        balance: int = (await BytesOperations().get_balance(GUILD, ALICE)).balance
        await bytes_squads.close()
        return balance

    assert [asyncio.run(script()) for _ in range(3)] == [101, 102, 103]


async def test_init_without_url_reads_the_environment(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DATABASE_URL is read when init() is called, not when the package was imported."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    await bytes_squads.init()

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_init_without_url_and_environment_opens_a_local_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is bytes_squads.db in the working directory."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    await bytes_squads.upgrade()
    await bytes_squads.init()
    await BytesOperations().grant(GUILD, ALICE, 1)

    assert (tmp_path / "bytes_squads.db").is_file()
