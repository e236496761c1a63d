"""Opening, closing, wrong addresses, and life inside a host's own Tortoise set-up."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransactionCreate,
    SquadOperations,
    StorageUnavailableError,
    database,
)
from bytes_squads.database import connection_config, place
from bytes_squads.transaction import current_client
from conftest import PostgresServer

ROOT = Path(__file__).parent.parent
GUILD, ALICE, BOB = 1, 2, 3
PASSWORD = "hunter2"
LONG = 15.0
"""Seconds after which something hangs; what is waited for takes a fraction of one."""

on_postgres = pytest.mark.parametrize(
    "backend", [pytest.param("postgres", marks=pytest.mark.postgres)]
)


@pytest.fixture(autouse=True)
async def closed_afterwards() -> AsyncIterator[None]:
    """Whatever a test leaves open does not reach the next one."""
    yield
    await bytes_squads.close()
    # After a failed opening aiosqlite's thread still answers to this loop, which is about to end.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, LONG)


async def setting(statement: str) -> Any:
    """The one value that a statement answers on the open database."""
    (row,) = await current_client().execute_query_dict(statement)
    (value,) = row.values()
    return value


# URLs ---------------------------------------------------------------------------------------------


def credentials(url: str) -> dict[str, Any]:
    found: dict[str, Any] = connection_config(url)["credentials"]
    return found


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_spellings_of_postgresql_are_asyncpg(scheme: str) -> None:
    """postgres:// and postgresql:// mean the same."""
    config = connection_config(f"{scheme}://bot:secret@db.example:5433/economy")
    parts = {name: config["credentials"][name] for name in ("host", "port", "user", "database")}

    assert config["engine"] == "tortoise.backends.asyncpg"
    assert parts == {"host": "db.example", "port": 5433, "user": "bot", "database": "economy"}
    assert config["credentials"]["password"] == "secret"


def test_a_sqlite_url_has_a_path() -> None:
    """sqlite:// is followed by a relative or absolute path, or by :memory:."""
    paths = [
        credentials(f"sqlite://{path}")["file_path"] for path in ("a.db", "/data/a.db", ":memory:")
    ]

    assert paths == ["a.db", "/data/a.db", ":memory:"]


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        ("minsize=2", "minsize", 2),
        ("maxsize=30", "maxsize", 30),
        ("sslmode=require", "ssl", "require"),
        ("ssl=verify-full", "ssl", "verify-full"),
        ("connect_timeout=3", "timeout", 3.0),
        ("timeout=2.5", "timeout", 2.5),
        ("command_timeout=5", "command_timeout", 5.0),
        ("statement_cache_size=0", "statement_cache_size", 0),
        ("application_name=my%20bot", "application_name", "my bot"),
        ("host=/run/postgresql", "host", "/run/postgresql"),
    ],
)
def test_options_of_a_postgresql_url_reach_the_driver(option: str, name: str, value: Any) -> None:
    """Pool sizes, timeouts and TLS are set in the URL, under asyncpg's or libpq's names."""
    found = credentials(f"postgres://bot@/economy?{option}")

    assert (found[name], type(found[name])) == (value, type(value))
    assert not {"sslmode", "connect_timeout"} & found.keys()


def test_an_option_of_libpq_without_meaning_here_is_dropped() -> None:
    """URLs of hosted databases carry channel_binding, which asyncpg does not take."""
    url = "postgres://bot@db.example/economy?sslmode=require&channel_binding=require"

    assert "channel_binding" not in credentials(url)
    assert credentials(url)["ssl"] == "require"


@pytest.mark.parametrize("password", ["p@ss:w/rd", "100%", "a+b", "a b", "ä?#[]", "%41", "'\"\\"])
def test_percent_encoded_names_and_passwords_are_decoded(password: str) -> None:
    """User, password and database may hold any character, percent-encoded."""
    encoded = quote(password, safe="")
    found = credentials(f"postgres://{encoded}:{encoded}@db.example/{encoded}")

    assert (found["user"], found["password"], found["database"]) == (password,) * 3


def test_a_plus_in_a_password_is_a_plus() -> None:
    """Only forms write a space as a plus; URLs of databases do not."""
    found = credentials("postgres://b+t:s+cret@db.example/economy")

    assert (found["user"], found["password"]) == ("b+t", "s+cret")


def test_without_options_the_defaults_are_a_bots() -> None:
    """A pool that may be empty, and no wait without an end."""
    found = credentials("postgres://bot@db.example/economy")

    assert (found["minsize"], found["maxsize"]) == (0, 10)
    assert (found["timeout"], found["command_timeout"]) == (10.0, 30.0)
    assert found["application_name"] == "bytes_squads"


