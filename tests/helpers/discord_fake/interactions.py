"""Synced commands, their interactions, and the answers."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

from .world import Guild, Json, Member, Role, snowflake

SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER, ROLE = 1, 2, 3, 4, 5, 6, 8
COMMAND, AUTOCOMPLETE = 2, 4
EPHEMERAL = 1 << 6


@dataclass
class Answer:
    """A message as the member sees it."""

    content: str = ""
    ephemeral: bool = False
    embeds: list[Json] = field(default_factory=list)
    allowed_mentions: Json | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    edits: int = 0
    followups: list[Answer] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The content, then each embed's title and description."""
        parts = [self.content]
        for embed in self.embeds:
            parts += [embed.get("title", ""), embed.get("description", "")]
        return "\n".join(part for part in parts if part)

    def take(self, message: Json) -> None:
        """Replace a message by its JSON."""
        self.content = message.get("content") or ""
        self.embeds = message.get("embeds") or []
        self.allowed_mentions = message.get("allowed_mentions")
        self.files = message.get("files") or {}


class Interaction:
    """One use of a command: the interaction and the answers so far."""

    def __init__(self, payload: Json) -> None:
        self.payload = payload
        self.id = int(payload["id"])
        self.token: str = payload["token"]
        self.sent_at = time.monotonic()
        self.acknowledged = False
        self.answer = Answer()
        self.answered = asyncio.Event()
        self.choices: list[Json] = []


class RefusedHere(AssertionError):
    """The test uses a command in a way that Discord's client would refuse."""


def refusal_of_command(command: Json) -> str:
    """Why Discord would not take this command at a sync; empty when it would."""
    if not re.fullmatch(r"[-_a-z0-9]{1,32}", command["name"]):
        return f"the name {command['name']!r}"
    if not 1 <= len(command["description"]) <= 100:
        return f"the description of {command['name']}"
    options = command.get("options", [])
    if len(options) > 25:
        return f"the number of options of {command['name']}"
    required = [option.get("required", False) for option in options if option["type"] > 2]
    if required != sorted(required, reverse=True):
        return f"an optional option of {command['name']} before a required one"
    return next(filter(None, map(refusal_of_command, options)), "")


def refusal_of_message(message: Json) -> str:
    """Why Discord would not take this message; empty when it would."""
    content, embeds = message.get("content") or "", message.get("embeds") or []
    if not content and not embeds:
        return "an empty message"
    if len(content) > 2000:
        return "a content of more than 2,000 characters"
    for embed in embeds:
        if len(embed.get("title", "")) > 256 or len(embed.get("description", "")) > 4096:
            return "an embed's title or description that is too long"
    return ""


def build(
    commands: list[Json],
    guild: Guild,
    path: str,
    member: Member,
    values: dict[str, Any],
    *,
    focused: str | None = None,
    unchecked: bool = False,
) -> Json:
    """The payload of INTERACTION_CREATE.

    Args:
        commands: The commands as they were synced.
        guild: Where it happens.
        path: The command with its subcommand, such as ``/bytes send``.
        member: Who uses it.
        values: The options' values by name; members and roles as such.
        focused: The option that is being typed, for an autocompletion.
        unchecked: Whether to let through members who would not see the command.
    """
    top, *rest = path.removeprefix("/").split()
    command = _named(commands, top, path)
    needed = int(command.get("default_member_permissions") or 0)
    if member.permissions & needed != needed and not unchecked:
        raise RefusedHere(f"{member.name} does not see {path}")
    data: Json = {"id": command["id"], "name": top, "type": 1}
    inner: Json = data
    for name in rest:
        command = _named(command.get("options", []), name, path)
        inner["options"] = [{"type": command["type"], "name": name}]
        inner = inner["options"][0]
    resolved: Json = {}
    inner["options"] = _options(command, path, values, focused, resolved)
    present = {id_ for id_ in resolved.get("users", {}) if int(id_) in guild.members}
    if "members" in resolved:  # who has left the guild is a user only
        resolved["members"] = {id_: resolved["members"][id_] for id_ in present}
    if resolved:
        data["resolved"] = resolved
    id_ = snowflake()
    return {
        "id": str(id_),
        "application_id": str(guild.bot.id),
        "type": COMMAND if focused is None else AUTOCOMPLETE,
        "token": f"token-{id_}",
        "version": 1,
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "locale": "en-US",
        "channel_id": str(guild.channel_id),
        "channel": guild.channel_json(),
        "member": {**member.json(), "user": member.user_json()},
        "app_permissions": str(guild.bot.permissions),
        "authorizing_integration_owners": {"0": str(guild.id)},
        "context": 0,
        "entitlements": [],
        "attachment_size_limit": 10_485_760,
        "data": data,
    }


def _named(commands: list[Json], name: str, path: str) -> Json:
    for command in commands:
        if command["name"] == name:
            return command
    raise RefusedHere(f"{path} is not among the synced commands")


def _options(
    command: Json, path: str, values: dict[str, Any], focused: str | None, resolved: Json
) -> list[Json]:
    known = {option["name"]: option for option in command.get("options", [])}
    if unknown := values.keys() - known.keys():
        raise RefusedHere(f"{path} has no option {sorted(unknown)}")
    missing = {name for name, option in known.items() if option.get("required")} - values.keys()
    if missing and focused is None:
        raise RefusedHere(f"{path} needs {sorted(missing)}")
    found = []
    for name, value in values.items():
        entry = {"type": known[name]["type"], "name": name, "value": value}
        if name == focused:
            entry["focused"] = True
        else:
            entry["value"] = _value(known[name], f"{path} {name}", value, resolved)
        found.append(entry)
    return found


def _value(option: Json, where: str, value: Any, resolved: Json) -> Any:
    kind = option["type"]
    if kind == USER and isinstance(value, Member):
        resolved.setdefault("users", {})[str(value.id)] = value.user_json()
        resolved.setdefault("members", {})[str(value.id)] = value.json()
        return str(value.id)
    if kind == ROLE and isinstance(value, Role):
        resolved.setdefault("roles", {})[str(value.id)] = value.json()
        return str(value.id)
    if kind == STRING and isinstance(value, str):
        if option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000):
            return value
    elif kind == INTEGER and type(value) is int:
        if option.get("min_value", -(2**53)) <= value <= option.get("max_value", 2**53):
            return value
    elif kind == BOOLEAN and isinstance(value, bool):
        return value
    raise RefusedHere(f"{where} does not take {value!r}")
