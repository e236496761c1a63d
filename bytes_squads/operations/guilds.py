"""A guild as a whole, and its people: `GuildOperations`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain import ids, rules, validation
from ..domain.rules import utc_now, wall_time
from ..engine._tortoise import from_row
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation, operation
from ..engine.transaction import execute_in_block, in_transaction
from ..models import BytesConfig
from ..schemas import EconomyStatistics, MemberExport, RoleChanges
from ..sql import guilds, privacy
from ..sql.postings import POST_ENTRY
from ..sql.squads import LEAVE_SQUAD
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
        back does not restore it. Other operations work as usual for a member who left, and do not
        undo it.

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
        """Return the roles to add to a member and those to remove, in one query.

        A member is due the role of their squad, and each role of the guild's ``role_rewards`` whose
        threshold their ``total_received`` has reached. Only roles of rewards and squads, inactive
        squads included, are removed. Other roles are never in the result.

        Args:
            guild_id: The guild.
            user_id: The member; an unknown one is due no role.
            role_ids: The roles that the member has now (snowflakes), in any order.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        current = validation.snowflakes(role_ids)
        row = (await run.fetch(guilds.GET_ROLE_STATE, guild, user))[0]
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
        """Return the guild's economy: present balances, and movements in a period.

        A reversal counts like any row: that of a grant goes to SYSTEM and is retired, that of a
        charge is created. All numbers are of one snapshot.

        Costs O(members + ledger rows in the period), in two queries.

        Args:
            guild_id: The guild.
            since: The first instant of the period, timezone-aware; None for the whole past.
            until: The first instant after the period, timezone-aware; None for no end.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidPageError: An instant is not a timezone-aware datetime, or the period ends before
                it begins.
            StorageError: This machine does not have the guild's time zone.
        """
        guild = validation.snowflake(guild_id)
        begin, end = validation.period(since, until)
        found = (await run.fetch(guilds.GET_LEDGER_PERIOD, guild, begin, end))[0]
        zone, now = claims.zone_of(found), wall_time()
        first, last = (ledger.to_datetime(found[name]) or now for name in ("first", "last"))
        # Entries may be inserted before the next query; their dates have to be among these.
        end = min(end, rules.add(max(last, now), timedelta(days=1)))
        periods = rules.date_periods(first, end, zone)
        stops = [*(start for start, _ in periods[1:]), end]
        limits: dict[date, list[datetime]] = {}
        for (start, day), stop in zip(periods, stops, strict=True):
            limits.setdefault(day, []).extend((start, stop))
        columns = zip(
            *((at[0], at[1], at[-2], at[-1], number) for number, at in enumerate(limits.values())),
            strict=True,
        )
        rows = await run.fetch(guilds.GET_STATISTICS, guild, *map(list, columns))
        return build_statistics(rows, list(limits))

    @operation
    async def export_member(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> MemberExport:
        """Return all stored data of one person in the guild, from one snapshot, in one query.

        Usernames of others are left out; their ids are included. Reasons are unchanged. Costs
        O(rows of the guild), and memory for the member's rows.

        Args:
            guild_id: The guild.
            user_id: The person; the export of an unknown one is empty, and creates no member.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        parts: dict[str, list[Any]] = {}
        for number, row in enumerate(await run.fetch(privacy.EXPORT_MEMBER, guild, user)):
            parts.setdefault(row["part"], []).append(_parse_part(row["data"]))
            if number % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)  # let other tasks run
        return MemberExport(
            guild_id=guild,
            user_id=user,
            balance=parts.get("balance", [None])[0],
            squad=parts.get("squad", [None])[0],
            transactions=parts.get("transaction", []),
            ordered_as_moderator=parts["ordered"][0],
        )

    @operation
    async def erase_member(self, run: Operation, guild_id: str | int, user_id: str | int) -> str:
        """Replace a person's id by a random number everywhere in the guild, all or nothing.

        The member's bytes are retired by a ``charge``, and the seat in a squad is given up. The row
        of `BytesBalance` gets the pseudonym, counts as a member who left, and loses streak and
        dates. In the ledger the pseudonym replaces the id as giver, receiver and actor, and as part
        of a reason, an idempotency key or details. Usernames and reasons are emptied in the rows
        that the member gave or received, and so are the digests of bulk requests that the member
        was part of. Ids, amounts, kinds and times of rows do not change, nor do the sums of others.

        Idempotency keys stay, so that a repeated request from before moves nothing, but raises
        `IdempotencyConflictError` if part of it was erased. A concurrent operation on the member is
        before the erasure, or after it; then the person is a new member, with a starting balance. A
        concurrent order of an erased moderator may keep the id.

        Costs O(rows of the guild's ledger), in the database.

        Args:
            guild_id: The guild.
            user_id: The person. If unknown, as a moderator may be, only the orders are rewritten.

        Returns:
            The pseudonym, 15 digits that Discord has never issued and no member of the guild has.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        now = validation.now(self._clock)
        async with in_transaction() as db:
            pseudonym = await self._draw_pseudonym(db, guild)
            check = CommitCheck(privacy.FIND_ERASURE, (guild, pseudonym), committed_if_absent=False)
            rows = await execute_in_block(db, privacy.LOCK_MEMBER, guild, user, check=check)
            balance: int | None = rows[0]["balance"]
            names = guild, user, pseudonym
            await execute_in_block(db, privacy.REMOVE_DIGESTS, guild, user)
            # Shorter ids, which Discord does not issue, would be found in unrelated numbers.
            text = user if len(user) > len(pseudonym) else ""
            known = balance is not None
            await execute_in_block(db, privacy.ERASE_ENTRIES, *names, text, known)
            if balance is not None:
                await execute_in_block(db, privacy.ERASE_MEMBER, *names, now, wall_time())
                if balance:
                    charge = ledger.new_entry(
                        run,
                        "charge",
                        guild_id=guild,
                        giver_id=pseudonym,
                        giver_username="",
                        amount=balance,
                        created_at=now,
                    )
                    charge.id = run.draw_ids(3)[1]
                    content = ledger.post_entry_parameters(charge)
                    await ledger.post_in_block(
                        db, POST_ENTRY, (*ledger.entry_parameters(charge), *content), check
                    )
            if await execute_in_block(db, privacy.ERASE_MEMBERSHIP, *names):
                leave = ledger.new_entry(
                    run,
                    "squad",
                    guild_id=guild,
                    giver_id=pseudonym,
                    giver_username="",
                    created_at=now,
                )
                await ledger.post_in_block(db, LEAVE_SQUAD, ledger.entry_parameters(leave), check)
        return pseudonym

    async def _draw_pseudonym(self, db: BaseDBAsyncClient, guild: str) -> str:
        """Return a pseudonym that the guild does not have."""
        for _ in range(ledger.IMMEDIATE_ATTEMPTS):
            pseudonym = ids.draw_pseudonym()
            rows = await execute_in_block(db, privacy.FIND_USER, guild, pseudonym)
            if not rows[0]["is_used"]:
                return pseudonym
        raise TransientError("every random pseudonym is in use")  # pragma: no cover

    @operation
    async def delete_guild(self, run: Operation, guild_id: str | int) -> None:
        """Delete every row of a guild: members, ledger, squads, memberships and config.

        Idempotency keys are deleted with their rows. It executes one statement for each table, and
        locks the guild's squads and members until the commit; other guilds are not affected. A
        concurrent operation on the guild is deleted with it, or begins a new guild after it. A
        guild without rows is no error.

        If the connection breaks during COMMIT, the deletion is repeated only if rows from before
        are there: a guild that was begun since is not deleted. If that cannot be found out, in a
        caller's block or for a guild with squads only, it is `OutcomeUnknownError`.

        Args:
            guild_id: The guild.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
        """
        guild = validation.snowflake(guild_id)
        async with in_transaction() as db:
            rows = await execute_in_block(db, privacy.LOCK_GUILD, guild)
            check = _deletion_check(run, guild, rows[0])
            for _ in range(ledger.IMMEDIATE_ATTEMPTS):
                for statement in privacy.DELETE_ROWS:
                    await execute_in_block(db, statement, guild)
                # A new member may have been committed in between, or the entry of one.
                rows = await execute_in_block(db, privacy.HAS_ROWS, guild, check=check)
                if not rows[0]["has_rows"]:
                    return
            raise TransientError("the database stayed in conflict with other operations")


def _deletion_check(run: Operation, guild: str, before: Mapping[str, Any]) -> CommitCheck:
    """Return the commit check of a deletion, which looks for rows that were there before.

    If one is there, the deletion was not committed. If none is, the guild was deleted, perhaps by
    another request. That is enough for this operation alone, but not for the other statements of a
    caller's block. A missing squad proves nothing: it may have been deleted alone.
    """
    keys = tuple(before[name] for name in ("member_id", "entry_id", "config_created_at"))
    squad_id = before["squad_id"]
    conclusive = not run.is_nested and (squad_id is None or any(key is not None for key in keys))
    return CommitCheck(
        privacy.FIND_DELETED_ROWS,
        (guild, *keys, squad_id),
        committed_if_found=False,
        committed_if_absent=True if conclusive else None,
    )


_ROWS_AT_ONCE = 1_000
"""Rows of an export that are parsed before other tasks run."""

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
