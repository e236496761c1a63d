"""The REST routes that a bot needs, and a record of the calls."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from .interactions import (
    EPHEMERAL,
    Answer,
    Interaction,
    refusal_of_command,
    refusal_of_message,
)
from .launch import gateway_url
from .world import BEGINNING, Guild, Json, Member, snowflake

CHANNEL_MESSAGE, DEFERRED, CHOICES = 4, 5, 8


class Rest:
    """Discord's REST interface.

    Attributes:
        commands: What the bot synced.
        interactions: Those that were sent to the bot, by token.
        requests: Every call so far, as ``"METHOD /path"``.
        refused: The status to answer changes of a role with, by the role's id.
        roles_open: Changes of roles wait for it; with ``held_role`` only giving that one does.
        acknowledges_again: Take every acknowledgement of an interaction, where Discord takes one.
    """

    def __init__(self, token: str, guild: Guild, ack_seconds: float) -> None:
        self.token = token
        self.guild = guild
        self.ack_seconds = ack_seconds
        self.commands: list[Json] = []
        self.interactions: dict[str, Interaction] = {}
        self.requests: list[str] = []
        self.refused: dict[int, int] = {}
        self.roles_open = asyncio.Event()
        self.roles_open.set()
        self.held_role: int | None = None
        self.acknowledges_again = False

    def routes(self) -> list[web.RouteDef]:
        commands = "/api/applications/{application}/commands"
        original = "/api/webhooks/{application}/{token}/messages/@original"
        role = "/api/guilds/{guild}/members/{member}/roles/{role}"
        return [
            web.get("/api/gateway", self._gateway),
            web.get("/api/gateway/bot", self._gateway),
            web.get("/api/users/@me", self._me),
            web.get("/api/soundboard-default-sounds", self._none),
            web.get("/api/oauth2/applications/@me", self._application),
            web.get(commands, self._commands),
            web.put(commands, self._sync),
            web.post(commands, self._create),
            web.get("/api/applications/{application}/guilds/{guild}/commands", self._none),
            web.put("/api/applications/{application}/guilds/{guild}/commands", self._sync),
            web.post("/api/interactions/{id}/{token}/callback", self._callback),
            web.get(original, self._original),
            web.patch(original, self._edit),
            web.delete(original, self._delete),
            web.post("/api/webhooks/{application}/{token}", self._followup),
            web.put(role, self._role),
            web.delete(role, self._role),
        ]

    @web.middleware
    async def recorded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        # Interactions carry their own token; everything else wants the bot's.
        own = ("/gateway/", "/api/interactions/", "/api/webhooks/")
        authorization = request.headers.get("Authorization")
        if authorization != f"Bot {self.token}" and not request.path.startswith(own):
            return _error(401, 0, "401: Unauthorized")
        response: web.StreamResponse = await handler(request)
        return response

    async def _me(self, request: web.Request) -> web.Response:
        return _json(self.guild.bot.user_json())

    async def _application(self, request: web.Request) -> web.Response:
        return _json(
            {
                "id": str(self.guild.bot.id),
                "name": self.guild.bot.name,
                "icon": None,
                "description": "",
                "bot_public": True,
                "bot_require_code_grant": False,
                "verify_key": "",
                "owner": Member("owner").user_json(),
                "flags": 0,
                "approximate_guild_count": 1,
                "approximate_user_install_count": 0,
            }
        )

    async def _gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        url = gateway_url(f"{request.scheme}://{request.host}")
        return _json({"url": url, "shards": 1, "session_start_limit": limit})

    async def _commands(self, request: web.Request) -> web.Response:
        return _json(self.commands)

    async def _none(self, request: web.Request) -> web.Response:
        return _json([])

    async def _sync(self, request: web.Request) -> web.Response:
        commands = await request.json()
        if refused := next(filter(None, map(refusal_of_command, commands)), ""):
            return _error(400, 50035, f"Invalid Form Body: {refused}")
        self.commands = [self._stored(command) for command in commands]
        return _json(self.commands)

    async def _create(self, request: web.Request) -> web.Response:
        command = await request.json()
        if refused := refusal_of_command(command):
            return _error(400, 50035, f"Invalid Form Body: {refused}")
        self.commands.append(self._stored(command))
        return _json(self.commands[-1])

    def _stored(self, command: Json) -> Json:
        return {
            "id": str(snowflake()),
            "application_id": str(self.guild.bot.id),
            "version": "1",
            "type": 1,
            "guild_id": None,
            "default_member_permissions": None,
            **command,
        }

    async def _callback(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or self._too_late(interaction):
            return _error(404, 10062, "Unknown interaction")
        if interaction.acknowledged and not self.acknowledges_again:
            return _error(400, 40060, "Interaction has already been acknowledged.")
        body = await _read(request)
        kind, data = body["type"], body.get("data") or {}
        if kind == CHANNEL_MESSAGE and (refused := refusal_of_message(data)):
            return _error(400, 50035, f"Invalid Form Body: {refused}")
        interaction.acknowledged = True
        interaction.answer.ephemeral = bool(data.get("flags", 0) & EPHEMERAL)
        if kind == CHANNEL_MESSAGE:
            interaction.answer.take(data)
        elif kind == CHOICES:
            if len(data["choices"]) > 25 or any(
                not 1 <= len(choice["name"]) <= 100 for choice in data["choices"]
            ):
                return _error(400, 50035, "Invalid Form Body: the choices")
            interaction.choices = data["choices"]
        if kind != DEFERRED:
            interaction.answered.set()
        answer = {"id": str(interaction.id), "type": interaction.payload["type"]}
        return _json({"interaction": {**answer, "response_message_loading": kind == DEFERRED}})

    def _too_late(self, interaction: Interaction) -> bool:
        return time.monotonic() - interaction.sent_at > self.ack_seconds

    async def _edit(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or not interaction.acknowledged:
            return _error(404, 10008, "Unknown Message")
        body = await _read(request)
        if refused := refusal_of_message(body):
            return _error(400, 50035, f"Invalid Form Body: {refused}")
        interaction.answer.take(body)
        interaction.answer.edits += 1
        interaction.answered.set()
        return self._message(interaction.answer)

    async def _original(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or not interaction.acknowledged:
            return _error(404, 10008, "Unknown Message")
        return self._message(interaction.answer)

    async def _delete(self, request: web.Request) -> web.Response:
        interaction = self.interactions[request.match_info["token"]]
        interaction.answer.take({})
        return web.Response(status=204)

    async def _followup(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None or not interaction.acknowledged:
            return _error(404, 10015, "Unknown Webhook")
        body = await _read(request)
        if refused := refusal_of_message(body):
            return _error(400, 50035, f"Invalid Form Body: {refused}")
        first = interaction.answer
        if not interaction.answered.is_set():
            # The first one after "thinking…" takes its place, and is seen by whom that was.
            first.take(body)
            interaction.answered.set()
            return self._message(first)
        answer = Answer(ephemeral=bool(body.get("flags", 0) & EPHEMERAL))
        answer.take(body)
        first.followups.append(answer)
        return self._message(answer)

    def _message(self, answer: Answer) -> web.Response:
        return _json(
            {
                "id": str(snowflake()),
                "channel_id": str(self.guild.channel_id),
                "author": self.guild.bot.user_json(),
                "type": 0,
                "content": answer.content,
                "embeds": answer.embeds,
                "attachments": [],
                "pinned": False,
                "tts": False,
                "mention_everyone": False,
                "mentions": [],
                "mention_roles": [],
                "timestamp": BEGINNING,
                "edited_timestamp": None,
                "flags": EPHEMERAL if answer.ephemeral else 0,
            }
        )

    async def _role(self, request: web.Request) -> web.Response:
        member = self.guild.members.get(int(request.match_info["member"]))
        role = int(request.match_info["role"])
        if self.held_role is None or (self.held_role == role and request.method == "PUT"):
            await self.roles_open.wait()
        status = self.refused.get(role, 204 if role in self.guild.roles else 404)
        if member is None:
            return _error(404, 10007, "Unknown Member")
        if status == 403:
            return _error(403, 50013, "Missing Permissions")
        if status == 404:
            return _error(404, 10011, "Unknown Role")
        if status != 204:
            return _error(status, 0, "Something is wrong at Discord")
        if request.method == "PUT":
            member.roles.add(role)
        else:
            member.roles.discard(role)
        return web.Response(status=204)


async def _read(request: web.Request) -> Json:
    """Return a message's JSON, a form's field if there could be files, and these as ``files``."""
    if request.content_type == "application/json":
        found: Json = await request.json()
    else:
        form = await request.post()
        found = json.loads(str(form["payload_json"]))
        parts = [part for part in form.values() if isinstance(part, web.FileField)]
        found["files"] = {part.filename: part.file.read() for part in parts}
    return found


def _json(data: Any) -> web.Response:
    # Exactly this header: with a charset in it discord.py takes the answer for text.
    headers = {"Content-Type": "application/json"}
    return web.Response(body=json.dumps(data).encode(), headers=headers)


def _error(status: int, code: int, message: str) -> web.Response:
    response = _json({"code": code, "message": message})
    response.set_status(status)
    return response
