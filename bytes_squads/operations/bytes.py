"""What can be done with bytes: `BytesOperations`.

Each writing operation reads the same way: a ledger row is drawn up, and inside one transaction
the bytes are moved or the order is refused, and the row is recorded. In the ordinary case one
statement does all of that (`ledger.settle_at_once`); what follows it is for the rest: members who
are new, keys that were used before, refusals and their reasons, callers' own transactions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain import rules
from ..domain import validation as inputs
from ..domain.errors import (
    BalanceOverflowError,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    InvalidPageError,
    InvalidSnowflakeError,
    TransferCooldownError,
    TransferLimitError,
)
from ..domain.rules import MAX_BYTES, utc_now, wall_time
from ..engine import commit_checks as traces
from ..engine.transaction import (
    ask,
    at_once,
    in_transaction,
    leave_trace,
    operation,
    operation_ids,
    reading,
)
from ..models import BytesBalance, BytesConfig, BytesTransaction, SquadMembership
from ..schemas import (
    BytesConfigUpdate,
    BytesTransactionCreate,
    DailyClaim,
    LeaderboardEntry,
    LedgerDiscrepancy,
    LedgerReport,
    check_input,
)
from ..sql import events, movements, reads
from . import ledger


class BytesOperations:
    """A guild's currency: balances, transfers, daily rewards, the ledger.

    An instance holds nothing but its clock; make as many as you like. Every ``guild_id`` and
    ``user_id`` is a Discord snowflake, as ``str`` or ``int``; anything else is refused with
    `InvalidSnowflakeError`. Every operation may raise `StorageUnavailableError` (nothing happened)
    and, when it writes, `OutcomeUnknownError`.

    Args:
        clock: Gives the time of operations, timezone-aware. Its UTC date decides on daily claims.
    """

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    @operation
    async def get_balance(
        self, guild_id: str | int, user_id: str | int, username: str = ""
    ) -> BytesBalance:
        """A member's balance; a new member receives the guild's starting balance.

        Args:
            guild_id: The guild.
            user_id: The member.
            username: For the ledger row of the starting bytes, up to 100 characters.

        Raises:
            InvalidSnowflakeError: An id is none.
            InvalidTextError: The username is refused.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        name = inputs.username(username)
        found = await ask(reads.BALANCE, guild, user)
        if found:
            return BytesBalance._init_from_db(**found[0])
        async with in_transaction() as db:
            config = await ledger.config_of(db, guild)
            await ledger.welcome(db, config, [(user, name)], inputs.now(self._clock))
            return await BytesBalance.get(guild_id=guild, user_id=user, using_db=db)

    @operation
    async def create_transaction(self, data: BytesTransactionCreate) -> BytesTransaction:
        """Transfer bytes from one member to another; new members are created.

        Args:
            data: Guild, parties, amount in whole bytes, reason and idempotency key.

        Returns:
            The ledger row; with a repeated idempotency key the first one.

        Raises:
            TransferLimitError: More than the guild's ``max_transfer``.
            InsufficientBalanceError: The giver has fewer bytes.
            TransferCooldownError: The giver's last transfer was less than the guild's
                ``transfer_cooldown_hours`` ago.
            BalanceOverflowError: The receiver's total would pass 2⁶³−1.
            IdempotencyConflictError: The key was used for another order.
        """
        data = check_input(BytesTransactionCreate, data)
        row = ledger.entry(
            "transfer",
            guild_id=str(data.guild_id),
            giver_id=str(data.giver_id),
            giver_username=data.giver_username,
            receiver_id=str(data.receiver_id),
            receiver_username=data.receiver_username,
            amount=data.amount,
            reason=data.reason,
            idempotency_key=inputs.idempotency_key(data.idempotency_key),
            created_at=inputs.now(self._clock),
        )
        if await ledger.settle_at_once(row):
            return row
        async with in_transaction() as db:
            await ledger.wait_for(db, row.guild_id, row.idempotency_key)
            if first := await ledger.earlier(db, row.guild_id, row.idempotency_key, row.id):
                return ledger.same_movement(first, row)
            config = await ledger.meet(db, row.guild_id, ledger.parties(row), row.created_at)
            if await ledger.settle(db, row):
                return row
            if row.amount > config.max_transfer:
                raise TransferLimitError(row.amount, config.max_transfer)
            await ledger.move(db, row)
            # The giver's row is locked now: nobody else's transfer can slip in between.
            await self._refuse_in_cooldown(db, config, row)
            await ledger.record(db, row)
        return row

    async def _refuse_in_cooldown(
        self, db: BaseDBAsyncClient, config: BytesConfig, row: BytesTransaction
    ) -> None:
        if config.transfer_cooldown_hours == 0:
            return
        found = await movements.LAST_TRANSFER.rows(db, row.guild_id, row.giver_id)
        if found:
            last = BytesTransaction._init_from_db(**found[0])
            available_at = rules.cooldown_ends_at(last.created_at, config.transfer_cooldown_hours)
            if available_at > row.created_at:
                raise TransferCooldownError(available_at)

    @operation
    async def claim_daily(
        self,
        guild_id: str | int,
        user_id: str | int,
        username: str = "",
        *,
        idempotency_key: str | int | None = None,
    ) -> DailyClaim:
        """Pay the daily reward, once per UTC date of the clock.

        A claim on the day after the last one makes the streak a day longer, any other begins a new
        one. The pay is the guild's ``daily_amount`` times the multiplier of the highest threshold
        in ``streak_bonuses`` that the streak has reached.

        Args:
            guild_id: The guild.
            user_id: The member.
            username: For the ledger row, up to 100 characters.
            idempotency_key: Up to 100 characters.

        Returns:
            What was paid; with a repeated idempotency key the first answer.

        Raises:
            DailyAlreadyClaimedError: Claimed on this date, or on a later one.
            BalanceOverflowError: The member's total would pass 2⁶³−1.
            IdempotencyConflictError: The key was used for something else.
            InvalidSnowflakeError: An id is none.
            InvalidTextError: The username or the key is refused.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        name, key = inputs.username(username), inputs.idempotency_key(idempotency_key)
        now = inputs.now(self._clock)
        today = now.date()
        async with in_transaction() as db:
            held = await ledger.hold(db, guild, user, key)
            if first := await ledger.earlier(db, guild, key, ledger.row_id()):
                return self._same_claim(first, user, str(key))
            if held is None:
                await ledger.meet(db, guild, {user: name}, now)
                held = await ledger.hold(db, guild, user, key)
            assert held is not None
            member, config = held
            if member.last_daily is not None and member.last_daily >= today:
                raise DailyAlreadyClaimedError(
                    member.last_daily, rules.next_claim_at(member.last_daily)
                )
            streak = rules.next_streak(member.last_daily, member.streak_count, today)
            multiplier = rules.streak_multiplier(streak, config.streak_bonuses)
            pay = config.daily_amount * multiplier
            if pay > MAX_BYTES - member.total_received:
                raise BalanceOverflowError(member.total_received, pay)
            result = DailyClaim(
                amount=pay,
                multiplier=multiplier,
                streak=streak,
                claimed_on=today,
                balance=member.balance + pay,
                transaction_id=ledger.row_id() if pay else None,  # type: ignore[arg-type]
            )
            details, stamp = _claim_details(result), wall_time()
            if pay:
                row = ledger.entry(
                    "daily",
                    guild_id=guild,
                    receiver_id=user,
                    receiver_username=name,
                    amount=pay,
                    created_at=now,
                    idempotency_key=key,
                )
                row.details = details
                await ledger.claim(db, row, today, streak, stamp)
            else:
                unpaid = guild, user, today, streak, key, json.dumps(details), stamp
                await movements.UNPAID_CLAIM.rows(db, *unpaid)
                leave_trace(db, traces.CLAIMED, guild, user, stamp)
        return result

    def _same_claim(
        self, first: BytesTransaction | BytesBalance | SquadMembership, user: str, key: str
    ) -> DailyClaim:
        if isinstance(first, BytesTransaction):
            if first.kind == "daily" and first.receiver_id == user:
                return _claim(first.details, first.amount, first.id)
        elif isinstance(first, BytesBalance) and first.user_id == user:
            return _claim(first.claim_details, 0, None)
        raise IdempotencyConflictError(key)

    @operation
    async def grant(
        self,
        guild_id: str | int,
        user_id: str | int,
        amount: int,
        *,
        username: str = "",
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> BytesTransaction:
        """Create bytes for a member.

        Args:
            guild_id: The guild.
            user_id: The member; created when new.
            amount: Whole bytes, 1 … 2⁶³−1.
            username: For the ledger row, up to 100 characters.
            reason: Up to 200 characters.
            actor_id: Who ordered it (snowflake).
            idempotency_key: Up to 100 characters.

        Returns:
            The ledger row; with a repeated idempotency key the first one.

        Raises:
            BalanceOverflowError: The member's total would pass 2⁶³−1.
            IdempotencyConflictError: The key was used for another order.
            InvalidSnowflakeError: An id is none.
            InvalidAmountError: The amount is refused.
            InvalidTextError: A text is refused.
        """
        row = ledger.entry(
            "grant",
            guild_id=inputs.snowflake(guild_id),
            receiver_id=inputs.snowflake(user_id),
            receiver_username=inputs.username(username),
            amount=inputs.amount(amount),
            reason=inputs.reason(reason),
            actor_id=inputs.optional_snowflake(actor_id),
            idempotency_key=inputs.idempotency_key(idempotency_key),
            created_at=inputs.now(self._clock),
        )
        return await self._settle_with_system(row)

    @operation
    async def charge(
        self,
        guild_id: str | int,
        user_id: str | int,
        amount: int,
        *,
        username: str = "",
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> BytesTransaction:
        """Retire bytes of a member, never below zero.

        The parameters and the result are those of `grant`.

        Raises:
            InsufficientBalanceError: The member has fewer bytes.
            IdempotencyConflictError: The key was used for another order.
            InvalidSnowflakeError: An id is none.
            InvalidAmountError: The amount is refused.
            InvalidTextError: A text is refused.
        """
        row = ledger.entry(
            "charge",
            guild_id=inputs.snowflake(guild_id),
            giver_id=inputs.snowflake(user_id),
            giver_username=inputs.username(username),
            amount=inputs.amount(amount),
            reason=inputs.reason(reason),
            actor_id=inputs.optional_snowflake(actor_id),
            idempotency_key=inputs.idempotency_key(idempotency_key),
            created_at=inputs.now(self._clock),
        )
        return await self._settle_with_system(row)

    async def _settle_with_system(self, row: BytesTransaction) -> BytesTransaction:
        if await ledger.settle_at_once(row):
            return row
        async with in_transaction() as db:
            await ledger.wait_for(db, row.guild_id, row.idempotency_key)
            if first := await ledger.earlier(db, row.guild_id, row.idempotency_key, row.id):
                return ledger.same_movement(first, row)
            await ledger.meet(db, row.guild_id, ledger.parties(row), row.created_at)
            if await ledger.settle(db, row):
                return row
            await ledger.move(db, row)
            await ledger.record(db, row)
        return row

    @operation
    async def grant_many(
        self,
        guild_id: str | int,
        amounts: Mapping[str, int] | Mapping[int, int] | Mapping[str | int, int],
        *,
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> int:
        """Create bytes for many members, all or nothing, in a fixed number of statements.

        Costs O(members) in the database: one statement where all of them are known, a few where
        some are new.

        Args:
            guild_id: The guild.
            amounts: Whole bytes by member, 1 … 2⁶³−1 each; new members are created.
            reason: Up to 200 characters, on each ledger row.
            actor_id: Who ordered it (snowflake).
            idempotency_key: Up to 100 characters, for the whole of it.

        Returns:
            How many members were paid; the same when the key is repeated.

        Raises:
            BalanceOverflowError: A member's total would pass 2⁶³−1 (the first by user id).
            IdempotencyConflictError: The key was used for another order.
            InvalidSnowflakeError: An id is none, or names a member twice (as str and as int).
            InvalidAmountError: An amount is refused.
            InvalidTextError: A text is refused.
        """
        guild = inputs.snowflake(guild_id)
        pay: dict[str, int] = {}
        for user_id, amount in amounts.items():
            user = inputs.snowflake(user_id)
            if user in pay:
                raise InvalidSnowflakeError(user_id)
            pay[user] = inputs.amount(amount)
        why, actor = inputs.reason(reason), inputs.optional_snowflake(actor_id)
        key = inputs.idempotency_key(idempotency_key)
        now = inputs.now(self._clock)
        if not pay:
            return 0
        users = sorted(pay)
        ids = operation_ids(2 * len(users))  # those of new members' first rows precede the others
        bearer = ids[len(users)]  # the row that carries the key
        batch = users, [pay[user] for user in users], ids.as_strings(len(users), 2 * len(users))
        details = {"members": len(pay)} | ({} if key is None else {"digest": _digest(pay, why)})
        told = why, now, actor, bearer, key, json.dumps(details)
        trace = traces.LEDGER_ROW_EXISTS, (guild, bearer)
        if await at_once(events.SETTLE, guild, *batch, *told, wall_time(), len(users), trace=trace):
            return len(pay)
        async with in_transaction() as db:
            await ledger.wait_for(db, guild, key)
            if first := await ledger.earlier(db, guild, key, bearer):
                if isinstance(first, BytesTransaction) and first.details == details:
                    return len(pay)
                raise IdempotencyConflictError(str(key))
            config = await ledger.config_of(db, guild)
            stamp = wall_time()
            new = await events.WELCOME.rows(db, guild, *batch, config.starting_balance, stamp)
            if new and config.starting_balance:
                arrived = {member["user_id"] for member in new}
                places = [place for place, user in enumerate(users) if user in arrived]
                first_rows = (
                    [users[place] for place in places],
                    [config.starting_balance] * len(places),
                    [str(ids[place]) for place in places],
                )
                await events.STARTING.rows(db, guild, *first_rows, now)
            paid = await events.PAY.rows(db, guild, *batch, stamp)
            if len(paid) != len(pay):
                refused = min(pay.keys() - {member["user_id"] for member in paid})
                member = await BytesBalance.get(guild_id=guild, user_id=refused, using_db=db)
                raise BalanceOverflowError(member.total_received, pay[refused])
            await events.RECORD.rows(db, guild, *batch, *told)
            leave_trace(db, traces.LEDGER_ROW_EXISTS, guild, bearer)
        return len(pay)

    @operation
    async def get_leaderboard(
        self, guild_id: str | int, limit: int = 10, offset: int = 0
    ) -> list[LeaderboardEntry]:
        """The members with the most bytes, by balance descending, then by user id as text.

        Costs O(offset + limit) through an index.

        Args:
            guild_id: The guild.
            limit: How many entries, 1 … 10,000.
            offset: How many to leave out before them, from 0.

        Raises:
            InvalidSnowflakeError: The id is none.
            InvalidPageError: Limit or offset is refused.
        """
        guild = inputs.snowflake(guild_id)
        size, start = inputs.limit(limit), inputs.offset(offset)
        rows = await ask(reads.LEADERS, guild, size, start)
        return [
            LeaderboardEntry(rank, str(row["user_id"]), int(row["balance"]))
            for rank, row in enumerate(rows, start + 1)
        ]

    @operation
    async def get_rank(self, guild_id: str | int, user_id: str | int) -> LeaderboardEntry | None:
        """A member's place in the order of `get_leaderboard`, None for one without a balance.

        Costs O(rank): the members above are counted through an index. That is nothing near the top;
        at the end of a guild of a million it was 58 ms (``docs/performance.md``).

        Raises:
            InvalidSnowflakeError: An id is none.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        rows = await ask(reads.RANK, guild, user)
        if not rows:
            return None
        return LeaderboardEntry(int(rows[0]["rank"]), user, int(rows[0]["balance"]))

    @operation
    async def get_transaction_history(
        self,
        guild_id: str | int,
        user_id: str | int | None = None,
        limit: int = 20,
        before: BytesTransaction | None = None,
    ) -> list[BytesTransaction]:
        """A page of the ledger, newest first (by ``created_at``, then by id).

        Costs O(limit) through an index, however far back the page is.

        Args:
            guild_id: The guild.
            user_id: Only rows with this member as giver or receiver; None for the whole guild.
            limit: How many rows, 1 … 10,000.
            before: The last row of the page before; the rows after it follow, none skipped and
                none repeated, whatever was added meanwhile.

        Raises:
            InvalidSnowflakeError: An id is none.
            InvalidPageError: The limit is refused, or ``before`` is no ledger row.
        """
        guild, user = inputs.snowflake(guild_id), inputs.optional_snowflake(user_id)
        size = inputs.limit(limit)
        if before is None:
            seen = reads.BEFORE_ALL
        elif isinstance(before, BytesTransaction):
            seen = before.created_at, before.id
        else:
            raise InvalidPageError(before)
        if user is None:
            rows = await ask(reads.HISTORY, guild, size, *seen)
        else:
            rows = await ask(reads.MEMBER_HISTORY, guild, size, *seen, user)
        return [BytesTransaction._init_from_db(**row) for row in rows]

    @operation
    async def get_earned_roles(self, guild_id: str | int, user_id: str | int) -> set[str]:
        """The role ids of the guild's ``role_rewards`` that the member's total has reached.

        Raises:
            InvalidSnowflakeError: An id is none.
        """
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        found = await ask(reads.EARNED, guild, user)
        if not found:
            return set()
        rewards = BytesConfig._init_from_db(**found[0]).role_rewards
        return rules.earned_roles(int(found[0]["total_received"]), rewards)

    @operation
    async def verify(self, guild_id: str | int | None = None) -> LedgerReport:
        """Recompute every balance from the ledger, in the database, and compare.

        Costs a pass over the ledger, O(rows). Safe at any time: what moves meanwhile is seen as a
        whole or not at all.

        Args:
            guild_id: Only this guild; None for all.

        Returns:
            Whether everything agrees, what was counted, and each number that does not.

        Raises:
            InvalidSnowflakeError: The id is none.
        """
        guild = inputs.optional_snowflake(guild_id)
        async with reading() as db:
            wrong = await reads.VERIFY.rows(db, guild)
            counts = (await reads.COUNTS.rows(db, guild))[0]
        return LedgerReport(
            members=int(counts["members"]),
            transactions=int(counts["transactions"]),
            discrepancies=tuple(
                discrepancy for member in wrong for discrepancy in _discrepancies(member)
            ),
        )

    @operation
    async def get_config(self, guild_id: str | int) -> BytesConfig:
        """The guild's config, made with the defaults when there is none.

        Raises:
            InvalidSnowflakeError: The id is none.
        """
        guild = inputs.snowflake(guild_id)
        async with reading() as db:
            config = await BytesConfig.get_or_none(guild_id=guild, using_db=db)
        if config is not None:
            return config
        async with in_transaction() as db:
            return await ledger.config_of(db, guild)

    @operation
    async def update_config(self, guild_id: str | int, changes: BytesConfigUpdate) -> BytesConfig:
        """Change the fields that are given; the others stay, also under concurrent changes.

        Args:
            guild_id: The guild.
            changes: The fields to change.

        Raises:
            InvalidSnowflakeError: The id is none.
        """
        guild = inputs.snowflake(guild_id)
        fields = check_input(BytesConfigUpdate, changes).changes()
        async with in_transaction() as db:
            config = await ledger.config_of(db, guild)
            if not fields:
                return config
            stamp = wall_time()
            await BytesConfig.filter(guild_id=guild).using_db(db).update(**fields, updated_at=stamp)
            leave_trace(db, traces.CONFIG_CHANGED, guild, stamp)
            return await BytesConfig.get(guild_id=guild, using_db=db)


