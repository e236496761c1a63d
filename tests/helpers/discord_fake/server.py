"""The fake server and its controls for tests."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from . import launch
from .gateway import Gateway
from .interactions import Answer, Interaction, build
from .rest import Rest
from .world import MANAGE_GUILD, MANAGE_ROLES, Guild, Json, Member, Role

if TYPE_CHECKING:
    import discord


class FakeDiscord:
    """Discord on loopback, see the package's docstring.

    Args:
        ack_seconds: Within what time an interaction must be acknowledged. Discord gives 3 seconds;
            here there is no limit unless a test sets one, because a test's machine may be slow.

    Attributes:
        token: What a bot logs in with.
        url: Where it listens.
        guild: The guild, with ``id``, ``members`` and ``roles``.
        rest: With ``commands``, what the bot synced, and ``requests``, every call so far.
        gateway: With the counts ``identified`` and ``resumed``.
    """

    def __init__(self, *, ack_seconds: float = float("inf")) -> None:
        self.url = ""
        self.guild = Guild()
        # As at Discord, the first part of the token is the bot's id.
        self.token = f"{base64.b64encode(str(self.guild.bot.id).encode()).decode()}.fake.token"
        self.rest = Rest(self.token, self.guild, ack_seconds)
        self.gateway = Gateway(self.token)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self.rest.recorded])
        app.add_routes([*self.rest.routes(), web.get("/gateway/", self._connect)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.rest.roles_open.set()
        await self.gateway.drop(forget=True)
        await self._runner.cleanup()

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        ready = {
            "v": 10,
            "user": {
                **self.guild.bot.user_json(),
                "mfa_enabled": False,
                "verified": True,
                "email": None,
                "locale": "en-US",
                "flags": 0,
            },
            "application": {"id": str(self.guild.bot.id), "flags": 0},
            "guilds": [{"id": str(self.guild.id), "unavailable": True}],
            "resume_gateway_url": launch.gateway_url(self.url),
        }
        greeting = [("READY", ready), ("GUILD_CREATE", self.guild.json())]
        return await self.gateway.serve(request, greeting)

    # What a test can do ---------------------------------------------------------------------------

    def member(
        self, name: str, *, moderator: bool = False, bot: bool = False, roles: tuple[Role, ...] = ()
    ) -> Member:
        """A new member of the guild; a moderator may manage the guild and its roles."""
        permissions = MANAGE_GUILD | MANAGE_ROLES if moderator else 0
        return self.guild.join(Member(name, permissions, bot, {role.id for role in roles}))

    def role(self, name: str, *, position: int = 1) -> Role:
        """A new role, to be made before the bot logs in; the bot's own has position 1,000."""
        return self.guild.add(Role(name, position))

    def refuse_role(self, role: Role, status: int = 403) -> None:
        """Answer each change of this role with 403, 404 or 503 from now on; 204 allows it again."""
        self.rest.refused[role.id] = status

    @contextmanager
    def hold_roles(self, given: Role | None = None) -> Iterator[None]:
        """Keep every change of a role waiting inside the block, or only the giving of one."""
        self.rest.held_role = given.id if given else None
        self.rest.roles_open.clear()
        try:
            yield
        finally:
            self.rest.roles_open.set()

    async def drop(self, *, forget: bool = False) -> None:
        """Break the gateway's connection; the bot resumes, or with ``forget`` has to identify."""
        await self.gateway.drop(forget=forget)

    @contextmanager
    def redirected(self) -> Iterator[None]:
        """Make the discord.py of this process talk to this Discord."""
        with launch.redirected(self.url):
            yield

    @asynccontextmanager
    async def running(self, client: discord.Client) -> AsyncIterator[None]:
        """Run a bot in this process: connected when the block begins, closed after it."""
        with self.redirected():
            work = asyncio.create_task(client.start(self.token))
            try:
                await self.until(lambda: self.gateway.connected or work.done())
                if work.done():
                    await work
                yield
            finally:
                await client.close()
                await asyncio.wait([work])
        await work

    @asynccontextmanager
    async def launch(
        self,
        script: Path,
        *,
        cwd: Path | None = None,
        library: str = "discord",
        **env: str,
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a bot's script in a process of its own, with ``DISCORD_TOKEN`` and ``env`` set.

        Connected when the block begins; afterwards killed, if it still runs. Its standard output
        and error are one pipe.

        Args:
            script: The bot's file.
            cwd: The folder in which it runs.
            library: What it imports, one of `launch.LIBRARIES`.
            env: More variables of its environment.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, launch.__file__, library, self.url, str(script)),
            cwd=cwd,
            env={**os.environ, "DISCORD_TOKEN": self.token, **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await self.until(lambda: self.gateway.connected or process.returncode is not None)
            if process.returncode is not None:
                output, _ = await process.communicate()
                raise AssertionError(f"the bot has ended:\n{output.decode()}")
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def send(
        self,
        path: str,
        member: Member,
        /,
        *,
        deliveries: int = 1,
        unchecked: bool = False,
        **options: Any,
    ) -> Interaction:
        """Use a command without waiting for the answer; see `interact`."""
        commands = self.rest.commands
        payload = build(commands, self.guild, path, member, options, unchecked=unchecked)
        return await self._send(payload, deliveries)

    async def answer(self, interaction: Interaction, seconds: float = 60) -> Answer:
        """Wait for the answer to an interaction: something to read, not only "thinking…"."""
        async with asyncio.timeout(seconds):
            await interaction.answered.wait()
        return interaction.answer

    async def interact(self, path: str, member: Member, /, **options: Any) -> Answer:
        """Use a command and wait for the answer.

        Args:
            path: The command with its subcommand, such as ``/bytes send``.
            member: Who uses it.
            deliveries: How often the bot is told of it.
            unchecked: Whether to let through members who would not see the command.
            options: The command's options by name; members and roles as such.

        Returns:
            What the member sees: ``content``, ``ephemeral``, ``embeds``, ``text`` (all there is to
            read), and ``followups``, which may still grow.
        """
        return await self.answer(await self.send(path, member, **options))

    async def complete(self, path: str, member: Member, option: str, typed: str = "") -> Json:
        """Type into an option and wait for what the bot proposes: values by name."""
        commands, values = self.rest.commands, {option: typed}
        payload = build(commands, self.guild, path, member, values, focused=option)
        interaction = await self._send(payload, 1)
        await self.answer(interaction)
        return {choice["name"]: choice["value"] for choice in interaction.choices}

    async def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  # conditions of every kind
                await asyncio.sleep(0.005)

    async def _send(self, payload: Json, deliveries: int) -> Interaction:
        interaction = Interaction(payload)
        self.rest.interactions[interaction.token] = interaction
        for _ in range(deliveries):
            await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return interaction
