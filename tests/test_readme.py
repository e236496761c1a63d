"""The documents keep their word: their Python runs, their links and the tests they name exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = [
    *(path for path in sorted(ROOT.glob("*.md"))),
    *(path for path in sorted(ROOT.glob("docs/**/*.md"))),
]

DISCORD = '''
"""Just enough of discord.py to run a bot: run() calls setup_hook, each command twice, close()."""

import asyncio
from types import SimpleNamespace

from . import app_commands, utils


class Intents:
    @staticmethod
    def default():
        return Intents()


class Response:
    async def send_message(self, text):
        print(text)


class Interaction:
    def __init__(self, number):
        self.id = number
        self.guild_id = 81384788765712384
        self.user = SimpleNamespace(id=80351110224678912, name="ada")
        self.response = Response()


class Client:
    def __init__(self, *, intents):
        assert isinstance(intents, Intents)

    async def setup_hook(self):
        pass

    async def close(self):
        pass

    def run(self, token):
        async def main():
            # As discord.py does it: commands run in tasks that setup_hook did not start.
            await asyncio.create_task(self.setup_hook())
            for command in self.tree.commands:
                for number in (1, 2):
                    await asyncio.create_task(command(Interaction(number)))
            await self.close()

        asyncio.run(main())
'''

APP_COMMANDS = """
class CommandTree:
    def __init__(self, client):
        self.commands = []

    def command(self, *, description):
        def add(callback):
            self.commands.append(callback)
            return callback

        return add

    async def sync(self):
        pass


def guild_only():
    return lambda callback: callback
"""

UTILS = """
def format_dt(moment, style):
    assert moment.tzinfo is not None
    return f"<t:{int(moment.timestamp())}:{style}>"
"""


class Example:
    """A Python block of a document, and what the text block after it says it prints."""

    def __init__(self, path: Path, line: int, code: str, printed: str | None) -> None:
        self.path, self.line, self.code, self.printed = path, line, code, printed

    def __repr__(self) -> str:
        return f"{self.path.name}:{self.line}"


def examples() -> list[Example]:
    """Every Python block of every document."""
    block = re.compile(
        r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE
    )
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found += [
            Example(path, text.count("\n", 0, match.start()) + 1, match[1], match[2])
            for match in block.finditer(text)
        ]
    return found


@pytest.mark.parametrize("example", examples(), ids=repr)
def test_the_python_in_the_documents_runs(example: Example, tmp_path: Path) -> None:
    """Each block is a program of its own, and prints what stands below it."""
    package = tmp_path / "stubs" / "discord"
    package.mkdir(parents=True)
    for name, source in (("__init__", DISCORD), ("app_commands", APP_COMMANDS), ("utils", UTILS)):
        (package / f"{name}.py").write_text(source, encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(example.code, encoding="utf-8")

    result = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={
            **os.environ,
            "DATABASE_URL": "sqlite://:memory:",
            "DISCORD_TOKEN": "x.y.z",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": os.pathsep.join([str(package.parent), str(ROOT)]),
        },
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, "")
    if example.printed is not None:
        assert result.stdout == example.printed
    if "import discord" in example.code:
        first, second = result.stdout.splitlines()
        assert first == "10 bytes, day 1!"
        assert re.fullmatch(r"You have had today's. More <t:\d+:R>.", second)


def test_a_transfer_and_a_claim_stand_in_the_first_thirty_lines() -> None:
    """Whoever opens the README sees running code before anything else."""
    head = "".join(README.read_text(encoding="utf-8").splitlines(keepends=True)[:30])
    assert "\nmake demo\nmake test\n" in head
    assert head.count("create_transaction(") == 1
    assert head.count("claim_daily(") == 1
    assert re.search(r"^```python\n.*?^```\n", head, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Files that a document links to exist, and so do the tests that it names."""
    for text, target in re.findall(
        r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)", path.read_text("utf-8")
    ):
        file = path.parent / target
        assert file.exists(), target
        if text.startswith("`test_"):
            name = text.strip("`")
            assert re.search(rf"^(async )?def {name}\(", file.read_text("utf-8"), re.MULTILINE), (
                name
            )
