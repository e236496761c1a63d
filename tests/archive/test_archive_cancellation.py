"""An export or import that is cancelled at any await: whole or not at all, and nothing leaks."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from helpers import GUILD, Database
from helpers.archives import EMPTY, export_records, write_archive
from helpers.backends import delete_all_rows
from helpers.sample_guild import dump, populate
from helpers.stepwise_canceller import cancel_at_every_step

from bytes_squads import BytesOperations
from bytes_squads.archive.exporter import export_guild
from bytes_squads.archive.importer import import_guild
from bytes_squads.engine._tortoise import pool_of, sqlite_connection, sqlite_lock
from bytes_squads.engine.connections import current_client

once_or_again = pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])


async def assert_usable(db: Database) -> None:
    """The next operation works, and every connection is back and in no transaction."""
    client: Any = current_client()
    if db.is_postgres:
        assert pool_of(client).get_idle_size() == pool_of(client).get_size()
    else:
        assert not sqlite_lock(client).locked()
        assert not sqlite_connection(client).in_transaction
    async with asyncio.timeout(10):
        await BytesOperations().get_leaderboard(GUILD)


@once_or_again
async def test_import_cancelled_at_any_await_leaves_all_or_nothing(
    db: Database, again: bool
) -> None:
    """Cancelled at any await, the guild is imported as a whole or not at all."""
    await populate()
    lines, whole = await export_records(), await dump()
    await delete_all_rows()
    seen = []

    async def work() -> None:
        await import_guild(write_archive(lines))

    async def check() -> None:
        await assert_usable(db)
        seen.append(await dump())
        await delete_all_rows()

    assert await cancel_at_every_step(work, check, again=again) > 30
    assert all(found in (EMPTY, whole) for found in seen)
    assert (seen[0], seen[-1]) == (EMPTY, whole)


@once_or_again
async def test_export_cancelled_at_any_await_leaks_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Cancelled at any await, the next operation and the next export work."""
    monkeypatch.setattr("bytes_squads.archive.sql.BATCH_SIZE", 2)
    monkeypatch.setattr("bytes_squads.archive.exporter.BATCH_SIZE", 2)
    await populate()
    before, lines = await dump(), await export_records()
    targets = []

    async def work() -> None:
        targets.append(io.BytesIO())
        await export_guild(GUILD, targets[-1])

    async def check() -> None:
        await assert_usable(db)

    assert await cancel_at_every_step(work, check, again=again) > 15
    assert targets[-1].getvalue().count(b"\n") == len(lines)
    assert await dump() == before
