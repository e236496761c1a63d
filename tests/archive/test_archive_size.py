"""A large guild moves with as little memory as a small one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import GUILD, OTHER_GUILD
from helpers import run_in_thread as _run
from helpers.big_guild import make_guild
from helpers.sample_guild import open_database

from bytes_squads import upgrade

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import start_command

MEMBERS = 10_000
FEW = 100
ROOM = 24 * 1024
"""KiB that the memory of two processes may differ by; the large guild's archive has 33 MB."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no wait4")


def run(*words: object, url: str) -> int:
    """Run a command as a process; returns the most memory that it had, in KiB."""
    process = start_command(*words, url=url, stdout=None, stderr=None)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def different_lines(one: Path, other: Path) -> list[int]:
    """The numbers of the lines, from 1, in which two files are not the same."""
    with one.open() as left, other.open() as right:
        pairs = enumerate(zip(left, right, strict=True), 1)
        return [number for number, (a, b) in pairs if a != b]


class Archives(NamedTuple):
    """Two guilds that were exported from a SQLite file, and the memory, in KiB, that it took."""

    large: Path
    small: Path
    most: int
    least: int


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """A guild of 10,000 members with 100,000 ledger rows, and one of a hundredth of that."""
    folder = tmp_path_factory.mktemp("archives")
    url, large, small = f"sqlite://{folder / 'source.db'}", folder / "large", folder / "small"

    async def make() -> None:
        await upgrade(url)
        async with open_database(url):
            await make_guild(GUILD, MEMBERS)
            await make_guild(OTHER_GUILD, FEW)

    _run(make())
    least = run("export", "--guild", OTHER_GUILD, "--output", small, url=url)
    most = run("export", "--guild", GUILD, "--output", large, url=url)
    return Archives(large, small, most, least)


async def test_export_and_import_of_a_large_guild_take_constant_memory(
    archives: Archives, backend: str, migrated_url: str, tmp_path: Path
) -> None:
    """The second export has the same lines, and the memory does not grow."""
    assert archives.most - archives.least < ROOM

    least = run("import", archives.small, url=migrated_url)
    most = run("import", archives.large, url=migrated_url)
    assert most - least < ROOM

    async with open_database(migrated_url) as money:
        report = await money.verify()
    members = MEMBERS + FEW
    assert (report.ok, report.members, report.transactions) == (True, members, 10 * members)

    if backend == "sqlite":  # the archives came from there
        return
    again = tmp_path / "again"
    least = run("export", "--guild", OTHER_GUILD, "--output", again, url=migrated_url)
    most = run("export", "--guild", GUILD, "--output", again, url=migrated_url)
    assert most - least < ROOM
    assert different_lines(archives.large, again) == [1]  # but for the time in the header
