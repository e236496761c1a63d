"""The pages move-a-guild.md and command-line.md are followed word for word."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.sample_guild import dump, open_database, populate

from bytes_squads import BytesOperations, upgrade
from bytes_squads.archive import records

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

import asyncclick as click
from helpers.cli_commands import COMMANDS, COMPLETION_SCRIPTS
from helpers.cli_runner import make_environment
from helpers.paths import ROOT

from bytes_squads.cli import commands

HOW_TO = ROOT / "docs" / "how-to" / "move-a-guild.md"
REFERENCE = ROOT / "docs" / "reference" / "command-line.md"
GUILD, MEMBER = "81384788765712384", "80351110224678912"
ELSEWHERE = "postgres://bot:secret@localhost/bot"


def reference() -> str:
    """The reference page."""
    return REFERENCE.read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands under a heading of the reference page."""
    _, found, rest = reference().partition(f"\n### {title}\n")
    assert found, title
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


def follow(page: Path, folder: Path, there: str, **variables: str) -> str:
    """Run the commands of a page from top to bottom; returns what they print.

    Args:
        page: The page.
        folder: Where somebody stands who follows it.
        there: The database that stands for the one of the page on PostgreSQL.
        variables: The environment.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    program = f'bytes-squads() {{ {shlex.quote(sys.executable)} -m bytes_squads "$@"; }}\n'
    program += "".join(blocks).replace(ELSEWHERE, shlex.quote(there))
    result = subprocess.run(
        [str(shutil.which("bash")), "-euo", "pipefail", "-c", program],
        cwd=folder,
        env=make_environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Error" not in result.stderr
    return result.stdout


@pytest.fixture
async def old_url(tmp_path: Path) -> str:
    """The SQLite file of a bot, with a guild that has lived."""
    url = f"sqlite://{tmp_path / 'bot.db'}"
    await upgrade(url)
    async with open_database(url):
        await populate(GUILD)
        await BytesOperations().grant(GUILD, MEMBER, 5)
    return url


needs_a_shell = pytest.mark.skipif(
    shutil.which("bash") is None or os.name == "nt", reason="the pages are for a POSIX shell"
)


@needs_a_shell
async def test_move_a_guild_page_moves_the_guild(
    old_url: str, empty_url: str, tmp_path: Path
) -> None:
    """After the page's commands the guild and a copy of it are equal to the original."""
    async with open_database(old_url):
        left = await dump()

    printed = follow(HOW_TO, tmp_path, empty_url)

    assert printed.count("the books balance\n") == 2
    assert "Leaderboard" in printed
    for url in (empty_url, f"sqlite://{tmp_path / 'copy.db'}"):
        async with open_database(url) as money:
            assert await dump() == left
            assert (await money.verify()).ok


@needs_a_shell
async def test_examples_of_the_reference_run(old_url: str, tmp_path: Path) -> None:
    """In their order; the repeated grant moves bytes once."""
    async with open_database(old_url) as money:
        before = (await money.get_balance(GUILD, MEMBER)).balance

    printed = follow(REFERENCE, tmp_path, "", DATABASE_URL=old_url)

    assert f'"user_id": "{MEMBER}", "balance": {before}' in printed
    async with open_database(old_url) as money:
        assert (await money.get_balance(GUILD, MEMBER)).balance == 500
        rows = await money.get_transaction_history(GUILD, MEMBER, limit=3)
    assert [row.amount for row in rows] == [500 - (before + 50 - 20), 20, 50]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_reference(name: str) -> None:
    """Shared options are described once, above the commands."""
    each: Any = commands
    for part in name.split():
        each = each.commands[part]
    text = reference()
    described = section(f"`{name}`") + text.partition("\n## ")[0]
    shared = "Each takes `--guild ID`, `--json` and `--database-url`."
    if shared in text[: text.index(f"### `{name}`")].rpartition("\n## ")[2]:
        described += shared
    for parameter in each.params:
        if isinstance(parameter, click.Option):
            assert re.search(rf"{parameter.opts[0]}\b", described), parameter.opts[0]
        else:
            assert str(parameter.name).upper() in described


def test_every_field_of_an_archive_is_in_the_reference() -> None:
    """In the order in which the lines stand."""
    lines = (records.Header, *records.RECORD_TYPES, records.Footer)
    table = section("The format of an archive")
    _, *rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", table, re.MULTILINE)
    assert [name for name, _ in rows] == [
        line.model_fields["type"].annotation.__args__[0]  # type: ignore[union-attr]
        for line in lines
    ]
    for line, (_, fields) in zip(lines, rows, strict=True):
        assert tuple(re.findall(r"`([a-z_]+)`", fields)) == line.fields()


def test_completion_is_set_up_as_the_tests_do_it() -> None:
    """The lines of the page are those that the completion tests use."""
    text = reference()
    for script in COMPLETION_SCRIPTS.values():
        (line,) = (line.strip() for line in script.splitlines() if "_source bytes-squads" in line)
        assert f"\n: `{line}`\n" in text


def test_exit_codes_are_those_of_the_help() -> None:
    """The same numbers in both places."""
    table = reference().partition("## Exit codes")[2].partition("\n## ")[0]
    in_help = re.findall(r"^  (\d+) ", str(commands.epilog), re.MULTILINE)
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == in_help