def _claim_details(claim: DailyClaim) -> dict[str, Any]:
    """What a ledger row does not say of a claim, as JSON has it."""
    return {
        "streak": claim.streak,
        "multiplier": claim.multiplier,
        "claimed_on": claim.claimed_on.isoformat(),
        "balance": claim.balance,
    }


def _claim(details: dict[str, Any] | None, amount: int, transaction_id: UUID | None) -> DailyClaim:
    assert details is not None
    return DailyClaim(
        amount=amount,
        multiplier=int(details["multiplier"]),
        streak=int(details["streak"]),
        claimed_on=datetime.fromisoformat(details["claimed_on"]).date(),
        balance=int(details["balance"]),
        transaction_id=transaction_id,  # type: ignore[arg-type]
    )


def _digest(pay: Mapping[str, int], reason: str | None) -> str:
    """A fingerprint of who gets what and why, to tell a repeated order from another one."""
    return hashlib.sha256(json.dumps([sorted(pay.items()), reason]).encode()).hexdigest()


def _discrepancies(row: Mapping[str, Any]) -> list[LedgerDiscrepancy]:
    received = reads.whole(int(row["received_high"]), int(row["received_low"]))
    sent = reads.whole(int(row["sent_high"]), int(row["sent_low"]))
    expected = {
        "balance": received - sent,
        "total_received": received,
        "total_sent": sent,
    }
    return [
        LedgerDiscrepancy(row["guild_id"], row["user_id"], field, value, int(row[field]))
        for field, value in expected.items()
        if int(row[field]) != value
    ]
