"""A guild as a whole, and its people: `GuildOperations`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from ..domain import rules, validation
from ..domain.rules import utc_now
from ..engine._tortoise import from_row
from ..engine.operation import Operation, operation
from ..models import BytesConfig
from ..schemas import MemberExport, RoleChanges
from ..sql import guilds, privacy


class GuildOperations:
    """A guild as a whole, and its people.

    An instance has no state except its clock. Every ``guild_id`` and ``user_id`` is a Discord
    snowflake, as ``str`` or ``int``; anything else raises `InvalidSnowflakeError`. Every operation
    may raise `StorageUnavailableError` (nothing happened) and, when it writes,
    `OutcomeUnknownError`.

    Args:
        clock: Returns the time of operations, timezone-aware.
    """

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    @operation
    async def get_role_changes(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        role_ids: Iterable[str | int],
    ) -> RoleChanges:
        """Return the roles that a member is to be given and those to be taken, in one query.

        A member is due the role of their squad, and each role of the guild's ``role_rewards`` whose
        threshold their ``total_received`` has reached. Only roles of rewards and squads, inactive
        squads included, are taken. A role that is neither is never in the result.

        Args:
            guild_id: The guild.
            user_id: The member; an unknown one is due no role.
            role_ids: The roles that the member has now (snowflakes), in any order.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        current = validation.snowflakes(role_ids)
        row = (await run.fetch(guilds.GET_ROLES, guild, user))[0]
        rewards = from_row(BytesConfig, row).role_rewards or {}
        due = rules.earned_roles(row["total_received"] or 0, rewards)
        due.update((row["own_squad_role"] or "").split())
        given = rewards.keys() | (row["squad_roles"] or "").split()
        return RoleChanges(add=frozenset(due - current), remove=frozenset(current & given - due))

    @operation
    async def export_member(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> MemberExport:
        """Return all that the guild stores of one person, from one snapshot, in one query.

        Usernames of others are left out; their ids are included, as each transfer has one. Reasons
        are free text and returned as they are. Costs O(rows of the guild), and memory for the
        member's rows.

        Args:
            guild_id: The guild.
            user_id: The person; the export of an unknown one is empty, and makes nobody known.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        parts: dict[str, list[Any]] = {}
        for row in await run.fetch(privacy.EXPORT_MEMBER, guild, user):
            parts.setdefault(row["part"], []).append(_parse_part(row["data"]))
        return MemberExport(
            guild_id=guild,
            user_id=user,
            balance=parts.get("balance", [None])[0],
            squad=parts.get("squad", [None])[0],
            transactions=parts.get("transaction", []),
            ordered_as_moderator=parts["ordered"][0],
        )


_TIMES = ("created_at", "updated_at", "last_transfer_at", "left_at", "joined_at")


def _parse_part(data: str | int) -> Any:
    """Return a part of an export: a number, or a row with its times in one form."""
    part = json.loads(str(data))
    if isinstance(part, dict):
        for name in _TIMES:
            # PostgreSQL writes the session's time zone, SQLite a space before the time.
            if part.get(name) is not None:
                part[name] = datetime.fromisoformat(part[name]).astimezone(UTC).isoformat()
    return part
