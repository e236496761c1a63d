"""Behind PgBouncer in transaction mode, with the setting of docs/how-to/pgbouncer.md.

A real PgBouncer in front of the tests' PostgreSQL, where it is installed. Three connections to the
server for the ten of the pool: a transaction never knows which one it gets.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from helpers import GUILD, make_transfer
from helpers.backends import LONG, close_and_join_threads
from helpers.migrations import VERSIONS
from helpers.paths import ROOT
from helpers.schema_introspection import query

import bytes_squads
from bytes_squads import (
    BytesOperations,
    OutcomeUnknownError,
    SquadCreate,
    SquadOperations,
    StorageUnavailableError,
    in_transaction,
)

# Debian installs it where an ordinary user's PATH does not lead.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is no package of Python's: Debian's"),
]

PAGE = (ROOT / "docs" / "how-to" / "pgbouncer.md").read_text(encoding="utf-8")
SETTING = re.findall(r"@127.0.0.1:6432/bot\?(\S+)", PAGE)[0]

SERVERS = 3
CUTS = 20
MEMBERS = range(10, 18)


def version() -> tuple[int, ...]:
    """Return the version of PgBouncer, as (1, 18)."""
    assert PROGRAM
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found
    return int(found[1]), int(found[2])


def config(url: str, port: int, users: Path, *more: str) -> str:
    """A PgBouncer in front of this server, which lets the tests' user in."""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    host = options.get("host", [parts.hostname or "127.0.0.1"])[0]
    password = f" password={parts.password}" if parts.password else ""
    return "\n".join(
        (
            "[databases]",
            f"* = host={host} port={parts.port or 5432}{password}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = trust",
            f"auth_file = {users}",
            "pool_mode = transaction",
            f"default_pool_size = {SERVERS}",
            "server_login_retry = 1",
            *more,
        )
    )


Start = Callable[..., str]


@pytest.fixture
def pgbouncer(empty_url: str) -> Iterator[Start]:
    """Start a PgBouncer in front of an empty database, and return the URL that goes through it."""
    folder = Path(tempfile.mkdtemp(prefix="bs_pgb_"))
    folder.chmod(0o755)  # pytest's own folders are closed to the user that it runs as
    parts = urlsplit(empty_url)
    user = parts.username or "postgres"
    running: list[subprocess.Popen[bytes]] = []

    def start(*settings: str) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        users, ini, log = folder / "users.txt", folder / "pgbouncer.ini", folder / "log"
        users.write_text(f'"{user}" ""\n')
        ini.write_text(config(empty_url, port, users, *settings))
        assert PROGRAM
        with log.open("wb") as output:
            # It refuses to run as root; who owns the server's socket may use it.
            owner = _owner(parse_qs(parts.query).get("host", [""])[0])
            running.append(
                subprocess.Popen([PROGRAM, ini], stdout=output, stderr=output, user=owner)
            )
        deadline = time.monotonic() + LONG
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert running[-1].poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            else:
                return f"postgres://{user}:@127.0.0.1:{port}{parts.path}"

    yield start
    for process in running:
        process.terminate()
        process.wait(LONG)
    shutil.rmtree(folder)


def _owner(sockets: str) -> str | int | None:
    """As whom PgBouncer runs: as we do, unless we are root."""
    if os.geteuid():
        return None
    return Path(sockets).stat().st_uid if sockets else "nobody"


@pytest.fixture(autouse=True)
async def close_after_test(pgbouncer: Start) -> Any:
    """The package is closed before PgBouncer ends."""
    yield
    await close_and_join_threads()


async def a_busy_hour() -> list[Any]:
    """Run more concurrent operations than there are connections; return their results."""
    ops, squads = BytesOperations(), SquadOperations()

    async def a_block(member: int) -> None:
        async with in_transaction():
            await ops.grant(GUILD, member, 5)
            await ops.charge(GUILD, member, 5)

    def a_transfer(giver: int, receiver: int) -> Any:
        return ops.create_transaction(
            make_transfer(giver, receiver, 1, idempotency_key=f"{giver} to {receiver}")
        )

    owls = await squads.create_squad(SquadCreate(guild_id=GUILD, role_id=7, name="Owls"))
    return await asyncio.gather(
        *(a_transfer(giver, receiver) for giver, receiver in permutations(MEMBERS, 2)),
        *(ops.claim_daily(GUILD, member) for member in MEMBERS),
        *(squads.join_squad(GUILD, member, owls.id) for member in MEMBERS),
        *(a_block(member) for member in MEMBERS),
        *(ops.get_leaderboard(GUILD) for _ in MEMBERS),
        return_exceptions=True,
    )


def errors(answers: list[Any]) -> set[type]:
    return {type(answer) for answer in answers if isinstance(answer, Exception)}


def off() -> tuple[str, ...]:
    """Return the setting with which PgBouncer does not track prepared statements."""
    return ("max_prepared_statements = 0",) if version() >= (1, 21) else ()


