"""Database URLs: what their parts and options mean, and what is said of wrong ones."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from helpers.backends import LONG

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError
from bytes_squads.database import connection_config, describe_database

pytestmark = pytest.mark.usefixtures("close_after_test")

GUILD, ALICE = 1, 2
PASSWORD = "hunter2"

# Parts and options --------------------------------------------------------------------------------


def credentials(url: str) -> dict[str, Any]:
    found: dict[str, Any] = connection_config(url)["credentials"]
    return found


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_connection_config_takes_both_spellings_of_postgresql(scheme: str) -> None:
    """postgres:// and postgresql:// mean the same."""
    config = connection_config(f"{scheme}://bot:secret@db.example:5433/economy")
    parts = {name: config["credentials"][name] for name in ("host", "port", "user", "database")}

    assert config["engine"] == "tortoise.backends.asyncpg"
    assert parts == {"host": "db.example", "port": 5433, "user": "bot", "database": "economy"}
    assert config["credentials"]["password"] == "secret"


def test_connection_config_of_sqlite_has_a_path() -> None:
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
def test_connection_config_passes_options_of_postgresql(option: str, name: str, value: Any) -> None:
    """Pool sizes, timeouts and TLS are set in the URL, under asyncpg's or libpq's names."""
    found = credentials(f"postgres://bot@/economy?{option}")

    assert (found[name], type(found[name])) == (value, type(value))
    assert not {"sslmode", "connect_timeout"} & found.keys()


def test_connection_config_drops_an_option_of_libpq_alone() -> None:
    """URLs of hosted databases carry channel_binding, which asyncpg does not take."""
    url = "postgres://bot@db.example/economy?sslmode=require&channel_binding=require"

    assert "channel_binding" not in credentials(url)
    assert credentials(url)["ssl"] == "require"


@pytest.mark.parametrize("password", ["p@ss:w/rd", "100%", "a+b", "a b", "ä?#[]", "%41", "'\"\\"])
def test_connection_config_decodes_names_and_passwords(password: str) -> None:
    """User, password and database may hold any character, percent-encoded."""
    encoded = quote(password, safe="")
    found = credentials(f"postgres://{encoded}:{encoded}@db.example/{encoded}")

    assert (found["user"], found["password"], found["database"]) == (password,) * 3


def test_connection_config_keeps_a_plus_in_a_password() -> None:
    """Only forms write a space as a plus; URLs of databases do not."""
    found = credentials("postgres://b+t:s+cret@db.example/economy")

    assert (found["user"], found["password"]) == ("b+t", "s+cret")


def test_connection_config_has_defaults_for_a_bot() -> None:
    """A pool that may be empty, and no wait without an end."""
    found = credentials("postgres://bot@db.example/economy")

    assert (found["minsize"], found["maxsize"]) == (0, 10)
    assert (found["timeout"], found["command_timeout"]) == (10.0, 30.0)
    assert found["application_name"] == "bytes_squads"


def test_describe_database_leaves_out_the_password() -> None:
    """What a message shows: host, port and database of a server, the path of a file."""
    server = connection_config(f"postgres://bot:{PASSWORD}@db.example:5433/economy")
    file = connection_config("sqlite:///data/a.db")

    assert describe_database(server) == "the PostgreSQL database economy on db.example:5433"
    assert describe_database(file) == "the SQLite database /data/a.db"


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
        (f"bot:{PASSWORD}@db.example/economy", ["not a valid database URL"]),
        (PASSWORD, ["not a valid database URL"]),
        (f"postgres:bot:{PASSWORD}@db.example/economy", ["not a valid database URL"]),
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
async def test_init_with_an_invalid_url_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, use: Open, url: str, parts: list[str]
) -> None:
    """A URL of no known form is refused at once, and what is secret in it is not repeated."""
    monkeypatch.setenv("DATABASE_URL", url or "nothing")
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(url), LONG)

    assert_one_line_without_password(info.value, *parts)


@both_ways
async def test_init_names_an_unreachable_server(use: Open) -> None:
    """Nobody listens there: one line says which database on which host, within seconds."""
    started = time.monotonic()
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy"), LONG)

    assert_one_line_without_password(info.value, "economy", "127.0.0.1:1")
    assert time.monotonic() - started < 5


@both_ways
async def test_init_names_an_unknown_host(use: Open) -> None:
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
async def test_init_names_a_server_that_does_not_answer(use: Open) -> None:
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
@pytest.mark.postgres
async def test_init_names_a_missing_database(empty_url: str, use: Open) -> None:
    """The server is there, the database is not."""
    url = empty_url.replace("bytes_squads_test_", "no_such_").replace(":@", f":{PASSWORD}@")
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(url), LONG)

    assert_one_line_without_password(info.value, urlsplit(url).path[1:], "does not exist")


@both_ways
async def test_init_names_a_file_in_a_missing_folder(tmp_path: Path, use: Open) -> None:
    """SQLite makes files, not folders."""
    path = tmp_path / "missing" / "a.db"
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"sqlite://{path}"), LONG)

    assert_one_line_without_password(info.value, str(path))


@both_ways
async def test_init_names_a_file_that_is_not_a_database(tmp_path: Path, use: Open) -> None:
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
async def test_init_works_after_a_failed_init(migrated_url: str, wrong: str) -> None:
    """A failed init leaves nothing open, and nothing in the way of the next."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.init(wrong)
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().get_balance(GUILD, ALICE)
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_upgrade_works_after_a_failed_upgrade(empty_url: str) -> None:
    """A failed upgrade leaves nothing in the way of the next."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert await bytes_squads.upgrade(empty_url) != []


async def test_upgrade_that_fails_elsewhere_leaves_the_open_database(
    migrated_url: str,
) -> None:
    """A host can try a wrong address without losing what it has."""
    await bytes_squads.init(migrated_url)
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100
