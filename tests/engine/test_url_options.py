"""The options of a URL: SQLite's pragmas, PostgreSQL's keepalives, and unknown ones."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from helpers import ALICE, GUILD, PostgresServer

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError
from bytes_squads.engine._tortoise import find_socket, pool_of
from bytes_squads.engine.connections import current_client
from bytes_squads.engine.url_options import SQLITE_PRAGMAS

pytestmark = pytest.mark.usefixtures("close_after_test")

# SQLite's pragmas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("synchronous=BANANA", "synchronous"),
        ("synchronous=4", "synchronous"),
        ("synchronous=", "synchronous"),
        ("synchronous", "synchronous"),
        ("no_such_pragma=1", "no_such_pragma"),
        ("busy_timeout=soon", "busy_timeout"),
        ("busy_timeout=-1", "busy_timeout"),
        ("busy_timeout=1.5", "busy_timeout"),
        ("busy_timeout=99999999999999999999", "busy_timeout"),
        ("foreign_keys=maybe", "foreign_keys"),
        ("journal_mode=WAL;DROP TABLE bytes_balances", "journal_mode"),
        ("page_size=8192", "page_size"),
        ("journal_mode=WAL&SYNCHRONOUS=1", "SYNCHRONOUS"),
        ("ignore_check_constraints=1", "ignore_check_constraints"),
        ("writable_schema=1", "writable_schema"),
        ("file_path=other.db", "file_path"),
        ("install_regexp_functions=perhaps", "install_regexp_functions"),
    ],
)
@pytest.mark.parametrize("use", [bytes_squads.init, bytes_squads.upgrade])
async def test_init_and_upgrade_refuse_an_unknown_pragma_or_value(
    tmp_path: Path, use: Any, option: str, named: str
) -> None:
    """SQLite ignores both; here they are refused by name, and no file is made."""
    path = tmp_path / "a.db"
    with pytest.raises(StorageUnavailableError, match=named) as info:
        await use(f"sqlite://{path}?{option}")

    assert str(path) in str(info.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("option", "pragma", "value"),
    [
        ("synchronous=normal", "synchronous", 1),
        ("synchronous=EXTRA", "synchronous", 3),
        ("synchronous=0", "synchronous", 0),
        ("busy_timeout=0", "busy_timeout", 0),
        ("foreign_keys=Yes", "foreign_keys", 1),
        ("cache_size=-4000", "cache_size", -4000),
        ("cache_spill=off", "cache_spill", 0),
        ("temp_store=memory", "temp_store", 2),
        ("journal_mode=delete", "journal_mode", "delete"),
        ("secure_delete=fast", "secure_delete", 2),
        ("wal_autocheckpoint=0", "wal_autocheckpoint", 0),
        ("mmap_size=1048576", "mmap_size", 1_048_576),
        ("journal_size_limit=-1", "journal_size_limit", -1),
        ("install_regexp_functions=false", "foreign_keys", 1),
        ("install_regexp_functions=true", "foreign_keys", 1),
    ],
)
async def test_init_sets_a_pragma_of_the_url(
    tmp_path: Path, option: str, pragma: str, value: Any
) -> None:
    """A valid pragma is set on the open database."""
    await bytes_squads.init(f"sqlite://{tmp_path / 'a.db'}?{option}")
    (row,) = await current_client().execute_query_dict(f"PRAGMA {pragma}")

    assert list(row.values()) == [value]


def test_sqlite_has_every_pragma_that_a_url_may_have() -> None:
    """SQLite lists each name of the table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        known = {name for (name,) in connection.execute("PRAGMA pragma_list")}

    assert SQLITE_PRAGMAS.keys() - known == {"install_regexp_functions"}


async def test_init_opens_a_path_with_a_hash(tmp_path: Path) -> None:
    """Everything before the question mark is the path."""
    path = tmp_path / "my#1 100%.db"
    await bytes_squads.init(f"sqlite://{path}?synchronous=1")

    assert path.is_file()


# PostgreSQL's options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "colour=red",
        "maxsize=0",
        "minsize=-1",
        "maxsize=1e3",
        "sslmode=perhaps",
        "timeout=nan",
        "command_timeout=forever",
        "port=0",
        "port=5432,",
        "host=",
        "target_session_attrs=writable",
        "target_session_attrs=",
        "keepalives=2",
        "keepalives_idle=soon",
        "keepalives_count=1000",
        "tcp_user_timeout=-1",
        "application_name=",
        "maxsize",
    ],
)
async def test_init_refuses_an_unknown_option_or_value(option: str) -> None:
    """An option of PostgreSQL that is unknown, or a value it does not take, is named."""
    with pytest.raises(StorageUnavailableError, match=option.partition("=")[0]):
        await bytes_squads.init(f"postgres://bot@127.0.0.1:1/economy?{option}")


@pytest.fixture
async def tcp_url(empty_url: str, postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The URL of the database over TCP, through a relay where the server has a socket only."""
    folder = parse_qs(urlsplit(empty_url).query).get("host", [""])[0]
    if not folder.startswith("/"):
        yield empty_url
        return
    tasks: set[asyncio.Task[None]] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        for work in (pump(reader, to_server), pump(from_server, writer)):
            tasks.add(asyncio.create_task(work))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"postgres://postgres@127.0.0.1:{port}{urlsplit(empty_url).path}"
    await bytes_squads.close()
    server.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.wait_closed()


def tcp_settings(connection: Any) -> dict[str, int]:
    """The keepalive options of a connection's socket."""
    sock = find_socket(connection)
    options = {
        "keepalives": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        "interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        "count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        "user_timeout": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
    }
    return {name: sock.getsockopt(*option) for name, option in options.items()}


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


@on_linux
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (1, 15, 5, 3, 30_000)),
        (
            "keepalives_idle=60&keepalives_interval=7&keepalives_count=4&tcp_user_timeout=9000",
            (1, 60, 7, 4, 9000),
        ),
    ],
)
async def test_init_sets_keepalives_on_the_pools_connections(
    tcp_url: str, options: str, expected: tuple[int, ...]
) -> None:
    """Each connection over TCP has the keepalives of the URL, by default those of the package."""
    await bytes_squads.init(f"{tcp_url}?{options}")
    client: Any = current_client()
    async with pool_of(client).acquire() as connection:
        found = tcp_settings(connection)

    assert tuple(found.values()) == expected


@on_linux
@pytest.mark.postgres
async def test_init_without_keepalives_leaves_the_sockets_alone(tcp_url: str) -> None:
    """keepalives=0 leaves what the driver and the system set."""
    plain = await asyncpg.connect(tcp_url)
    usual = tcp_settings(plain)
    await plain.close()
    await bytes_squads.init(f"{tcp_url}?keepalives=0")
    client: Any = current_client()
    async with pool_of(client).acquire() as connection:
        assert tcp_settings(connection) == usual


@pytest.mark.postgres
async def test_init_over_a_unix_socket_sets_no_keepalives(migrated_url: str) -> None:
    """On a Unix socket the options of TCP are ignored."""
    await bytes_squads.init(migrated_url)

    assert (await BytesOperations().grant(GUILD, ALICE, 1)).amount == 1
