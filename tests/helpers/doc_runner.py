"""Run the blocks of a document in a separate folder.

Files are written, programs and commands run, from top to bottom. Two things differ from what
a person does. What is installed has to be there already (`needs`): `python -m venv` and
`pip install` do nothing. And a command that belongs to a checkout (make, the python of its virtual
environment) is looked at rather than run: make says what it would do.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from .doc_blocks import Block
from .paths import ROOT, TESTS

SECONDS = 120
STUBS = TESTS / "docs" / "stubs"

VENV = """
if [ "$1 $2" = "-m venv" ]; then
    case "$3" in /*) echo "not outside this folder: $3" >&2; exit 1;; esac
    mkdir -p "$3/bin" && : > "$3/bin/activate"
    cp "$SHIMS/pip" "$3/bin/pip" && cp "$SHIMS/checked-python" "$3/bin/python"
    exit
fi
exec "$PYTHON" "$@"
"""
OTHER_PROGRAMS = ("createdb", "journalctl", "pg_dump", "pg_restore", "podman", "sudo")
"""Programs that are not Python packages; only the shell looks at their commands."""

SHIMS = {
    "python": VENV,
    "python3": VENV,
    "pip": "exit 0",  # see `needs`
    "checked-python": 'exec "$PYTHON" "$SHIMS/module.py" "$@"',
    "bytes-squads": 'exec "$PYTHON" -m bytes_squads "$@"',
    "aerich": 'exec "$PYTHON" -m aerich "$@"',
    "pytest": 'exec "$PYTHON" -m pytest "$@"',
    "make": 'exec "$MAKE" --dry-run --directory="$CHECKOUT" "$@"',
    **dict.fromkeys(OTHER_PROGRAMS, "exit 0"),
}
"""What stands in for a command, so that it is this checkout's, or harmless."""

INSTRUCTIONS = {"FROM", "WORKDIR", "RUN", "COPY", "USER", "ENV", "VOLUME", "STOPSIGNAL", "CMD"}
"""Those of a container's file that the documents use."""

NEEDED = {"bytes-squads ": "rich", "aerich migrate": "tomli_w"}
"""What a command needs beside the libraries that a bot has."""

MODULE = """
import importlib.util, pathlib, sys
if sys.argv[1:2] == ["-m"]:
    assert importlib.util.find_spec(sys.argv[2]), sys.argv[2]
    for word in sys.argv[3:]:
        assert "/" not in word or pathlib.Path(r"%s", word.split("::")[0]).exists(), word
"""

NOT_REALLY_RUN = re.compile(r"(?m)^ *(make|\.venv/bin/\w+|pip|\S+/pip|python3 -m venv) ")


class DocRunner:
    """Runs a document.

    Args:
        folder: Where; empty, or a copy of the checkout.
        tools: The folder for the substitutes of commands.
    """

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        for name, script in SHIMS.items():
            (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (tools / name).chmod(0o755)
        (tools / "module.py").write_text(MODULE % ROOT, encoding="utf-8")
        python = folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        shutil.copy(tools / "checked-python", python)
        (python.parent / "activate").touch()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "CHECKOUT": str(ROOT),
            "DATABASE_URL": "sqlite://:memory:",
            "DISCORD_TOKEN": "x.y.z",
            "MAKE": shutil.which("make") or "true",
            "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
            "PYTHON": sys.executable,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": os.pathsep.join([str(folder), str(STUBS), str(ROOT)]),
            "SHIMS": str(tools),
        }
        if not metadata.entry_points(group="pytest11", name="bytes_squads"):  # not installed
            self.environment["PYTEST_PLUGINS"] = "bytes_squads.testing"

    def run_block(self, block: Block) -> str:
        """Run a block, compare its output with the documented one, and return it."""
        if block.not_run:
            return ""
        if block.file:
            with (self.folder / block.file).open("a" if block.more else "w") as file:
                file.write(f"\n\n{block.code}" if block.more else block.code)
        getattr(self, f"_{block.language}", self._unknown)(block)
        if block.file or block.language not in {"python", "sh"}:
            return ""
        program = [sys.executable, "-c", block.code] if block.language == "python" else None
        result = subprocess.run(
            program or ["/bin/sh", "-euc", block.code],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        said = f"{block}\n{result.stdout}\n{result.stderr}"
        assert (result.returncode, result.stderr) == (0, ""), said
        if block.printed is not None and not NOT_REALLY_RUN.search(block.code):
            assert result.stdout == block.printed, str(block)
        return result.stdout

    def _python(self, block: Block) -> None:
        compile(block.code, str(block), "exec")

    def _sh(self, block: Block) -> None:
        """Run the block in a shell."""

    def _powershell(self, block: Block) -> None:
        """A test compares it with the block for other shells, see `translate_to_powershell`."""

    def _text(self, block: Block) -> None:
        """Text is not run."""

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.code)

    def _ini(self, block: Block) -> None:
        configparser.ConfigParser(interpolation=None).read_string(block.code)

    def _docker(self, block: Block) -> None:
        """Each line is an instruction, and the last one is a list."""
        lines = block.code.splitlines()
        assert {line.split()[0] for line in lines} <= INSTRUCTIONS, str(block)
        assert json.loads(lines[-1].partition("CMD ")[2]), str(block)

    def _json(self, block: Block) -> None:
        json.loads(block.code)

    def _unknown(self, block: Block) -> None:
        raise AssertionError(f"{block}: cannot run {block.language or 'this'}")


def translate_to_powershell(code: str) -> str:
    """Return the commands of a block of `sh` as they are typed into PowerShell on Windows."""
    for pattern, replacement in (
        (r"(?m)^python3 -m venv ", "py -m venv "),
        (r"(?m)^\. (\S+)/bin/activate$", r"\1\\Scripts\\Activate.ps1"),
        (r"(?m)^export (\w+)=", r"$env:\1 = "),
    ):
        code = re.sub(pattern, replacement, code)
    return code


def find_missing_library(block: Block) -> str | None:
    """A library that a block installs, or that a command of it needs, and that is not there."""
    if block.language != "sh":
        return None
    wanted = [library for command, library in NEEDED.items() if command in block.code]
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "install" in words[1:] and words[0].endswith("pip"):
            wanted += words[words.index("install") + 1 :]
    return next((library for library in wanted if not is_installed(library)), None)


def is_installed(requirement: str) -> bool:
    """Return whether a package of pip's name is installed, or can be imported."""
    match = re.match(r"[\w.-]+", requirement)
    if match is None or requirement.startswith(("-", ".")):
        return True  # an option, or a checkout's folder
    if any(metadata.distributions(name=match[0])):
        return True
    return match[0].isidentifier() and importlib.util.find_spec(match[0]) is not None
