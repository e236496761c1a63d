"""The fixture of the tests of archives."""

from __future__ import annotations

import pytest
from helpers import Database
from helpers.archives import EMPTY, Record, export_records
from helpers.backends import delete_all_rows
from helpers.sample_guild import dump, populate


@pytest.fixture
async def lines(db: Database) -> list[Record]:
    """Return the records of a guild that was exported and deleted; the database is empty."""
    await populate()
    records = await export_records()
    await delete_all_rows()
    assert await dump() == EMPTY
    return records
