"""A guild as a whole, and its people: `GuildOperations`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ..domain import rules, validation
from ..domain.rules import utc_now, wall_time
from ..engine._tortoise import from_row
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation, operation
from ..models import BytesConfig
from ..schemas import RoleChanges
from ..sql import guilds
from . import ledger


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
    async def set_member_left(
        self, run: Operation, guild_id: str | int, user_id: str | int, left: bool = True
    ) -> bool:
        """Record that a member left the Discord guild, or is there again.

        A member who left keeps balance and ledger, and is in no leaderboard, rank, count or
        standing. Their seat in a squad is given up, as by `SquadOperations.leave_squad`; coming
        back does not restore it. Nothing else undoes it: bytes that they send, receive or claim
        meanwhile count as usual, and a squad that they join gives them a seat.

        Repeating it changes nothing: ``left_at`` stays the time of the first call.

        Args:
            guild_id: The guild.
            user_id: The member; an unknown one stays unknown.
            left: Whether the member left; False if the member is there.

        Returns:
            Whether the member is known.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        now = validation.now(self._clock)
        entry = ledger.new_entry(
            run, "squad", guild_id=guild, giver_id=user, giver_username="", created_at=now
        )
        for _ in range(ledger.IMMEDIATE_ATTEMPTS):
            saved_at = wall_time()
            if left:
                verdict = await ledger.post(run, guilds.LEAVE_GUILD, entry, saved_at)
                if verdict["outcome"] == "done":
                    return True
            check = CommitCheck(guilds.GET_MARKED_MEMBER, (guild, user, saved_at))
            rows = await run.execute(
                guilds.MARK_MEMBER, guild, user, now if left else None, saved_at, check=check
            )
            if rows[0]["outcome"] != "in_squad":  # otherwise the member joined one in between
                return bool(rows[0]["outcome"] != "unknown_member")
        raise TransientError("the database stayed in conflict with other operations")

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
