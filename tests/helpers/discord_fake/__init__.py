"""A Discord on loopback, for tests of bots.

Through it an unmodified client of discord.py, py-cord, disnake, nextcord or hikari logs in, syncs
its commands, receives interactions, answers them, and changes members' roles::

    async with FakeDiscord() as fake:  # listens on a free port of 127.0.0.1
        ada, bo = fake.member("ada"), fake.member("bo")
        async with fake.running(bot):  # any discord.Client, in this process
            answer = await fake.interact("/bytes send", ada, to=bo, amount=25)
            print(answer.text, answer.ephemeral, answer.followups)

A bot in a separate process is started with `FakeDiscord.launch`, which runs ``launch.py``.

What goes wrong is up to the test: `FakeDiscord.refuse_role`, `hold_roles`, `drop`, and
``deliveries=2`` of `interact`. What Discord would not accept (a command that is not synced, an
option that is missing or out of range, a message that is too long) is not accepted here either.
"""

from __future__ import annotations

from .interactions import Answer, Interaction
from .server import FakeDiscord
from .world import Member, Role

__all__ = ["Answer", "FakeDiscord", "Interaction", "Member", "Role"]
