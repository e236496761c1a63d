"""The fixture of the tests of archives."""

from __future__ import annotations

from copy import deepcopy

import pytest
from helpers import Database
from helpers.archives import EMPTY, Record, export_records
from helpers.backends import delete_all_rows
from helpers.sample_guild import dump, populate


@pytest.fixture(scope="session")
def exported() -> dict[str, list[Record]]:
    """Return the records that `lines` has exported on each database."""
    return {}


@pytest.fixture
async def lines(db: Database, exported: dict[str, list[Record]]) -> list[Record]:
    """Return the records of a guild that was exported and deleted; the database is empty."""
    if db.backend not in exported:
        await populate()
        exported[db.backend] = await export_records()
        await delete_all_rows()
    assert await dump() == EMPTY
    return deepcopy(exported[db.backend])