def test_the_place_of_a_database_is_told_without_the_password() -> None:
    """What a message shows: host, port and database of a server, the path of a file."""
    server = connection_config(f"postgres://bot:{PASSWORD}@db.example:5433/economy")
    file = connection_config("sqlite:///data/a.db")

    assert place(server) == "the PostgreSQL database economy on db.example:5433"
    assert place(file) == "the SQLite database /data/a.db"


# What is set on an open database ------------------------------------------------------------------


async def test_a_sqlite_file_has_its_pragmas(tmp_path: Path) -> None:
    """Readers beside the writer, five seconds of patience, and foreign keys that count."""
    await bytes_squads.init(f"sqlite://{tmp_path / 'a.db'}")

    assert await setting("PRAGMA journal_mode") == "wal"
    assert await setting("PRAGMA busy_timeout") == 5000
    assert await setting("PRAGMA foreign_keys") == 1


async def test_pragmas_can_be_set_in_the_url(tmp_path: Path) -> None:
    """What the URL says goes before the defaults, and leaves the others in place."""
    await bytes_squads.init(f"sqlite://{tmp_path / 'a.db'}?busy_timeout=123&synchronous=2")

    assert await setting("PRAGMA busy_timeout") == 123
    assert await setting("PRAGMA synchronous") == 2
    assert await setting("PRAGMA foreign_keys") == 1


@on_postgres
async def test_the_pool_has_the_sizes_of_the_url(empty_url: str) -> None:
    """?minsize= and ?maxsize= are the pool's, and the server sees the package's name."""
    sign = "&" if urlsplit(empty_url).query else "?"
    await bytes_squads.init(f"{empty_url}{sign}minsize=2&maxsize=3")
    client: Any = current_client()
    pool = client._pool

    assert (pool.get_min_size(), pool.get_max_size()) == (2, 3)
    assert await setting("SELECT current_setting('application_name')") == "bytes_squads"


@on_postgres
async def test_names_that_need_encoding_open_a_real_database(
    empty_url: str, postgres_server: PostgresServer
) -> None:
    """A user, a password and a database with characters that mean something in a URL work."""
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


# Wrong addresses ----------------------------------------------------------------------------------

Open = Callable[[str], Coroutine[Any, Any, Any]]
both_ways = pytest.mark.parametrize("use", [bytes_squads.init, bytes_squads.upgrade])


def assert_one_line_without_password(error: BaseException, *parts: str) -> None:
    """The message is one line with these parts; nothing that is logged has the password."""
    message = str(error)
    shown = "".join(traceback.format_exception(error))

    assert message.count("\n") == 0
    assert [part for part in parts if part not in message] == []
    assert PASSWORD not in message
    assert PASSWORD not in repr(error)
    assert PASSWORD not in shown


@both_ways
@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (f"mysql://bot:{PASSWORD}@db.example/economy", ["mysql://db.example/economy"]),
        (f"bot:{PASSWORD}@db.example/economy", ["no database URL"]),
        (PASSWORD, ["no database URL"]),
        (f"postgres:bot:{PASSWORD}@db.example/economy", ["no database URL"]),
        (f"POSTGRES://bot:{PASSWORD}@db.example/economy", ["db.example/economy"]),
        (f"postgres://bot:{PASSWORD}@db.example:port/economy", ["db.example:port/economy"]),
        (f"postgres://bot:{PASSWORD}@db.example:99999/economy", ["db.example:99999/economy"]),
        (f"postgres://bot:{PASSWORD}@[db.example/economy", ["db.example/economy"]),
        (f"postgres://bot:{PASSWORD}@db.example/economy?colour=red", ["economy", "colour"]),
        (f"postgres://bot:{PASSWORD}@db.example/economy?maxsize=many", ["economy", "many"]),
        (f"postgres://bot@db.example/economy?password={PASSWORD}&a=b", ["db.example/economy"]),
        (f"postgres://bot:{PASSWORD}@db.example/economy?a=@", []),
        ("sqlite://", ["sqlite://"]),
        ("", []),
    ],
)
async def test_a_wrong_url_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, use: Open, url: str, parts: list[str]
) -> None:
    """A URL of no known form is refused at once, and what is secret in it is not repeated."""
    monkeypatch.setenv("DATABASE_URL", url or "nothing")
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(url), LONG)

    assert_one_line_without_password(info.value, *parts)


