"""A SQLite file that another process has locked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError

GUILD, ALICE = "1", "2"


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """A migrated file."""
    file = tmp_path / "bot.db"
    await bytes_squads.upgrade(f"sqlite://{file}")
    yield file
    await bytes_squads.close()


async def test_grant_waits_for_a_short_lock(path: Path) -> None:
    """A write waits while another process writes, and then happens."""
    await bytes_squads.init(f"sqlite://{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(BytesOperations().grant(GUILD, ALICE, 1))
    await asyncio.sleep(0.3)
    waited = not task.done()
    other.execute("COMMIT")
    other.close()
    await task
    await bytes_squads.close()
    assert waited


async def test_grant_fails_when_the_file_stays_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stays locked is StorageUnavailableError; later it works."""
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.3)
    await bytes_squads.init(f"sqlite://{path}?busy_timeout=50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    operations = BytesOperations()
    with pytest.raises(StorageUnavailableError):
        await operations.grant(GUILD, ALICE, 1)
    reading = await operations.get_leaderboard(GUILD)  # readers are not blocked by a writer
    other.execute("COMMIT")
    other.close()
    await operations.grant(GUILD, ALICE, 1)
    balance = await operations.get_balance(GUILD, ALICE)
    await bytes_squads.close()
    assert (reading, balance.balance) == ([], 101)


async def test_block_holds_the_write_lock_from_its_beginning(path: Path) -> None:
    """A block has the write lock from its beginning, so its reads stay valid."""
    await bytes_squads.init(f"sqlite://{path}")
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    async with bytes_squads.in_transaction():
        member = await operations.get_balance(GUILD, ALICE)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("UPDATE bytes_balances SET updated_at = updated_at")
        await operations.charge(GUILD, ALICE, member.balance)
    other.close()
    left = await operations.get_balance(GUILD, ALICE)
    await bytes_squads.close()
    assert left.balance == 0


async def test_grant_fails_while_a_block_keeps_the_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a block has the only connection, others wait until their timeout."""
    monkeypatch.setattr("bytes_squads.engine.connections.POOL_TIMEOUT", 0.1)
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.1)
    await bytes_squads.init(f"sqlite://{path}")
    free = asyncio.Event()

    async def hold() -> None:
        async with bytes_squads.in_transaction():
            await free.wait()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    for work in (
        BytesOperations().grant(GUILD, ALICE, 1),
        BytesOperations().get_leaderboard(GUILD),
    ):
        with pytest.raises(StorageUnavailableError, match="in use"):
            await work
    free.set()
    await holder
    assert (await BytesOperations().grant(GUILD, ALICE, 1)).amount == 1


async def test_init_refuses_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    """A file that is not a database is refused, and the next init works."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    with pytest.raises(StorageUnavailableError) as refused:
        await bytes_squads.init(f"sqlite://{file}")
    assert "\n" not in str(refused.value)
    assert str(file) in str(refused.value)


async def test_operation_without_tables_names_upgrade(tmp_path: Path) -> None:
    """The error of an operation on a database without tables names upgrade()."""
    await bytes_squads.init(f"sqlite://{tmp_path / 'new.db'}")
    with pytest.raises(StorageUnavailableError, match=r"upgrade\(\)"):
        await BytesOperations().get_balance(GUILD, ALICE)
    await bytes_squads.close()
