"""docs/tutorial.md, done word for word in an empty folder, against a Discord on loopback.

Two things differ from a reader's doing: what `pip install` would install is in the running
environment already, and the token is that of the Discord on loopback. What is said "In Discord" is
said there, and each answer is compared with the page.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.doc_blocks import Block, read_blocks
from helpers.doc_runner import DocRunner, find_missing_library
from helpers.paths import ROOT

pytest.importorskip("aiohttp")
pytest.importorskip("discord")
pytest.importorskip("rich")

from helpers.discord_fake import Answer, FakeDiscord, Member

TUTORIAL = ROOT / "docs" / "tutorial.md"
IN_DISCORD = "In Discord"
START = "python bot.py\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process")


def turns(conversation: str) -> Iterator[tuple[str, str, str]]:
    """Who says which command, and the line that the bot answers with."""
    lines = iter(conversation.splitlines())
    for said in lines:
        name, command = said.split(": ", 1)
        yield name, command, next(lines)


def options(command: str, people: dict[str, Member]) -> tuple[str, dict[str, object]]:
    """A command as it is typed: its path, and its options by name."""
    path, *rest = re.split(r" (?=\w+:)", command)
    found: dict[str, object] = {}
    for option in rest:
        name, value = option.split(":", 1)
        found[name] = people[value[1:]] if value.startswith("@") else int(value)
    return path, found


def shown(answer: Answer, member: Member, people: dict[str, Member]) -> str:
    """An answer as the page shows it: names for mentions, one length for any time from now."""
    text = re.sub(r"<t:\d+:R>", "in 5 hours", answer.text)
    for person in people.values():
        text = text.replace(person.mention, f"@{person.name}")
    return f"bot{f', to {member.name}' if answer.ephemeral else ''}: {text}"


async def converse(
    fake: FakeDiscord, conversation: str, people: dict[str, Member], *, deliveries: int = 1
) -> None:
    """Say what the page says and compare the answers."""
    for name, command, expected in turns(conversation):
        path, given = options(command, people)
        answer = await fake.interact(path, people[name], deliveries=deliveries, **given)
        assert expected == shown(answer, people[name], people)


@pytest.fixture
def reader(tmp_path: Path) -> DocRunner:
    """Someone in an empty folder, who has discord.py and not its stub."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "folder").mkdir()
    doc_runner = DocRunner(tmp_path / "folder", tmp_path / "tools")
    doc_runner.environment["PYTHONPATH"] = str(ROOT)
    doc_runner.environment["DATABASE_URL"] = ""
    return doc_runner


@pytest.mark.parametrize("deliveries", [1, 2], ids=["once", "each click delivered twice"])
async def test_whoever_follows_the_tutorial_has_a_bot_that_pays(
    reader: DocRunner, monkeypatch: pytest.MonkeyPatch, deliveries: int
) -> None:
    """Each file, command and conversation of the page, in its order, has the result it names."""
    page = read_blocks(TUTORIAL)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    async with FakeDiscord() as fake:
        people = {name: fake.member(name) for name in ("ada", "bo")}
        for block, following in zip(page, [*page[1:], None], strict=True):
            if block.code == START:
                assert following is not None
                assert following.caption == IN_DISCORD
                await run_bot(fake, reader, following, people, deliveries)
            elif block.caption != IN_DISCORD:
                assert find_missing_library(block) is None
                reader.run_block(block)
    books = sqlite3.connect(reader.folder / "bytes_squads.db")
    kinds = books.execute("SELECT kind, amount FROM bytes_transactions ORDER BY created_at, id")
    rows = kinds.fetchall()
    books.close()

    assert rows == [("starting", 100), ("daily", 10), ("starting", 100), ("transfer", 25)]


async def run_bot(
    fake: FakeDiscord,
    reader: DocRunner,
    conversation: Block,
    people: dict[str, Member],
    deliveries: int,
) -> None:
    """Start the bot, talk to it, and stop it with Ctrl-C: it ends by itself."""
    bot = reader.folder / "bot.py"
    async with fake.launch(bot, cwd=reader.folder, DATABASE_URL="") as process:
        await fake.until(lambda: fake.rest.commands)
        await converse(fake, conversation.code, people, deliveries=deliveries)
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    if deliveries == 1:  # Discord takes one answer to a click, and the second one is logged
        assert "Traceback" not in output.decode(), output.decode()
