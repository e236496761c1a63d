"""The package's upgrade(): versions, databases and concurrency."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from helpers import Ids
from helpers.migrations import VERSIONS, copy_migrations, run_aerich, upgrade_in_processes
from helpers.schema_introspection import applied_versions, list_objects, query

import bytes_squads
from bytes_squads import BytesBalance, BytesOperations


async def test_upgrade_returns_what_it_applied_and_can_be_repeated(empty_url: str) -> None:
    """The first call returns every version, the next ones nothing, and change nothing."""
    assert await bytes_squads.upgrade(empty_url) == VERSIONS
    first = await list_objects(empty_url)

    assert await bytes_squads.upgrade(empty_url) == []
    assert await list_objects(empty_url) == first


async def test_upgrade_goes_on_from_where_the_database_is(empty_url: str, tmp_path: Path) -> None:
    """A database with the first migration gets only the others."""
    await run_aerich(empty_url, "upgrade", copy_migrations(tmp_path, VERSIONS[:1]))

    assert await bytes_squads.upgrade(empty_url) == VERSIONS[1:]
    assert await applied_versions(empty_url) == VERSIONS


async def test_upgrades_of_two_tasks_at_once_succeed(empty_url: str) -> None:
    """One of them applies the migrations, the others find nothing to do."""
    results = await asyncio.gather(*(bytes_squads.upgrade(empty_url) for _ in range(3)))

    assert sorted(results) == [[], [], VERSIONS]
    assert await applied_versions(empty_url) == VERSIONS


async def test_upgrades_of_several_processes_at_once_succeed(empty_url: str) -> None:
    """Processes that start together on a new database all succeed."""
    await upgrade_in_processes(empty_url, 3)

    assert await applied_versions(empty_url) == VERSIONS


async def test_upgrade_of_another_database_leaves_the_open_one_working(
    migrated_url: str, tmp_path: Path, ids: Ids
) -> None:
    """A host that has its database open can migrate a second one beside it."""
    other_url = f"sqlite://{tmp_path / 'other.db'}"
    await bytes_squads.init(migrated_url)
    try:
        operations = BytesOperations()
        await operations.grant(ids.guild, ids.alice, 5)
        applied = await bytes_squads.upgrade(other_url)
        await operations.grant(ids.guild, ids.alice, 5)
        balance = await operations.get_balance(ids.guild, ids.alice)
        await balance.refresh_from_db()
    finally:
        await bytes_squads.close()

    assert applied == VERSIONS
    assert balance.balance == 110
    assert await query(other_url, "SELECT count(*) FROM bytes_balances") == [(0,)]
    assert await query(migrated_url, "SELECT balance FROM bytes_balances") == [(110,)]


async def test_upgrade_works_for_both_databases_in_one_process(
    empty_url: str, tmp_path: Path
) -> None:
    """Statements of one dialect are not sent to the other database."""
    urls = [f"sqlite://{tmp_path / 'first.db'}", empty_url, f"sqlite://{tmp_path / 'last.db'}"]
    applied = [await bytes_squads.upgrade(url) for url in urls]

    assert applied == [VERSIONS] * 3


def test_upgrade_works_in_one_event_loop_after_another(tmp_path: Path) -> None:
    """A program may call asyncio.run() more than once, with several upgrades in each."""

    async def upgrades(name: str) -> list[list[str]]:
        url = f"sqlite://{tmp_path / name}"
        return await asyncio.gather(*(bytes_squads.upgrade(url) for _ in range(2)))

    results = [asyncio.run(upgrades(name)) for name in ("first.db", "second.db")]

    assert [sorted(result) for result in results] == [[[], VERSIONS]] * 2


async def test_upgrade_without_a_url_migrates_the_open_database(empty_url: str, ids: Ids) -> None:
    """After init(url), upgrade() is enough, and the database stays open."""
    await bytes_squads.init(empty_url)
    try:
        applied = await bytes_squads.upgrade()
        repeated = await bytes_squads.upgrade()
        await BytesOperations().grant(ids.guild, ids.alice, 5)
    finally:
        await bytes_squads.close()

    assert (applied, repeated) == (VERSIONS, [])
    assert await query(empty_url, "SELECT balance FROM bytes_balances") == [(105,)]


async def test_upgrade_without_a_url_works_in_memory(ids: Ids) -> None:
    """A database in memory is migrated over the connection that holds it."""
    await bytes_squads.init("sqlite://:memory:")
    try:
        applied = await bytes_squads.upgrade()
        repeated = await bytes_squads.upgrade()
        await BytesOperations().grant(ids.guild, ids.alice, 5)
        balance = await BytesBalance.get(user_id=ids.alice)
    finally:
        await bytes_squads.close()

    assert (applied, repeated) == (VERSIONS, [])
    assert balance.balance == 105


async def test_upgrade_without_a_url_reads_the_environment(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an open database it is that of DATABASE_URL."""
    monkeypatch.setenv("DATABASE_URL", empty_url)

    assert await bytes_squads.upgrade() == VERSIONS
    assert await applied_versions(empty_url) == VERSIONS


async def test_upgrade_works_while_operations_run(migrated_url: str, ids: Ids) -> None:
    """Operations during an upgrade all happen."""
    await bytes_squads.init(migrated_url)
    try:
        operations = BytesOperations()
        grants = [operations.grant(ids.guild, ids.alice, 1) for _ in range(10)]
        upgrades = [bytes_squads.upgrade() for _ in range(2)]
        results = await asyncio.gather(*grants, *upgrades)
        balance = await operations.get_balance(ids.guild, ids.alice)
    finally:
        await bytes_squads.close()

    assert results[-2:] == [[], []]
    assert balance.balance == 110
