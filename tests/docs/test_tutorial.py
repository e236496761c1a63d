"""docs/tutorial.md, followed in an empty folder with a fake Discord.

Two things differ from a reader's doing: what `pip install` would install is in the running
environment already, and the token is that of the Discord on loopback. What is said "In Discord" is
said there, and each answer is compared with the page.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest
from helpers.doc_blocks import read_blocks
from helpers.doc_runner import DocRunner, find_missing_library
from helpers.paths import ROOT

pytest.importorskip("aiohttp")
pytest.importorskip("discord")
pytest.importorskip("rich")

from helpers.bot_pages import follow_page

TUTORIAL = ROOT / "docs" / "tutorial.md"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process")


@pytest.mark.parametrize("deliveries", [1, 2], ids=["once", "each click delivered twice"])
async def test_tutorial_followed_by_a_reader_makes_a_bot_that_pays(
    reader: DocRunner, deliveries: int
) -> None:
    """Each file, command and conversation of the page, in its order, has the result it names."""
    assert [block for block in read_blocks(TUTORIAL) if find_missing_library(block)] == []
    await follow_page(TUTORIAL, reader, deliveries=deliveries)
    with closing(sqlite3.connect(reader.folder / "bytes_squads.db")) as books:
        kinds = books.execute("SELECT kind, amount FROM bytes_transactions ORDER BY created_at, id")
        rows = kinds.fetchall()

    assert rows == [("starting", 100), ("daily", 10), ("starting", 100), ("transfer", 25)]
