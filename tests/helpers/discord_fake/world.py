"""What Discord knows: one guild with its members and roles, and how it says so in JSON."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

DISCORD_EPOCH = 1_420_070_400_000
MANAGE_GUILD = 1 << 5
MANAGE_ROLES = 1 << 28
BEGINNING = "2026-01-01T00:00:00+00:00"

Json = dict[str, Any]

PLAIN_GUILD: Json = {
    **dict.fromkeys(("icon", "splash", "banner", "description", "vanity_url_code")),
    **dict.fromkeys(("application_id", "afk_channel_id", "system_channel_id", "rules_channel_id")),
    **dict.fromkeys(("verification_level", "default_message_notifications", "mfa_level"), 0),
    **dict.fromkeys(("explicit_content_filter", "nsfw_level", "premium_tier"), 0),
    **{name: [] for name in ("emojis", "features", "presences", "stickers", "threads")},
    "afk_timeout": 300,
    "joined_at": BEGINNING,
    "large": True,
    "preferred_locale": "en-US",
    "public_updates_channel_id": None,
    "system_channel_flags": 0,
    "voice_states": [],
}
"""What a guild has that nobody has configured; some clients do not take one without it."""

_numbers = itertools.count(1)


def snowflake() -> int:
    """A new id, with the present time in it as Discord does it."""
    return ((time.time_ns() // 1_000_000 - DISCORD_EPOCH) << 22) | (next(_numbers) & 0x3FFFFF)


@dataclass(eq=False)
class Role:
    """A role; the higher its position, the more it may."""

    name: str
    position: int
    id: int = field(default_factory=snowflake)

    def json(self) -> Json:
        return {
            "id": str(self.id),
            "name": self.name,
            "permissions": "0",
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }


@dataclass(eq=False)
class Member:
    """A member of the guild, with the roles that Discord has on record."""

    name: str
    permissions: int = 0
    bot: bool = False
    roles: set[int] = field(default_factory=set)
    id: int = field(default_factory=snowflake)

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def user_json(self) -> Json:
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": None,
            "avatar": None,
            "bot": self.bot,
        }

    def json(self) -> Json:
        """The member without its user, as among the resolved options of a command."""
        return {
            "roles": [str(role) for role in sorted(self.roles)],
            "joined_at": BEGINNING,
            "premium_since": None,
            "permissions": str(self.permissions),
            "nick": None,
            "avatar": None,
            "pending": False,
            "deaf": False,
            "mute": False,
            "flags": 0,
        }


class Guild:
    """The one guild: its channel, its roles and its members, the bot among them."""

    def __init__(self) -> None:
        self.id = snowflake()
        self.channel_id = snowflake()
        self.roles: dict[int, Role] = {}
        self.members: dict[int, Member] = {}
        self.everyone = self.add(Role("@everyone", 0, self.id))
        self.bot_role = self.add(Role("bot", 1000))
        self.bot = self.join(Member("the-bot", MANAGE_ROLES, bot=True, roles={self.bot_role.id}))

    def add(self, role: Role) -> Role:
        self.roles[role.id] = role
        return role

    def join(self, member: Member) -> Member:
        self.members[member.id] = member
        return member

    def channel_json(self) -> Json:
        return {
            "id": str(self.channel_id),
            "guild_id": str(self.id),
            "type": 0,
            "name": "general",
            "position": 0,
            "nsfw": False,
            "parent_id": None,
            "permission_overwrites": [],
            "topic": None,
            "last_message_id": None,
        }

    def json(self) -> Json:
        """What GUILD_CREATE says: of the members only the bot, as in a large guild."""
        return {
            "id": str(self.id),
            "name": "A guild",
            "owner_id": "1",
            "member_count": len(self.members),
            "unavailable": False,
            "roles": [role.json() for role in self.roles.values()],
            "channels": [self.channel_json()],
            "members": [{**self.bot.json(), "user": self.bot.user_json()}],
            **PLAIN_GUILD,
        }