@both_ways
async def test_an_unreachable_server_is_told_early(use: Open) -> None:
    """Nobody listens there: one line says which database on which host, within seconds."""
    started = time.monotonic()
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy"), LONG)

    assert_one_line_without_password(info.value, "economy", "127.0.0.1:1")
    assert time.monotonic() - started < 5


@both_ways
async def test_an_unknown_host_is_told_early(use: Open) -> None:
    """A host that has no address is named."""
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(
            use(f"postgres://bot:{PASSWORD}@nowhere.invalid/economy?connect_timeout=3"), LONG
        )

    assert_one_line_without_password(info.value, "economy", "nowhere.invalid:5432")


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that takes connections and never says a word."""
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


@both_ways
async def test_a_server_that_does_not_answer_is_told_early(use: Open) -> None:
    """connect_timeout ends the wait for a server that takes the connection and keeps silent."""
    async with silent_server() as port:
        started = time.monotonic()
        with pytest.raises(StorageUnavailableError) as info:
            await asyncio.wait_for(
                use(f"postgres://bot:{PASSWORD}@127.0.0.1:{port}/economy?connect_timeout=0.3"), LONG
            )
        seconds = time.monotonic() - started

    assert_one_line_without_password(info.value, "economy", f"127.0.0.1:{port}")
    assert seconds < 5


@both_ways
@on_postgres
async def test_a_missing_database_is_named(empty_url: str, use: Open) -> None:
    """The server is there, the database is not."""
    url = empty_url.replace("bytes_squads_test_", "no_such_").replace(":@", f":{PASSWORD}@")
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(url), LONG)

    assert_one_line_without_password(info.value, urlsplit(url).path[1:], "does not exist")


@both_ways
async def test_a_file_in_a_missing_folder_is_named(tmp_path: Path, use: Open) -> None:
    """SQLite makes files, not folders."""
    path = tmp_path / "missing" / "a.db"
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"sqlite://{path}"), LONG)

    assert_one_line_without_password(info.value, str(path))


@both_ways
async def test_a_file_that_is_no_database_is_named(tmp_path: Path, use: Open) -> None:
    """A text file is not opened as a database, and stays as it was."""
    path = tmp_path / "a.db"
    path.write_text("This is no database. " * 100)
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"sqlite://{path}"), LONG)

    assert_one_line_without_password(info.value, str(path), "not a database")
    assert path.read_text() == "This is no database. " * 100


@pytest.mark.parametrize(
    "wrong",
    ["mysql://x", f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy", "sqlite:///missing/a.db"],
)
async def test_after_a_failed_init_a_good_one_works(migrated_url: str, wrong: str) -> None:
    """A failed init leaves nothing open, and nothing in the way of the next."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.init(wrong)
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().get_balance(GUILD, ALICE)
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_after_a_failed_upgrade_a_good_one_works(empty_url: str) -> None:
    """A failed upgrade leaves nothing in the way of the next."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert await bytes_squads.upgrade(empty_url) != []


async def test_a_failed_upgrade_elsewhere_leaves_the_open_database_working(
    migrated_url: str,
) -> None:
    """A host can try a wrong address without losing what it has."""
    await bytes_squads.init(migrated_url)
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


# Open and closed ----------------------------------------------------------------------------------

READS_AND_WRITES: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "get_balance": lambda: BytesOperations().get_balance(GUILD, ALICE),
    "get_leaderboard": lambda: BytesOperations().get_leaderboard(GUILD),
    "get_transaction_history": lambda: BytesOperations().get_transaction_history(GUILD),
    "get_config": lambda: BytesOperations().get_config(GUILD),
    "grant": lambda: BytesOperations().grant(GUILD, ALICE, 1),
    "claim_daily": lambda: BytesOperations().claim_daily(GUILD, ALICE),
    "create_transaction": lambda: BytesOperations().create_transaction(
        BytesTransactionCreate(
            guild_id=str(GUILD),
            giver_id=str(ALICE),
            giver_username="",
            receiver_id=str(BOB),
            receiver_username="",
            amount=1,
        )
    ),
    "verify": lambda: BytesOperations().verify(),
    "get_user_squad": lambda: SquadOperations().get_user_squad(GUILD, ALICE),
    "leave_squad": lambda: SquadOperations().leave_squad(GUILD, ALICE),
}


@pytest.mark.parametrize("name", READS_AND_WRITES)
async def test_before_init_operations_are_refused(name: str) -> None:
    """Nothing is open: StorageUnavailableError, which says what to do."""
    with pytest.raises(StorageUnavailableError, match=r"init\(\)"):
        await READS_AND_WRITES[name]()


@pytest.mark.parametrize("name", READS_AND_WRITES)
async def test_after_close_operations_are_refused(migrated_url: str, name: str) -> None:
    """What worked before close() is refused after it, in this task and in others."""
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


async def test_a_database_without_tables_says_what_is_missing(empty_url: str) -> None:
    """init() alone makes no tables: an operation says that upgrade() was not run."""
    await bytes_squads.init(empty_url)
    with pytest.raises(StorageUnavailableError, match=r"upgrade\(\)"):
        await BytesOperations().get_balance(GUILD, ALICE)


async def test_init_close_init_goes_on(migrated_url: str) -> None:
    """A database can be opened and closed any number of times; what was in it is still there."""
    balances = []
    for _ in range(3):
        await bytes_squads.init(migrated_url)
        await BytesOperations().grant(GUILD, ALICE, 1)
        balances.append((await BytesOperations().get_balance(GUILD, ALICE)).balance)
        await bytes_squads.close()

    assert balances == [101, 102, 103]


async def test_close_can_be_repeated(migrated_url: str) -> None:
    """Closing what is closed, or was never open, does nothing."""
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)
    await bytes_squads.close()
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


def is_closed(client: Any) -> bool:
    """Whether the client holds neither a pool nor a file."""
    return getattr(client, "_pool", None) is None and client._connection is None


async def test_a_second_init_closes_the_first(migrated_url: str, tmp_path: Path) -> None:
    """One database is open at a time: the first one's connections are given back."""
    other = f"sqlite://{tmp_path / 'other.db'}"
    await bytes_squads.upgrade(other)
    await bytes_squads.init(migrated_url)
    await BytesOperations().grant(GUILD, ALICE, 1)
    first = current_client()
    await bytes_squads.init(other)

    assert is_closed(first) or not hasattr(first, "_pool")
    assert await BytesBalance.all().count() == 0
    assert current_client() is not first
    await bytes_squads.init(migrated_url)
    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


