"""Database URLs: their parts and options, and the errors of invalid ones."""

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
    """The pool may be empty, and every wait has a timeout."""
    found = credentials("postgres://bot@db.example/economy")

    assert (found["minsize"], found["maxsize"]) == (0, 10)
    assert (found["timeout"], found["command_timeout"]) == (10.0, 30.0)
    assert found["application_name"] == "bytes_squads"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("postgres://u:p@a:5433,b:5434/db", [("a", 5433), ("b", 5434)]),
        ("postgres://u:p@a,b:5434,c/db", [("a", 5432), ("b", 5434), ("c", 5432)]),
        ("postgres://u:p@[::1]:5433,[fe80::1%25eth0]/db", [("::1", 5433), ("fe80::1%eth0", 5432)]),
        ("postgres://u:p,w@a,b/db", [("a", 5432), ("b", 5432)]),
        ("postgres://u@%2Frun%2Fa,%2Frun%2Fb/db", [("/run/a", 5432), ("/run/b", 5432)]),
        ("postgres://u@/db?host=/run/a,/run/b", [("/run/a", 5432), ("/run/b", 5432)]),
        ("postgres://u@/db?host=/run/a,b&port=1,2", [("/run/a", 1), ("b", 2)]),
        ("postgres://u@/db?host=a,::1,[::2]&port=7", [("a", 7), ("::1", 7), ("::2", 7)]),
        ("postgres://u@:5433/db?host=/run/a", [("/run/a", 5433)]),
        ("postgres://u@a,b/db?port=1,2", [("a", 1), ("b", 2)]),
        ("postgres://u@a,b/db?port=1", [("a", 1), ("b", 1)]),
        ("postgres://u@/db", [(None, 5432)]),
    ],
)
def test_connection_config_takes_several_hosts(
    url: str, addresses: list[tuple[str | None, int]]
) -> None:
    """Hosts and ports are before the path, or libpq's lists in the options."""
    found = credentials(f"{url}{'&' if '?' in url else '?'}target_session_attrs=Read-Write")

    assert [(each.host, each.port) for each in found["connect"].addresses] == addresses
    assert (found["host"], found["port"]) == addresses[0]
    assert found["connect"].target == "read-write"
    assert "target_session_attrs" not in found


def test_describe_database_names_every_host() -> None:
    """An IPv6 address is in brackets."""
    config = connection_config(f"postgres://bot:{PASSWORD}@db1:5433,[::1]/economy")

    assert describe_database(config) == "the PostgreSQL database economy on db1:5433, [::1]:5432"


def test_describe_database_leaves_out_the_password() -> None:
    """It has host, port and database of a server, or the path of a file."""
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
        (f"postgres://bot:{PASSWORD}@a:1,,b/economy", ["a:1,,b/economy", "hosts is empty"]),
        (f"postgres://bot:{PASSWORD}@a,b,/economy", ["a,b,/economy", "hosts is empty"]),
        (f"postgres://bot:{PASSWORD}@a:1,b:x/economy", ["a:1,b:x/economy", "host or port"]),
        (f"postgres://bot:{PASSWORD}@a,::1/economy", ["a,::1/economy", "host or port"]),
        (f"postgres://bot:{PASSWORD}@a,b,c/economy?port=1,2", ["3 hosts and 2 ports"]),
        (f"postgres://bot:{PASSWORD}@a/economy?port=1,2", ["1 hosts and 2 ports"]),
        (f"postgres://bot:{PASSWORD}@/economy?host=a,,b", ["host does not take"]),
        (f"postgres://bot:{PASSWORD}@/economy?host=a:1,b", ["host does not take"]),
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
    """An invalid URL is refused without its secrets."""
    monkeypatch.setenv("DATABASE_URL", url or "nothing")
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(url), LONG)

    assert_one_line_without_password(info.value, *parts)


@both_ways
async def test_init_names_an_unreachable_server(use: Open) -> None:
    """The error of an unreachable server is one line with database and host."""
    started = time.monotonic()
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(use(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy"), LONG)

    assert_one_line_without_password(info.value, "economy", "127.0.0.1:1")
    assert time.monotonic() - started < 5


@both_ways
async def test_init_names_each_of_several_unreachable_servers(use: Open) -> None:
    """The line says which hosts were tried, and why each was not used."""
    async with silent_server() as port:
        url = f"postgres://bot:{PASSWORD}@127.0.0.1:1,127.0.0.1:{port}/economy?connect_timeout=0.3"
        with pytest.raises(StorageUnavailableError) as info:
            await asyncio.wait_for(use(url), LONG)

    parts = ["127.0.0.1:1 cannot be reached", f"127.0.0.1:{port} does not answer"]
    assert_one_line_without_password(info.value, "economy", *parts)


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
    """The port of a server that accepts connections and does not answer."""
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
    """connect_timeout ends the wait for a server that does not answer."""
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
    """A failed init leaves nothing open, and the next one works."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.init(wrong)
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().get_balance(GUILD, ALICE)
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100


async def test_upgrade_works_after_a_failed_upgrade(empty_url: str) -> None:
    """After a failed upgrade the next one works."""
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert await bytes_squads.upgrade(empty_url) != []


async def test_upgrade_that_fails_elsewhere_leaves_the_open_database(
    migrated_url: str,
) -> None:
    """A failed upgrade of another database leaves the open one open."""
    await bytes_squads.init(migrated_url)
    with pytest.raises(StorageUnavailableError):
        await bytes_squads.upgrade(f"postgres://bot:{PASSWORD}@127.0.0.1:1/economy")

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance == 100
