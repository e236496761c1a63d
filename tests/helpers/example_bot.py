"""The example bot on a loopback Discord, in a guild with two members, a moderator and a bot."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

import bytes_squads
from bytes_squads import BytesBalance, BytesTransaction, Squad, SquadCreate

from .discord_fake import Answer, FakeDiscord, Member, Role
from .paths import EXAMPLE


def load_example() -> Any:
    """A fresh import of the example, by its path."""
    spec = importlib.util.spec_from_file_location("example_discord_bot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class RunningBot:
    """A guild of the fake Discord with the example bot in it.

    Ada and Bo have 100 bytes each. Nobody is in a squad; there are roles for Owls and Foxes. Mo is
    a moderator, whose role stands above both; the bot's stands above that.
    """

    def __init__(self, fake: FakeDiscord, clock: Callable[[], datetime]) -> None:
        self.fake = fake
        self.owls, self.foxes = fake.role("Owls", position=1), fake.role("Foxes", position=2)
        self.mods = fake.role("Mods", position=500)
        self.summit = fake.role("Summit", position=2000)
        self.ada, self.bo = fake.member("ada"), fake.member("bo")
        self.mo = fake.member("mo", moderator=True, roles=(self.mods,))
        self.robot = fake.member("robot", bot=True)
        self.module = load_example()
        self.ops = self.module.ops = bytes_squads.BytesOperations(clock=clock)
        self.squads = self.module.squads = bytes_squads.SquadOperations(clock=clock)
        self.guilds = self.module.guilds = bytes_squads.GuildOperations(clock=clock)
        self.bot = self.module.EconomyBot()
        self.expected_errors = ""

    async def use(self, path: str, member: Member, /, **options: Any) -> Answer:
        """Use a command and wait for its ephemeral answer."""
        answer = await self.fake.interact(path, member, **options)
        assert answer.ephemeral
        assert answer.allowed_mentions == {"parse": []}
        return answer

    async def open_squad(self, role: Role, **fields: Any) -> Squad:
        """A squad for a role, with its name."""
        guild_id = self.fake.guild.id
        data = SquadCreate(guild_id=guild_id, role_id=role.id, name=role.name, **fields)
        return await self.squads.create_squad(data)

    async def balance(self, member: Member) -> int:
        """Return the member's balance, without creating a member."""
        found = await BytesBalance.get_or_none(
            guild_id=str(self.fake.guild.id), user_id=str(member.id)
        )
        return -1 if found is None else found.balance

    async def squad_of(self, member: Member) -> str | None:
        """The name of the member's squad."""
        squad = await self.squads.get_user_squad(self.fake.guild.id, member.id)
        return None if squad is None else squad.name

    async def ledger(self) -> list[tuple[str, int]]:
        """Kind and amount of every row, the oldest first, without starting balances."""
        rows = await BytesTransaction.exclude(kind="starting").order_by("id")
        return [(row.kind, row.amount) for row in rows]

    def errors_logged(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        """Return the unexpected errors logged by the bot or a library."""
        records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
        errors = [record.getMessage() for record in records if record.levelno >= logging.ERROR]
        return [error for error in errors if not re.fullmatch(self.expected_errors, error)]

    async def check_books(self) -> None:
        """Assert that every balance equals its ledger."""
        report = await self.ops.verify()
        assert report.discrepancies == ()


@asynccontextmanager
async def run_example_bot(clock: Callable[[], datetime]) -> AsyncIterator[RunningBot]:
    """Run the example bot; at the end check the ledger and close the bot."""
    async with FakeDiscord() as fake:
        running_bot = RunningBot(fake, clock)
        async with fake.running(running_bot.bot):
            for member in (running_bot.ada, running_bot.bo):
                await running_bot.ops.get_balance(fake.guild.id, member.id, member.name)
            yield running_bot
            await running_bot.check_books()
