"""Calling the command line: in this process, for speed, and as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncclick.testing import CliRunner
from asyncclick.testing import Result as Called

from bytes_squads.cli import commands

from .paths import ROOT

PASSWORD = "hunter2"
UNREACHABLE = f"postgres://bot:{PASSWORD}@127.0.0.1:1/bot"
TERMINAL_WIDTH = 80
CHANGING = ("DATABASE_URL", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
"""The environment variables that change what is printed."""

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


def make_environment(**variables: str) -> dict[str, str]:
    """The environment of the tests, without what changes the output, and with the checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in CHANGING}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **variables}


def make_command_line(*arguments: str) -> list[str]:
    """The command line of a separate process."""
    return [sys.executable, "-m", "bytes_squads", *arguments]


def start_command(*arguments: object, url: str, **options: Any) -> subprocess.Popen[bytes]:
    """A command as a process that goes on, its output in pipes unless the options say otherwise.

    Args:
        arguments: The words of the command line.
        url: The database, by the environment.
        options: What ``subprocess.Popen`` takes.
    """
    words = make_command_line(*(str(argument) for argument in arguments))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, env=make_environment(DATABASE_URL=url), **{**pipes, **options})


async def run_command(*arguments: object, given: bytes = b"", **variables: str) -> Called:
    """Run a command here, on a database that is not open.

    Args:
        arguments: The words of the command line.
        given: The contents of stdin.
        variables: Environment variables.
    """
    runner = CliRunner(env={**dict.fromkeys(CHANGING), **variables}, catch_exceptions=False)
    words = [str(argument) for argument in arguments]
    return await runner.invoke(commands, words, input=given, prog_name="bytes-squads")


async def read_json(*arguments: object, **variables: str) -> Any:
    """Return the JSON of a command that succeeds."""
    result = await run_command(*arguments, "--json", given=b"", **variables)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def list_folder(folder: Path) -> list[Path]:
    """Return the names of a folder's files."""
    return list(folder.iterdir())


async def read_text(*arguments: object, url: str) -> str:
    """Return what a command that succeeds prints for people, each run of spaces as one."""
    result = await run_command(*arguments, DATABASE_URL=url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(line.isprintable() for line in result.stdout.splitlines())
    return " ".join(result.stdout.split())


async def read_error(*arguments: object, code: int = 1, **variables: str) -> str:
    """Return the error of a command that fails, which is one line on stderr."""
    said = set()
    for more in ([], ["--json"]) if "export" not in arguments else ([],):
        result = await run_command(*arguments, *more, given=b"", **variables)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.endswith("\n")
        said.add(result.stderr[len("Error: ") : -1])
    (line,) = said
    assert line.isprintable()
    return line
