"""Following a page about a bot: its files, commands and Discord conversations."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

from .discord_fake import Answer, FakeDiscord, Member
from .doc_blocks import Block, read_blocks
from .doc_runner import DocRunner
from .paths import ROOT

IN_DISCORD = "In Discord"
START = "python bot.py\n"


async def follow_page(
    page: Path,
    reader: DocRunner,
    *,
    library: str = "discord",
    path: Path | None = None,
    deliveries: int = 1,
) -> None:
    """Run a page from top to bottom, and compare the bot's answers with it.

    Args:
        page: The page.
        reader: Who does it.
        library: What the bot imports.
        path: Where the library is, if not in the environment.
        deliveries: How often Discord delivers each click.
    """
    blocks = read_blocks(page)
    async with FakeDiscord() as fake:
        people = {name: fake.member(name) for name in ("ada", "bo")}
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block.code == START:
                assert following is not None
                assert following.caption == IN_DISCORD
                environment = {
                    "DATABASE_URL": "",
                    "PYTHONPATH": os.pathsep.join([*([str(path)] if path else []), str(ROOT)]),
                }
                await run_bot(
                    fake, reader.folder, following, people, library, environment, deliveries
                )
            elif block.caption != IN_DISCORD:
                reader.run_block(block)


def turns(conversation: str) -> Iterator[tuple[str, str, str]]:
    """The member, command and answer of each turn."""
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
    """Send the page's commands and compare the answers."""
    for name, command, expected in turns(conversation):
        path, given = options(command, people)
        answer = await fake.interact(path, people[name], deliveries=deliveries, **given)
        assert expected == shown(answer, people[name], people)


async def run_bot(
    fake: FakeDiscord,
    folder: Path,
    conversation: Block,
    people: dict[str, Member],
    library: str,
    environment: dict[str, str],
    deliveries: int,
) -> None:
    """Start the bot, talk to it, and stop it with Ctrl-C: it ends by itself."""
    bot = folder / "bot.py"
    async with fake.launch(bot, cwd=folder, library=library, **environment) as process:
        await fake.until(lambda: fake.rest.commands)
        await converse(fake, conversation.code, people, deliveries=deliveries)
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    if deliveries == 1:  # Discord takes one answer to a click, and the second one is logged
        assert "Traceback" not in output.decode(), output.decode()
