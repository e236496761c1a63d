"""Every command creates no database, fails in one line, and has help."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.assertions import naming
from helpers.sample_guild import open_database

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

import asyncclick as click
from helpers.cli_commands import COMMANDS
from helpers.cli_runner import PASSWORD, UNREACHABLE, list_folder, read_error, run_command

from bytes_squads.cli import commands

MISSPELLED = "sqlite://misspelled.db"

ON_A_DATABASE_THAT_IS_THERE = sorted(COMMANDS.keys() - {"demo", "upgrade", "distribute"})


def test_every_command_is_listed() -> None:
    """The list of commands is complete."""

    def names(group: click.Group) -> Iterator[str]:
        for name, each in group.commands.items():
            yield from (
                (f"{name} {inner}" for inner in names(each))
                if isinstance(each, click.Group)
                else (name,)
            )

    assert set(names(commands)) == set(COMMANDS)


@pytest.mark.parametrize("name", ON_A_DATABASE_THAT_IS_THERE)
async def test_command_makes_no_database(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelled path is an error, with the option and with the variable."""
    monkeypatch.chdir(tmp_path)
    words = (*name.split(), *COMMANDS[name])
    for option, variables in (
        (("--database-url", MISSPELLED), {}),
        ((), {"DATABASE_URL": MISSPELLED}),
    ):
        assert await read_error(*words, *option, **variables) == "there is no file misspelled.db"
    assert list_folder(tmp_path) == []


async def test_command_without_tables_asks_for_upgrade(empty_url: str) -> None:
    """Without tables the error is one line that names upgrade."""
    async with open_database(empty_url):
        pass  # a SQLite file is there now
    for name in sorted(set(ON_A_DATABASE_THAT_IS_THERE) - {"import", "status"}):
        with naming(name):
            said = await read_error(*name.split(), *COMMANDS[name], DATABASE_URL=empty_url)
            assert re.fullmatch(
                r"the database lacks this version's tables \(.+\): run upgrade\(\) first", said
            )


@pytest.mark.parametrize("name", ON_A_DATABASE_THAT_IS_THERE)
async def test_command_names_an_unreachable_server_without_the_password(name: str) -> None:
    """In one line, with the exit code of a refusal."""
    said = await read_error(*name.split(), *COMMANDS[name], DATABASE_URL=UNREACHABLE)
    assert said.startswith("cannot open the PostgreSQL database bot on 127.0.0.1:1: ")
    assert PASSWORD not in said


@pytest.mark.parametrize("name", COMMANDS)
async def test_command_has_help(name: str) -> None:
    """The help has a description, the options and an example, in 80 columns."""
    result = await run_command(*name.split(), "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Usage: bytes-squads {name} [OPTIONS]" in result.stdout
    assert "--database-url URL" in result.stdout
    lines = [line.strip() for line in result.stdout.splitlines()]
    if name not in {"demo", "upgrade", "verify"}:  # these have theirs in the help of all
        assert any(
            line.startswith(f"bytes-squads {name} --")
            or re.match(rf"bytes-squads {name} [gb]", line)
            for line in lines
        )
    assert max(map(len, result.stdout.splitlines())) <= 100


def examples() -> list[list[str]]:
    """The examples in the help of every command, as words."""
    found = []
    for name in ("", *COMMANDS):
        each: Any = commands
        for part in name.split():
            each = each.commands[part]
        for line in (each.epilog or "").splitlines():
            _, found_it, words = line.partition("bytes-squads ")
            if found_it and words != "demo":  # which needs no database, and is run elsewhere
                found.append(shlex.split(words.partition("|")[0].partition(">")[0]))
    return found


@pytest.mark.parametrize("words", examples(), ids=" ".join)
async def test_help_examples_are_valid(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example is a valid command line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guild.jsonl").touch()
    result = await run_command(*words, DATABASE_URL=MISSPELLED)
    assert result.exit_code == (0 if words[-1] == "--help" else 1), result.stderr
