"""A read-only SQLite file, such as a backup: reads work, writes are refused."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from helpers.paths import ROOT, TESTS
from helpers.sample_guild import open_database, populate

import bytes_squads
from bytes_squads import StorageUnavailableError
from bytes_squads.engine.open_checks import read_only_uri

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import make_environment
from helpers.read_only_reader import READING, WRITING

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")

Answers = list[tuple[str, int, str, str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that any user may look into; pytest's own ones are for their owner only."""
    with tempfile.TemporaryDirectory(prefix="bytes_squads_") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


async def make_database(folder: Path) -> Path:
    """Return a guild's file in the folder."""
    file = folder / "bot.db"
    await bytes_squads.upgrade(f"sqlite://{file}")
    async with open_database(f"sqlite://{file}"):
        await populate()
    return file


def run_reader(file: Path, copy: Path) -> Answers:
    """Run all commands on the file, as a user who cannot write to it or its folder."""
    for path in file.parent.iterdir():
        path.chmod(0o444)
    file.parent.chmod(0o555)
    result = subprocess.run(
        [sys.executable, "-m", "helpers.read_only_reader", copy, file],
        env=make_environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(TESTS)])),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    answers: Answers = json.loads(result.stdout)
    return answers


@pytest.mark.parametrize("journal", ["wal", "delete"])
async def test_verify_and_other_reads_work_on_a_read_only_file(
    journal: str, folder: Path, tmp_path: Path
) -> None:
    """Each read prints its result and changes no file; a write is refused in one line."""
    file = await make_database(folder)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    shutil.copy(file, tmp_path / "copy.db")
    before = file.read_bytes()
    answers = run_reader(file, tmp_path / "copy.db")

    assert [path.name for path in file.parent.iterdir()] == ["bot.db"]
    assert file.read_bytes() == before
    for command, code, printed, error in answers[: len(READING)]:
        assert (code, printed != "") == (0, True), f"{command}: {error}"
    assert "all agree" in answers[0][2]
    for command, code, printed, error in answers[len(READING) :]:
        assert (code, printed) == (1, ""), command
        assert error == (
            "Error: the database is read-only (attempt to write a readonly database)\n"
        ), command
    assert len(answers) == len(READING) + len(WRITING)


async def test_init_refuses_a_log_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    """A write-ahead log that cannot be read is refused."""
    source = await make_database(tmp_path)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE bytes_configs SET daily_amount = 8")
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{source}{suffix}", folder / f"bot.db{suffix}")
    shutil.copy(source, tmp_path / "copy.db")
    answers = run_reader(folder / "bot.db", tmp_path / "copy.db")

    assert {code for _, code, _, _ in answers} == {1}
    assert all("bot.db-wal has changes that cannot be read" in error for *_, error in answers)


async def test_in_transaction_is_refused_with_query_only(
    tmp_path: Path, close_after_test: None
) -> None:
    """With query_only a writable file is read-only."""
    file = await make_database(tmp_path)
    await bytes_squads.init(f"sqlite://{file}?query_only=on")
    operations = bytes_squads.BytesOperations()

    assert (await operations.verify()).ok
    with pytest.raises(StorageUnavailableError, match="read-only"):
        await operations.grant(1, 2, 3)
    async with open_database(f"sqlite://{file}"):
        assert (await operations.grant(1, 2, 3)).amount == 3


def test_init_opens_a_file_for_writing_where_it_can(tmp_path: Path) -> None:
    """A writable file, one in memory and a missing one are opened for writing."""
    (tmp_path / "bot.db").touch()

    assert read_only_uri(str(tmp_path / "bot.db")) is None
    assert read_only_uri(str(tmp_path / "missing.db")) is None
    assert read_only_uri(":memory:") is None
