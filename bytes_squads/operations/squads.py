"""A guild's squads: `SquadOperations`. Joining costs bytes, through the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from ..domain import validation
from ..domain.errors import IdempotencyConflictError, SquadNotFoundError, SquadRoleTakenError
from ..domain.rules import utc_now, wall_time
from ..engine._tortoise import from_row
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import UniqueConflictError
from ..engine.operation import Operation, operation
from ..models import BytesTransaction, Squad, SquadMembership
from ..schemas import SquadCreate, SquadStanding, SquadSummary, SquadUpdate, check_input
from ..sql import squads
from ..sql.queries import join_halves
from ..sql.statement import PostingStatement
from . import ledger


class SquadOperations:
    """A guild's squads: create, join, switch, leave, compare.

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
    async def create_squad(self, run: Operation, data: SquadCreate) -> Squad:
        """Create a squad.

        Args:
            data: The squad's fields.

        Raises:
            SquadRoleTakenError: Another squad of the guild has this role.
            InvalidInputError: The data is invalid.
        """
        data = check_input(SquadCreate, data)
        guild, squad_id, saved_at = str(data.guild_id), run.draw_ids(1)[0], wall_time()
        rows = await run.execute(
            squads.INSERT_SQUAD,
            squad_id,
            guild,
            str(data.role_id),
            data.name,
            data.description,
            data.switch_cost,
            data.max_members,
            data.is_active,
            saved_at,
            check=CommitCheck(squads.GET_SQUAD, (guild, squad_id)),
        )
        if not rows:
            raise SquadRoleTakenError(str(data.role_id))
        return from_row(Squad, rows[0])

    @operation
    async def get_squad(self, run: Operation, guild_id: str | int, squad_id: UUID | str) -> Squad:
        """Return a squad of the guild.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is not a valid snowflake.
        """
        return await self._get_squad(
            run, validation.snowflake(guild_id), validation.squad_id(squad_id)
        )

    async def _get_squad(self, run: Operation, guild: str, squad: UUID) -> Squad:
        rows = await run.fetch(squads.GET_SQUAD, guild, squad)
        if not rows:
            raise SquadNotFoundError(squad)
        return from_row(Squad, rows[0])

    @operation
    async def update_squad(
        self, run: Operation, guild_id: str | int, squad_id: UUID | str, changes: SquadUpdate
    ) -> Squad:
        """Change the given fields; concurrent changes of other fields are kept.

        Args:
            guild_id: The guild.
            squad_id: The squad.
            changes: The fields to change.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadRoleTakenError: Another squad of the guild has the new role.
            InvalidSnowflakeError: The guild's id is not a valid snowflake.
            InvalidInputError: The changes are invalid.
        """
        guild, squad = validation.snowflake(guild_id), validation.squad_id(squad_id)
        given = check_input(SquadUpdate, changes).changes()
        if not given:
            return await self._get_squad(run, guild, squad)
        saved_at = wall_time()
        try:
            rows = await run.execute(
                squads.UPDATE_SQUAD,
                guild,
                squad,
                given.get("role_id"),
                given.get("name"),
                "description" in given,
                given.get("description"),
                given.get("switch_cost"),
                "max_members" in given,
                given.get("max_members"),
                given.get("is_active"),
                saved_at,
                check=CommitCheck(squads.GET_SAVED_SQUAD, (guild, squad, saved_at)),
            )
        except UniqueConflictError as error:
            if error.is_about("uq_squads_guild_id_role_id", "squads.guild_id", "squads.role_id"):
                raise SquadRoleTakenError(given["role_id"]) from error
            raise  # pragma: no cover  # no other unique key is changed
        if not rows:
            raise SquadNotFoundError(squad)
        return from_row(Squad, rows[0])

    @operation
    async def delete_squad(self, run: Operation, guild_id: str | int, squad_id: UUID | str) -> None:
        """Delete a squad and its memberships.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is not a valid snowflake.
        """
        guild, squad = validation.snowflake(guild_id), validation.squad_id(squad_id)
        # If the squad exists it was not deleted; if not, another request may have deleted it.
        check = CommitCheck(squads.GET_SQUAD, (guild, squad), committed_if_found=False)
        if not await run.execute(squads.DELETE_SQUAD, guild, squad, check=check):
            raise SquadNotFoundError(squad)

    @operation
    async def get_guild_squads(
        self, run: Operation, guild_id: str | int, *, active_only: bool = True
    ) -> list[SquadSummary]:
        """Return the guild's squads by name, each with its number of members, in one query.

        Costs O(members of squads), counted through an index.

        Args:
            guild_id: The guild.
            active_only: Whether to leave out inactive squads.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
        """
        guild = validation.snowflake(guild_id)
        rows = await run.fetch(squads.LIST_SQUADS, guild, bool(active_only))
        return [
            SquadSummary(squad=from_row(Squad, row), member_count=int(row["member_count"]))
            for row in rows
        ]

    @operation
    async def join_squad(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        squad_id: UUID | str,
        *,
        username: str = "",
        idempotency_key: str | int | None = None,
    ) -> SquadMembership:
        """Join a squad for its ``switch_cost``, all or nothing.

        Args:
            guild_id: The guild.
            user_id: The member; created when new.
            squad_id: The squad.
            username: For the ledger row, up to 100 characters.
            idempotency_key: Up to 100 characters.

        Returns:
            The membership; with a repeated idempotency key the first result.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadInactiveError: The squad is not active.
            AlreadyInSquadError: The member is in a squad of the guild.
            SquadFullError: The squad is full.
            InsufficientBalanceError: The member has fewer bytes than the squad costs.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: The username or the key is invalid.
        """
        entry = self._new_entry(run, guild_id, user_id, username, idempotency_key)
        return await self._change_squad(run, squads.JOIN_SQUAD, "join", entry, squad_id)

    @operation
    async def switch_squad(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        squad_id: UUID | str,
        *,
        username: str = "",
        idempotency_key: str | int | None = None,
    ) -> SquadMembership:
        """Switch from the current squad to another for the new squad's ``switch_cost``.

        The parameters and the result are those of `join_squad`.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadInactiveError: The squad is not active.
            NotInSquadError: The member is not in a squad of the guild.
            AlreadyInSquadError: The member is in this squad.
            SquadFullError: The squad is full.
            InsufficientBalanceError: The member has fewer bytes than the squad costs.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: The username or the key is invalid.
        """
        entry = self._new_entry(run, guild_id, user_id, username, idempotency_key)
        return await self._change_squad(run, squads.SWITCH_SQUAD, "switch", entry, squad_id)

    @operation
    async def leave_squad(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        *,
        idempotency_key: str | int | None = None,
    ) -> None:
        """Leave the current squad; free, without a refund.

        Args:
            guild_id: The guild.
            user_id: The member.
            idempotency_key: Up to 100 characters.

        Raises:
            NotInSquadError: The member is not in a squad of the guild.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: The key is invalid.
        """
        entry = self._new_entry(run, guild_id, user_id, "", idempotency_key)
        verdict = await ledger.post(run, squads.LEAVE_SQUAD, entry)
        if verdict["outcome"] == "repeated":
            await self._find_earlier(run, entry, "leave")
        elif verdict["outcome"] != "done":
            raise ledger.refusal(verdict)

    def _new_entry(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        username: str,
        key: str | int | None,
    ) -> BytesTransaction:
        """Return the entry of a squad action; the statement sets amount, reason and details."""
        return ledger.new_entry(
            run,
            "squad",
            guild_id=validation.snowflake(guild_id),
            giver_id=validation.snowflake(user_id),
            giver_username=validation.username(username),
            idempotency_key=validation.idempotency_key(key),
            created_at=validation.now(self._clock),
        )

    async def _change_squad(
        self,
        run: Operation,
        statement: PostingStatement,
        action: str,
        entry: BytesTransaction,
        squad_id: UUID | str,
    ) -> SquadMembership:
        squad = validation.squad_id(squad_id)
        verdict = await ledger.post(run, statement, entry, wall_time(), squad)
        membership: dict[str, Any] = {
            "guild_id": entry.guild_id,
            "user_id": entry.giver_id,
            "squad_id": squad,
            "joined_at": entry.created_at,
        }
        if verdict["outcome"] == "repeated":
            first = await self._find_earlier(run, entry, action, squad)
            membership["joined_at"] = first.created_at
        elif verdict["outcome"] != "done":
            raise ledger.refusal(verdict)
        if membership_id := verdict.get("membership_id"):
            return from_row(SquadMembership, {"id": membership_id, **membership})
        rows = await run.fetch(squads.GET_MEMBERSHIP, entry.guild_id, entry.giver_id)
        if rows:
            current = from_row(SquadMembership, rows[0])
            if (current.squad_id, current.joined_at) == (squad, membership["joined_at"]):
                return current
        # The member has left or switched since; rebuild the first result from the ledger.
        return SquadMembership(**membership)

    async def _find_earlier(
        self, run: Operation, entry: BytesTransaction, action: str, squad: UUID | None = None
    ) -> BytesTransaction:
        """Return the entry of the first request with this key, if it did the same.

        Raises:
            IdempotencyConflictError: It did something else.
        """
        first = await ledger.find_earlier_entry(run, entry)
        details = first.details or {}
        if (
            (first.kind, first.giver_id) == ("squad", entry.giver_id)
            and details.get("action") == action
            and squad in (None, UUID(details["squad_id"]))
        ):
            return first
        raise IdempotencyConflictError(str(entry.idempotency_key))

    @operation
    async def get_user_squad(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> Squad | None:
        """Return the squad that a member is in, or None.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        rows = await run.fetch(squads.GET_MEMBER_SQUAD, guild, user)
        return from_row(Squad, rows[0]) if rows else None

    @operation
    async def get_squad_members(
        self, run: Operation, guild_id: str | int, squad_id: UUID | str
    ) -> list[SquadMembership]:
        """Return the memberships of a squad, oldest first.

        Costs O(members of the squad).

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is not a valid snowflake.
        """
        guild, squad = validation.snowflake(guild_id), validation.squad_id(squad_id)
        rows = await run.fetch(squads.LIST_MEMBERSHIPS, guild, squad)
        if not rows:
            raise SquadNotFoundError(squad)
        return [from_row(SquadMembership, row) for row in rows if row["id"] is not None]

    @operation
    async def get_squad_leaderboard(
        self, run: Operation, guild_id: str | int, limit: int = 10
    ) -> list[SquadStanding]:
        """Return the active squads by the total balance of their members, in one query.

        Costs O(members of squads): the balance of each is looked up.

        Args:
            guild_id: The guild.
            limit: Number of squads, 1 … 10,000.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidPageError: The limit is invalid.
        """
        guild, size = validation.snowflake(guild_id), validation.limit(limit)
        rows = await run.fetch(squads.SQUAD_LEADERBOARD, guild, size)
        return [
            SquadStanding(
                rank=rank,
                squad=from_row(Squad, row),
                member_count=int(row["member_count"]),
                total_balance=join_halves(int(row["total_high"]), int(row["total_low"])),
            )
            for rank, row in enumerate(rows, 1)
        ]
