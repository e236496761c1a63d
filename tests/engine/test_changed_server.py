"""A table is altered, or the database becomes read-only, while the bot runs (PostgreSQL)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from helpers import BOB, GUILD
from helpers.operations_table import CASES, NEW, OPERATIONS, READS, World, create_world

import bytes_squads
from bytes_squads import BytesOperations, SquadOperations, StorageUnavailableError

pytestmark = pytest.mark.postgres

TABLES = ("bytes_balances", "bytes_transactions", "bytes_configs", "squads", "squad_memberships")
AT_ONCE = 2.0
"""Seconds in which an operation has ended that does not try again and again."""


@pytest.fixture
async def direct(migrated_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Connect beside the package to a database that only this test uses."""
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


Call = Callable[[], Awaitable[Any]]
MANY = range(1_000, 1_100)
"""Known members: three for each operation."""


async def prepare_calls(world: World, count: int) -> dict[str, list[Call]]:
    """Return calls of every operation that writes, each for another member who is ready for it."""
    members = {False: iter(MANY), True: iter(NEW)}
    calls: dict[str, list[Call]] = {}
    for case in CASES:
        for _ in range(count):
            member = next(members[case.is_new])
            await case.operation.get_ready(world, member)
            calls.setdefault(str(case), []).append(partial(case.operation.run, world, member))
    return calls


def prepare_reads(world: World, count: int) -> dict[str, list[Call]]:
    """Return calls of every read."""
    reads = (OPERATIONS["get_balance"], *READS)
    return {read.name: [partial(read.run, world, BOB)] * count for read in reads}


async def test_operations_work_at_once_after_alter_table(
    migrated_url: str, direct: asyncpg.Connection[Any]
) -> None:
    """Each operation with prepared statements works after ADD COLUMN to each table."""
    await bytes_squads.init(f"{migrated_url}&maxsize=1")
    try:
        world = await create_world(BytesOperations(), SquadOperations(), known=MANY)
        calls = await prepare_calls(world, 3) | prepare_reads(world, 3)
        failed: dict[str, Exception] = {}
        slow: dict[str, float] = {}
        for number, (name, (first, second, third)) in enumerate(calls.items()):
            await first()
            await second()
            for table in TABLES:
                await direct.execute(f"ALTER TABLE {table} ADD COLUMN host_{number} TEXT")
            started = time.monotonic()
            try:
                await third()
            except StorageUnavailableError as error:
                failed[name] = error
            if (took := time.monotonic() - started) > AT_ONCE:
                slow[name] = took
        report = await world.bytes.verify(GUILD)
    finally:
        await bytes_squads.close()
    assert failed == {}
    assert slow == {}
    assert report.ok


async def test_writes_to_a_read_only_database_fail_at_once(
    migrated_url: str, direct: asyncpg.Connection[Any]
) -> None:
    """Each write to a read-only database is an error without retries; reads work."""
    await bytes_squads.init(migrated_url)
    name = urlsplit(migrated_url).path.removeprefix("/")
    try:
        world = await create_world(BytesOperations(), SquadOperations())
        writes = await prepare_calls(world, 1)
        await direct.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await bytes_squads.init(migrated_url)
        answers: dict[str, str] = {}
        slow: dict[str, float] = {}
        for operation, (call,) in writes.items():
            started = time.monotonic()
            try:
                await call()
            except StorageUnavailableError as error:
                answers[operation] = str(error)
            if (took := time.monotonic() - started) > AT_ONCE:
                slow[operation] = took
        for (call,) in prepare_reads(world, 1).values():
            await call()
    finally:
        await bytes_squads.close()
    assert answers.keys() == writes.keys()
    assert [text for text in answers.values() if "read-only" not in text] == []
    assert slow == {}
