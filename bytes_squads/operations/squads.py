"""What can be done with squads: `SquadOperations`. Joining costs bytes, through the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.exceptions import IntegrityError

from ..domain import validation as inputs
from ..domain.errors import (
    AlreadyInSquadError,
    IdempotencyConflictError,
    NotInSquadError,
    SquadFullError,
    SquadInactiveError,
    SquadNotFoundError,
    SquadRoleTakenError,
)
from ..domain.rules import utc_now, wall_time
from ..engine import commit_checks as traces
from ..engine.driver_errors import violates
from ..engine.transaction import ask, in_transaction, leave_trace, operation, operation_ids, reading
from ..models import BytesBalance, BytesTransaction, Squad, SquadMembership
from ..schemas import SquadCreate, SquadStanding, SquadSummary, SquadUpdate, check_input
from ..sql import reads, squads
from . import ledger


class SquadOperations:
    """A guild's squads: making them, joining, switching and leaving, standings.

    An instance holds nothing but its clock; make as many as you like. Every ``guild_id`` and
    ``user_id`` is a Discord snowflake, as ``str`` or ``int``; anything else is refused with
    `InvalidSnowflakeError`. Every operation may raise `StorageUnavailableError` (nothing happened)
    and, when it writes, `OutcomeUnknownError`.

    Args:
        clock: Gives the time of operations, timezone-aware.
    """

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    @operation
    async def create_squad(self, data: SquadCreate) -> Squad:
        """Make a squad.

        Args:
            data: Guild, role, name and the rest.

        Raises:
            SquadRoleTakenError: Another squad of the guild has this role.
        """
        data = check_input(SquadCreate, data)
        async with in_transaction() as db:
            squad_id, stamp = operation_ids(1)[0], wall_time()
            made = await squads.FOUND.rows(
                db,
                squad_id,
                data.guild_id,
                data.role_id,
                data.name,
                data.description,
                data.switch_cost,
                data.max_members,
                data.is_active,
                stamp,
            )
            if not made:
                raise SquadRoleTakenError(str(data.role_id))
            leave_trace(db, traces.SQUAD_CHANGED, data.guild_id, squad_id, stamp)
            return await Squad.get(guild_id=data.guild_id, id=squad_id, using_db=db)

    @operation
    async def get_squad(self, guild_id: str | int, squad_id: UUID | str) -> Squad:
        """A squad of the guild.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is none.
        """
        guild, squad = inputs.snowflake(guild_id), inputs.squad_id(squad_id)
        async with reading() as db:
            return await self._squad(db, guild, squad)

    async def _squad(self, db: BaseDBAsyncClient, guild: str, squad: UUID) -> Squad:
        found = await Squad.get_or_none(guild_id=guild, id=squad, using_db=db)
        if found is None:
            raise SquadNotFoundError(squad)
        return found

    @operation
    async def update_squad(
        self, guild_id: str | int, squad_id: UUID | str, changes: SquadUpdate
    ) -> Squad:
        """Change the fields that are given; the others stay, also under concurrent changes.

        Args:
            guild_id: The guild.
            squad_id: The squad.
            changes: The fields to change.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadRoleTakenError: Another squad of the guild has the new role.
            InvalidSnowflakeError: The guild's id is none.
        """
        guild, squad = inputs.snowflake(guild_id), inputs.squad_id(squad_id)
        fields = check_input(SquadUpdate, changes).changes()
        async with in_transaction() as db:
            if fields:
                stamp = wall_time()
                rows = Squad.filter(guild_id=guild, id=squad).using_db(db)
                try:
                    await rows.update(**fields, updated_at=stamp)
                except IntegrityError as error:
                    if violates(
                        error, "uq_squads_guild_id_role_id", "squads.guild_id", "squads.role_id"
                    ):
                        raise SquadRoleTakenError(fields["role_id"]) from error
                    raise  # pragma: no cover  # a rule that SquadUpdate does not know
                leave_trace(db, traces.SQUAD_CHANGED, guild, squad, stamp)
            return await self._squad(db, guild, squad)

    @operation
    async def delete_squad(self, guild_id: str | int, squad_id: UUID | str) -> None:
        """Delete a squad and its memberships.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is none.
        """
        guild, squad = inputs.snowflake(guild_id), inputs.squad_id(squad_id)
        async with in_transaction() as db:
            if not await Squad.filter(guild_id=guild, id=squad).using_db(db).delete():
                raise SquadNotFoundError(squad)
            leave_trace(db, traces.SQUAD_GONE, guild, squad)

    @operation
    async def get_guild_squads(
        self, guild_id: str | int, *, active_only: bool = True
    ) -> list[SquadSummary]:
        """The guild's squads by name, each with its number of members, in one query.

        Costs O(members of squads), counted through an index.

        Args:
            guild_id: The guild.
            active_only: Whether to leave out squads that take no members.

        Raises:
            InvalidSnowflakeError: The id is none.
        """
        guild = inputs.snowflake(guild_id)
        rows = await ask(squads.SQUADS, guild, bool(active_only))
        return [
            SquadSummary(squad=Squad._init_from_db(**row), member_count=int(row["member_count"]))
            for row in rows
        ]

    @operation
    async def join_squad(
        self,
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
            user_id: The member.
            squad_id: The squad.
            username: For the ledger row, up to 100 characters.
            idempotency_key: Up to 100 characters.

        Returns:
            The membership; with a repeated idempotency key the first answer.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadInactiveError: The squad takes no members.
            AlreadyInSquadError: The member is in a squad of the guild.
            SquadFullError: Every place is taken.
            InsufficientBalanceError: The member has fewer bytes than the squad costs.
            IdempotencyConflictError: The key was used for something else.
            InvalidSnowflakeError: An id is none.
            InvalidTextError: The username or the key is refused.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        target = inputs.squad_id(squad_id)
        name, key = inputs.username(username), inputs.idempotency_key(idempotency_key)
        now = inputs.now(self._clock)
        async with in_transaction() as db:
            found = await squads.OPEN.rows(db, guild, target, key)
            if first := await ledger.earlier(db, guild, key, ledger.row_id()):
                return await self._same_seat(db, first, "join", user, target, str(key))
            squad = self._open_squad(found, target)
            free_key = None if squad.switch_cost else key
            seat = guild, user, target, now, free_key, squad.max_members
            if not (seated := await squads.SEAT.rows(db, *seat)):
                current = await self._membership(db, guild, user)
                if current is not None:
                    raise AlreadyInSquadError(current.squad_id)
                raise SquadFullError(target, squad.max_members or 0)
            leave_trace(db, traces.SEATED, guild, user, target, now)
            await self._pay(db, "join", squad, user, name, now, key)
            return SquadMembership._init_from_db(**seated[0])

    @operation
    async def switch_squad(
        self,
        guild_id: str | int,
        user_id: str | int,
        squad_id: UUID | str,
        *,
        username: str = "",
        idempotency_key: str | int | None = None,
    ) -> SquadMembership:
        """Go from the present squad to another for the latter's ``switch_cost``, all or nothing.

        The parameters and the result are those of `join_squad`.

        Raises:
            SquadNotFoundError: The guild has no such squad.
            SquadInactiveError: The squad takes no members.
            NotInSquadError: The member is in no squad of the guild.
            AlreadyInSquadError: The member is in this squad.
            SquadFullError: Every place is taken.
            InsufficientBalanceError: The member has fewer bytes than the squad costs.
            IdempotencyConflictError: The key was used for something else.
            InvalidSnowflakeError: An id is none.
            InvalidTextError: The username or the key is refused.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        target = inputs.squad_id(squad_id)
        name, key = inputs.username(username), inputs.idempotency_key(idempotency_key)
        now = inputs.now(self._clock)
        async with in_transaction() as db:
            found = await squads.OPEN.rows(db, guild, target, key)
            if first := await ledger.earlier(db, guild, key, ledger.row_id()):
                return await self._same_seat(db, first, "switch", user, target, str(key))
            squad = self._open_squad(found, target)
            free_key = None if squad.switch_cost else key
            seat = guild, user, target, now, free_key, squad.max_members
            if not (seated := await squads.RESEAT.rows(db, *seat)):
                current = await self._membership(db, guild, user)
                if current is None:
                    raise NotInSquadError(user)
                if current.squad_id == target:
                    raise AlreadyInSquadError(target)
                raise SquadFullError(target, squad.max_members or 0)
            leave_trace(db, traces.SEATED, guild, user, target, now)
            await self._pay(db, "switch", squad, user, name, now, key)
            return SquadMembership._init_from_db(**seated[0])

    def _open_squad(self, found: list[dict[str, Any]], squad_id: UUID) -> Squad:
        if not found:
            raise SquadNotFoundError(squad_id)
        squad = Squad._init_from_db(**found[0])
        if not squad.is_active:
            raise SquadInactiveError(squad_id)
        return squad

    async def _membership(
        self, db: BaseDBAsyncClient, guild: str, user: str
    ) -> SquadMembership | None:
        return await SquadMembership.get_or_none(guild_id=guild, user_id=user, using_db=db)

    async def _pay(
        self,
        db: TransactionalDBClient,
        how: str,
        squad: Squad,
        user: str,
        username: str,
        now: datetime,
        key: str | None,
    ) -> None:
        """Charge what the squad costs; a free one leaves no ledger row."""
        if squad.switch_cost == 0:
            return
        row = ledger.entry(
            "squad",
            guild_id=squad.guild_id,
            giver_id=user,
            giver_username=username,
            amount=squad.switch_cost,
            reason=squad.name,
            created_at=now,
            idempotency_key=key,
        )
        row.details = {"how": how, "squad_id": str(squad.id)}
        if await ledger.settle(db, row):
            return
        await ledger.meet(db, row.guild_id, ledger.parties(row), now)
        await ledger.move(db, row)
        await ledger.record(db, row)

    async def _same_seat(
        self,
        db: TransactionalDBClient,
        first: BytesTransaction | BytesBalance | SquadMembership,
        how: str,
        user: str,
        target: UUID,
        key: str,
    ) -> SquadMembership:
        """What the first order with this key answered, if it was this one."""
        if isinstance(first, SquadMembership):
            if (first.user_id, first.squad_id) == (user, target):
                return first
        elif (
            isinstance(first, BytesTransaction)
            and (first.kind, first.giver_id) == ("squad", user)
            and first.details == {"how": how, "squad_id": str(target)}
        ):
            current = await self._membership(db, first.guild_id, user)
            if current is not None and (current.squad_id, current.joined_at) == (
                target,
                first.created_at,
            ):
                return current
            # The member has left or gone on since; the first answer is rebuilt from the ledger.
            return SquadMembership(
                guild_id=first.guild_id, user_id=user, squad_id=target, joined_at=first.created_at
            )
        raise IdempotencyConflictError(key)

    @operation
    async def leave_squad(self, guild_id: str | int, user_id: str | int) -> None:
        """Leave the present squad; it costs nothing and gives nothing back.

        Raises:
            NotInSquadError: The member is in no squad of the guild.
            InvalidSnowflakeError: An id is none.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        async with in_transaction() as db:
            memberships = SquadMembership.filter(guild_id=guild, user_id=user)
            membership = await memberships.select_for_update().using_db(db).first()
            if membership is None:
                raise NotInSquadError(user)
            await SquadMembership.filter(guild_id=guild, id=membership.id).using_db(db).delete()
            leave_trace(db, traces.SEAT_GONE, guild, membership.id)

    @operation
    async def get_user_squad(self, guild_id: str | int, user_id: str | int) -> Squad | None:
        """The squad that a member is in, or None.

        Raises:
            InvalidSnowflakeError: An id is none.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        async with reading() as db:
            membership = (
                await SquadMembership.filter(guild_id=guild, user_id=user)
                .select_related("squad")
                .using_db(db)
                .first()
            )
        return None if membership is None else membership.squad

    @operation
    async def get_squad_members(
        self, guild_id: str | int, squad_id: UUID | str
    ) -> list[SquadMembership]:
        """The memberships of a squad, by when they were joined.

        Costs O(members of the squad).

        Raises:
            SquadNotFoundError: The guild has no such squad.
            InvalidSnowflakeError: The guild's id is none.
        """
        guild, squad = inputs.snowflake(guild_id), inputs.squad_id(squad_id)
        async with reading() as db:
            await self._squad(db, guild, squad)
            memberships = SquadMembership.filter(guild_id=guild, squad_id=squad)
            return await memberships.order_by("joined_at", "id").using_db(db)

    @operation
    async def get_squad_leaderboard(
        self, guild_id: str | int, limit: int = 10
    ) -> list[SquadStanding]:
        """The active squads by what their members have together, in one query.

        Costs O(members of squads): each one's balance is looked up.

        Args:
            guild_id: The guild.
            limit: How many squads, 1 … 10,000.

        Raises:
            InvalidSnowflakeError: The id is none.
            InvalidPageError: The limit is refused.
        """
        guild, size = inputs.snowflake(guild_id), inputs.limit(limit)
        rows = await ask(squads.STANDINGS, guild, size)
        return [
            SquadStanding(
                rank=rank,
                squad=Squad._init_from_db(**row),
                member_count=int(row["member_count"]),
                total_balance=reads.whole(int(row["total_high"]), int(row["total_low"])),
            )
            for rank, row in enumerate(rows, 1)
        ]
