"""A guild as a whole, and its people: `GuildOperations`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from ..domain import rules, validation
from ..domain.rules import utc_now, wall_time
from ..engine._tortoise import from_row
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation, operation
from ..models import BytesConfig
from ..schemas import EconomyStatistics, RoleChanges
from ..sql import guilds
from . import claims, ledger
from .statistics import build_statistics


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

    @operation
    async def get_statistics(
        self,
        run: Operation,
        guild_id: str | int,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> EconomyStatistics:
        """Return the guild's economy: what members have, and what moved in a period.

        Balances are those of now, movements those of the ledger rows in the period. A reversal
        counts like any row: that of a grant goes to SYSTEM and is retired, that of a charge is
        created. All numbers are of one snapshot.

        Costs O(members + ledger rows in the period), in two queries.

        Args:
            guild_id: The guild.
            since: The first instant of the period, timezone-aware; None for the whole past.
            until: The first instant after the period, timezone-aware; None for no end.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidPageError: An instant is not a timezone-aware datetime, or the period ends before
                it begins.
            StorageError: This machine does not know the guild's time zone.
        """
        guild = validation.snowflake(guild_id)
        begin, end = validation.period(since, until)
        found = (await run.fetch(guilds.GET_LEDGER_PERIOD, guild, begin, end))[0]
        zone, now = claims.zone_of(found), wall_time()
        first, last = (_to_datetime(found[name]) or now for name in ("first", "last"))
        # Entries may be inserted before the next query; their dates have to be among these.
        end = min(end, rules.add(max(last, now), timedelta(days=1)))
        periods = rules.date_periods(first, end, zone)
        dates = list(dict.fromkeys(day for _, day in periods))
        numbers = {day: number for number, day in enumerate(dates)}
        rows = await run.fetch(
            guilds.GET_STATISTICS,
            guild,
            first,
            end,
            [start for start, _ in periods],
            [numbers[day] for _, day in periods],
        )
        return build_statistics(rows, dates)


def _to_datetime(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
