"""The fixture of the tests that follow a page about a bot."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.doc_runner import DocRunner
from helpers.paths import ROOT


@pytest.fixture
def reader(tmp_path: Path) -> DocRunner:
    """Someone in an empty folder, who has discord.py and not its stub."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "folder").mkdir()
    reader = DocRunner(tmp_path / "folder", tmp_path / "tools")
    reader.environment["PYTHONPATH"] = str(ROOT)
    reader.environment["DATABASE_URL"] = ""
    return reader