async def test_a_second_init_with_a_wrong_url_keeps_the_first(migrated_url: str) -> None:
    """A URL that cannot be read is refused before anything is closed."""
    await bytes_squads.init(migrated_url)
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.init("mysql://x")

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


@on_postgres
async def test_close_leaves_no_connection_on_the_server(migrated_url: str) -> None:
    """After close() the server has no session of ours."""
    await bytes_squads.init(migrated_url)
    await asyncio.gather(*(BytesOperations().grant(GUILD, ALICE, 1) for _ in range(5)))
    await bytes_squads.close()
    connection = await asyncpg.connect(migrated_url)
    try:
        sessions = -1
        deadline = time.monotonic() + LONG
        while sessions and time.monotonic() < deadline:  # a session ends a moment after its socket
            sessions = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'bytes_squads'"
            )
    finally:
        await connection.close()

    assert sessions == 0


async def test_a_database_opened_in_one_task_is_open_in_all(migrated_url: str) -> None:
    """discord.py calls setup_hook in a task of its own; commands come in others."""
    before = contextvars.copy_context()
    await asyncio.create_task(bytes_squads.init(migrated_url))
    operations = BytesOperations()
    await operations.grant(GUILD, ALICE, 1)
    await asyncio.create_task(operations.grant(GUILD, ALICE, 1))
    await asyncio.get_running_loop().create_task(operations.grant(GUILD, ALICE, 1), context=before)

    async def ask_a_model() -> list[Any]:
        return await BytesBalance.all().values_list("user_id", "balance")

    assert await asyncio.create_task(ask_a_model()) == [(str(ALICE), 103)]


async def test_a_database_can_be_closed_in_another_task(migrated_url: str) -> None:
    """The task that closes need not be the one that opened."""
    await asyncio.create_task(bytes_squads.init(migrated_url))
    await BytesOperations().grant(GUILD, ALICE, 1)
    await asyncio.create_task(bytes_squads.close())
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().grant(GUILD, ALICE, 1)
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


def test_each_event_loop_opens_the_database_anew(tmp_path: Path) -> None:
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


async def test_without_a_url_init_asks_the_environment(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DATABASE_URL is read when init() is called, not when the package was imported."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    await bytes_squads.init()

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_without_url_and_environment_it_is_a_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is bytes_squads.db in the working directory."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    await bytes_squads.upgrade()
    await bytes_squads.init()
    await BytesOperations().grant(GUILD, ALICE, 1)

    assert (tmp_path / "bytes_squads.db").is_file()


# Closing while operations run ---------------------------------------------------------------------


async def test_close_waits_for_operations_under_way(migrated_url: str) -> None:
    """What began before close() ends as it should; nothing is cut off in the middle."""
    await bytes_squads.init(migrated_url)
    grants = [asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1)) for _ in range(20)]
    await asyncio.sleep(0)  # each has begun
    await bytes_squads.close()
    results = await asyncio.gather(*grants)
    await bytes_squads.init(migrated_url)

    assert len(results) == 20
    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 120