async def test_operations_work_with_the_documented_setting(
    pgbouncer: Start, empty_url: str
) -> None:
    """Migrations and operations of every kind, on fewer connections than the pool has."""
    url = f"{pgbouncer(*off())}?{SETTING}"
    assert await bytes_squads.upgrade(url) == VERSIONS
    await bytes_squads.init(url)
    answers = await a_busy_hour()
    ((servers,),) = await query(
        empty_url,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )

    assert errors(answers) == set()
    assert (await BytesOperations().verify(GUILD)).ok
    # Each had 100, 10 for the day, 50 for the squad; what went to and fro cancels out.
    board = await BytesOperations().get_leaderboard(GUILD)
    assert [entry.balance for entry in board] == [60] * len(MEMBERS)
    assert 1 <= servers <= SERVERS


async def test_operations_without_the_setting_are_refused_and_lose_nothing(
    pgbouncer: Start,
) -> None:
    """Without prepared statements operations are refused, and the ledger is consistent."""
    url = pgbouncer(*off())
    await bytes_squads.upgrade(f"{url}?{SETTING}")
    await bytes_squads.init(url)
    ops = BytesOperations()
    answers = await asyncio.gather(
        *(ops.grant(GUILD, member, 1) for member in [*MEMBERS] * 10), return_exceptions=True
    )
    await bytes_squads.close()
    await bytes_squads.init(f"{url}?{SETTING}")

    assert errors(answers) == {StorageUnavailableError}
    assert (await ops.verify(GUILD)).ok


@pytest.mark.skipif(
    PROGRAM is not None and version() < (1, 21), reason="PgBouncer is older than 1.21"
)
async def test_operations_work_with_max_prepared_statements(pgbouncer: Start) -> None:
    """With `max_prepared_statements` the URL needs no setting."""
    url = pgbouncer("max_prepared_statements = 200")
    await bytes_squads.upgrade(url)
    await bytes_squads.init(url)

    assert errors(await a_busy_hour()) == set()
    assert (await BytesOperations().verify(GUILD)).ok


async def test_grant_with_a_key_happens_once_while_connections_are_cut(
    pgbouncer: Start, empty_url: str
) -> None:
    """Server processes are ended under load; each order is repeated by its key until it is done."""
    url = f"{pgbouncer(*off())}?{SETTING}"
    await bytes_squads.upgrade(url)
    await bytes_squads.init(url)
    ops = BytesOperations()
    orders = cut = 0

    async def order(number: int) -> None:
        member = MEMBERS[number % len(MEMBERS)]
        while True:
            try:
                await ops.grant(GUILD, member, 1, idempotency_key=f"order {number}")
            except (StorageUnavailableError, OutcomeUnknownError):
                await asyncio.sleep(0.05)
            else:
                return

    async def ordering() -> None:
        nonlocal orders
        while cut < CUTS:
            orders += 1
            await order(orders)

    async def cutting() -> None:
        nonlocal cut
        connection = await asyncpg.connect(empty_url)
        while cut < CUTS:
            cut += await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND datname = current_database() "
                "AND backend_type = 'client backend'"
            )
            await asyncio.sleep(0.05)
        await connection.close()

    async with asyncio.timeout(10 * LONG):
        await asyncio.gather(cutting(), *(ordering() for _ in MEMBERS))
    report = await ops.verify(GUILD)
    ((rows,),) = await query(
        empty_url, "SELECT count(*) FROM bytes_transactions WHERE kind = 'grant'"
    )

    assert rows == orders
    assert report.ok


async def test_operations_that_time_out_release_their_connections(pgbouncer: Start) -> None:
    """After a hundred timeouts the pool works and the ledger is consistent."""
    url = f"{pgbouncer(*off())}?{SETTING}"
    await bytes_squads.upgrade(url)
    await bytes_squads.init(url)
    ops = BytesOperations()

    async def impatient(number: int) -> None:
        try:
            async with asyncio.timeout(number / 2000):
                await ops.grant(GUILD, MEMBERS[number % len(MEMBERS)], 1)
        except TimeoutError:
            pass

    await asyncio.gather(*(impatient(number) for number in range(100)))
    async with asyncio.timeout(LONG):
        assert errors(await a_busy_hour()) == set()
        assert (await ops.verify(GUILD)).ok


async def test_pgbouncer_shows_another_process_id(pgbouncer: Start, empty_url: str) -> None:
    """The client's process id is not the server's."""
    connection = await asyncpg.connect(pgbouncer(), statement_cache_size=0)
    shown = connection.get_server_pid()
    served = await connection.fetchval("SELECT pg_backend_pid()")
    await connection.close()

    assert shown != served


async def test_init_with_a_schema_in_the_url_is_refused(pgbouncer: Start) -> None:
    """PgBouncer refuses the parameter `search_path`."""
    url = f"{pgbouncer()}?{SETTING}&schema=public"
    with pytest.raises(StorageUnavailableError, match="search_path"):
        await bytes_squads.init(url)