async def test_close_refuses_new_operations_while_it_waits(migrated_url: str) -> None:
    """An operation waits for a lock, close() waits for the operation, newcomers are refused."""
    outside = contextvars.copy_context()
    await bytes_squads.init(migrated_url)
    loop, operations = asyncio.get_running_loop(), BytesOperations()
    async with bytes_squads.in_transaction():
        await operations.grant(GUILD, ALICE, 1)
        waiting = loop.create_task(operations.grant(GUILD, ALICE, 1), context=outside)
        await asyncio.sleep(0.05)
        closing = loop.create_task(bytes_squads.close(), context=outside)
        await asyncio.sleep(0.05)
        newcomer = loop.create_task(operations.grant(GUILD, BOB, 1), context=outside)
        with pytest.raises(StorageUnavailableError):
            await asyncio.wait_for(newcomer, LONG)
        assert (waiting.done(), closing.done()) == (False, False)
    await asyncio.wait_for(closing, LONG)
    amount = (await waiting).amount
    await bytes_squads.init(migrated_url)

    assert amount == 1
    assert await BytesBalance.all().values_list("user_id", "balance") == [(str(ALICE), 102)]


async def test_a_cancelled_operation_is_waited_for(migrated_url: str) -> None:
    """A click that timed out goes on behind its caller, and close() lets it end."""
    await bytes_squads.init(migrated_url)
    click = asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1))
    await asyncio.sleep(0)
    click.cancel()
    with pytest.raises(asyncio.CancelledError):
        await click
    await bytes_squads.close()
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 101


@on_postgres
async def test_close_does_not_wait_for_ever(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation that is stuck behind somebody else's lock is given up after a while."""
    monkeypatch.setattr(database, "CLOSE_SECONDS", 0.3)
    await bytes_squads.init(migrated_url)
    await BytesOperations().get_balance(GUILD, ALICE)
    somebody = await asyncpg.connect(migrated_url)
    try:
        lock = somebody.transaction()
        await lock.start()
        await somebody.execute("SELECT * FROM bytes_balances FOR UPDATE")
        stuck = asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(bytes_squads.close(), LONG)
        await lock.rollback()
        with pytest.raises(StorageUnavailableError):
            await asyncio.wait_for(stuck, LONG)
        balance = await somebody.fetchval("SELECT balance FROM bytes_balances")
    finally:
        await somebody.close()

    assert balance == 100


# Hosts --------------------------------------------------------------------------------------------

A_DAY = {
    "clicks": 1,
    "claim": 10,
    "refused": "SquadRoleTakenError",
    # Bob: 100 + 10 + 1 + 1. Alice: 100 - 10 + 10 - 50 + 1.
    "balances": [112, 51],
    "books balance": True,
    "squad after deletion": None,
    "models": 2,
}


def host_bot(*arguments: str, url: str | None = None) -> Any:
    """What the bot of `host_bot.py` says at the end of its day, in a process of its own."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import host_bot; host_bot.main()", *arguments],
        check=False,
        env={**os.environ, "PYTHONPATH": paths} | ({"DATABASE_URL": url} if url else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


async def test_a_host_can_take_the_config_as_it_is(migrated_url: str) -> None:
    """`Tortoise.init(config=TORTOISE_ORM)` is enough, with the URL in DATABASE_URL."""
    assert host_bot(url=migrated_url) == A_DAY


@pytest.mark.parametrize("schema", ["upgrade", "generate_schemas", "upgrade in the host"])
async def test_the_models_live_in_a_hosts_own_config(
    empty_url: str, tmp_path: Path, schema: str
) -> None:
    """Two connections, other labels and names, and a schema however it was made: all works."""
    if schema == "upgrade":
        await bytes_squads.upgrade(empty_url)
    own_url = f"sqlite://{tmp_path / 'host.db'}"

    assert host_bot(own_url, empty_url, schema) == {**A_DAY, "notes": 2}


def test_the_config_names_the_label_that_aerich_needs() -> None:
    """`aerich` looks for the migrations under the app's label."""
    assert bytes_squads.TORTOISE_ORM["apps"].keys() == {"bytes_squads"}
    assert bytes_squads.TORTOISE_ORM["connections"].keys() == {"default"}
