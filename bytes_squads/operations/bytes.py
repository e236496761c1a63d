"""A guild's currency: `BytesOperations`.

Each writing operation validates its arguments, builds a ledger entry and posts it. One statement
checks the rules, changes the balances and records the entry; see `ledger`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain import defaults, rules, validation
from ..domain.errors import (
    IdempotencyConflictError,
    InvalidPageError,
    InvalidSnowflakeError,
)
from ..domain.rules import utc_now, wall_time
from ..engine._tortoise import from_row
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation, operation
from ..models import BytesBalance, BytesConfig, BytesTransaction
from ..schemas import (
    BytesConfigUpdate,
    BytesTransactionCreate,
    DailyClaim,
    LeaderboardEntry,
    LedgerDiscrepancy,
    LedgerReport,
    check_input,
)
from ..sql import queries
from ..sql.bulk_grants import POST_GRANTS
from ..sql.claims import GET_CLAIM_STATE, POST_DAILY_CLAIM
from ..sql.configs import GET_CONFIG, GET_SAVED_CONFIG, SAVE_CONFIG
from ..sql.members import GET_BALANCE, INSERT_MEMBERS
from ..sql.postings import GET_ENTRY, GET_ENTRY_BY_KEY
from . import claims, corrections, ledger


class BytesOperations:
    """A guild's currency: balances, transfers, daily rewards, the ledger.

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
    async def get_balance(
        self, run: Operation, guild_id: str | int, user_id: str | int, username: str = ""
    ) -> BytesBalance:
        """Return a member's balance; a new member receives the guild's starting balance.

        Args:
            guild_id: The guild.
            user_id: The member.
            username: For the ledger row of the starting bytes, up to 100 characters.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: The username is invalid.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        name, now = validation.username(username), validation.now(self._clock)
        rows = await run.fetch(GET_BALANCE, guild, user)
        if not rows:
            entry_id = run.draw_ids(1)[0]
            check = CommitCheck.of_entry(guild, entry_id)
            batch = [user], [name], [entry_id]
            await run.execute(INSERT_MEMBERS, guild, *batch, now, wall_time(), check=check)
            rows = await run.fetch(GET_BALANCE, guild, user)
            if not rows:  # deleted since
                raise TransientError("the database stayed in conflict with other operations")
        return from_row(BytesBalance, rows[0])

    @operation
    async def find_balance(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> BytesBalance | None:
        """Return a member's balance without creating the member; None for an unknown member.

        Members who left the guild have ``left_at``.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        rows = await run.fetch(GET_BALANCE, guild, user)
        return from_row(BytesBalance, rows[0]) if rows else None

    @operation
    async def count_members(self, run: Operation, guild_id: str | int) -> int:
        """Return the number of members of the guild, without those who left.

        Costs O(members), counted through an index.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
        """
        rows = await run.fetch(queries.COUNT_MEMBERS, validation.snowflake(guild_id))
        return int(rows[0]["members"])

    @operation
    async def create_transaction(
        self, run: Operation, data: BytesTransactionCreate
    ) -> BytesTransaction:
        """Transfer bytes from one member to another; new members are created.

        Args:
            data: Guild, parties, amount in whole bytes, reason and idempotency key.

        Returns:
            The ledger row; with a repeated idempotency key the first one.

        Raises:
            InvalidInputError: The data is invalid.
            TransferLimitError: More than the guild's ``max_transfer``.
            InsufficientBalanceError: The giver has fewer bytes.
            TransferCooldownError: The giver's last transfer was less than the guild's
                ``transfer_cooldown_hours`` ago.
            BalanceOverflowError: The receiver's total would exceed 2⁶³−1.
            IdempotencyConflictError: The key was used for another request.
        """
        data = check_input(BytesTransactionCreate, data)
        entry = ledger.new_entry(
            run,
            "transfer",
            guild_id=str(data.guild_id),
            giver_id=str(data.giver_id),
            giver_username=data.giver_username,
            receiver_id=str(data.receiver_id),
            receiver_username=data.receiver_username,
            amount=data.amount,
            reason=data.reason,
            idempotency_key=validation.idempotency_key(data.idempotency_key),
            created_at=validation.now(self._clock),
        )
        return await ledger.post_entry(run, entry)

    @operation
    async def claim_daily(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        username: str = "",
        *,
        idempotency_key: str | int | None = None,
    ) -> DailyClaim:
        """Pay the daily reward, once per date of the clock in the guild's ``timezone``.

        A claim 1 … 1 + ``streak_grace_days`` days after the last one extends the streak by 1; any
        other claim starts a new streak. The amount is the guild's ``daily_amount`` times the
        multiplier of the highest threshold in ``streak_bonuses`` that the streak has reached.

        Args:
            guild_id: The guild.
            user_id: The member.
            username: For the ledger row, up to 100 characters.
            idempotency_key: Up to 100 characters.

        Returns:
            The claim; with a repeated idempotency key the first result.

        Raises:
            DailyAlreadyClaimedError: Claimed on this date, or on a later one (the clock or the
                time zone has changed).
            StorageError: This machine does not have the guild's time zone; nothing was changed.
            BalanceOverflowError: The member's total would exceed 2⁶³−1.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: The username or the key is invalid.
        """
        entry = ledger.new_entry(
            run,
            "daily",
            guild_id=validation.snowflake(guild_id),
            receiver_id=validation.snowflake(user_id),
            receiver_username=validation.username(username),
            idempotency_key=validation.idempotency_key(idempotency_key),
            created_at=validation.now(self._clock),
        )
        for _ in range(ledger.IMMEDIATE_ATTEMPTS):
            read = entry.guild_id, entry.receiver_id, entry.idempotency_key
            state = (await run.fetch(GET_CLAIM_STATE, *read))[0]
            if state["earlier_id"] is not None:
                return claims.replay_claim(await ledger.find_earlier_entry(run, entry), entry)
            dates = claims.decide_claim(state, entry)
            content = wall_time(), entry.amount, None, claims.details_before_balance(entry)
            verdict = await ledger.post(run, POST_DAILY_CLAIM, entry, *content, *dates)
            if verdict["outcome"] == "done":
                return await self._claim_of(run, entry, verdict)
            if verdict["outcome"] not in ("outdated", "repeated"):
                raise ledger.refusal(verdict)
        raise TransientError("the database stayed in conflict with other operations")

    async def _claim_of(
        self, run: Operation, entry: BytesTransaction, verdict: Mapping[str, Any]
    ) -> DailyClaim:
        new_balance = verdict.get("new_balance")
        if new_balance is not None:
            entry.details = {**(entry.details or {}), "balance": new_balance}
        else:  # the answer was lost, and the entry was found
            rows = await run.fetch(GET_ENTRY, entry.guild_id, entry.id)
            entry = from_row(BytesTransaction, rows[0])
        return claims.replay_claim(entry, entry)

    @operation
    async def grant(
        self,
        run: Operation,
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
            actor_id: The user who ordered it (snowflake).
            idempotency_key: Up to 100 characters.

        Returns:
            The ledger row; with a repeated idempotency key the first one.

        Raises:
            BalanceOverflowError: The member's total would exceed 2⁶³−1.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidAmountError: The amount is invalid.
            InvalidTextError: A text is invalid.
        """
        return await self._post_with_system(
            run, "grant", guild_id, user_id, amount, username, reason, actor_id, idempotency_key
        )

    @operation
    async def charge(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        amount: int,
        *,
        username: str = "",
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> BytesTransaction:
        """Retire bytes of a member; the balance cannot go below zero.

        The parameters and the result are those of `grant`.

        Raises:
            InsufficientBalanceError: The member has fewer bytes.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidAmountError: The amount is invalid.
            InvalidTextError: A text is invalid.
        """
        return await self._post_with_system(
            run, "charge", guild_id, user_id, amount, username, reason, actor_id, idempotency_key
        )

    async def _post_with_system(
        self,
        run: Operation,
        kind: str,
        guild_id: str | int,
        user_id: str | int,
        amount: int,
        username: str,
        reason: str | None,
        actor_id: str | int | None,
        key: str | int | None,
    ) -> BytesTransaction:
        party = "receiver" if kind == "grant" else "giver"
        member: dict[str, Any] = {
            f"{party}_id": validation.snowflake(user_id),
            f"{party}_username": validation.username(username),
        }
        entry = ledger.new_entry(
            run,
            kind,
            guild_id=validation.snowflake(guild_id),
            amount=validation.amount(amount),
            reason=validation.reason(reason),
            actor_id=validation.optional_snowflake(actor_id),
            idempotency_key=validation.idempotency_key(key),
            created_at=validation.now(self._clock),
            **member,
        )
        return await ledger.post_entry(run, entry)

    @operation
    async def grant_many(
        self,
        run: Operation,
        guild_id: str | int,
        amounts: Mapping[str, int] | Mapping[int, int] | Mapping[str | int, int],
        *,
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> int:
        """Create bytes for many members, all or nothing, in a fixed number of statements.

        Costs O(members) in the database: one statement if all members are known, a few if some are
        new.

        Args:
            guild_id: The guild.
            amounts: Whole bytes by member, 1 … 2⁶³−1 each; new members are created.
            reason: Up to 200 characters, on each ledger row.
            actor_id: The user who ordered it (snowflake).
            idempotency_key: Up to 100 characters, for the whole request.

        Returns:
            The number of members paid, also for a repeated key.

        Raises:
            BalanceOverflowError: A member's total would exceed 2⁶³−1 (the first by user id).
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake, or names a member twice (as str
                and as int).
            InvalidAmountError: An amount is invalid.
            InvalidTextError: A text is invalid.
        """
        guild = validation.snowflake(guild_id)
        paid: dict[str, int] = {}
        for user_id, amount in amounts.items():
            user = validation.snowflake(user_id)
            if user in paid:
                raise InvalidSnowflakeError(user_id)
            paid[user] = validation.amount(amount)
        text, actor = validation.reason(reason), validation.optional_snowflake(actor_id)
        key, now = validation.idempotency_key(idempotency_key), validation.now(self._clock)
        if not paid:
            return 0
        users, count = sorted(paid), len(paid)
        # The ids of new members' starting entries precede those of the grants.
        ids = run.draw_ids(2 * count)
        keyed_entry_id = ids[count]  # the entry that carries the key and the details
        details: dict[str, Any] = {"members": count}
        if key is not None:
            details["digest"] = _request_digest(paid, text)
        parameters = (
            guild,
            users,
            [paid[user] for user in users],
            ids.as_strings(count, 2 * count),
            text,
            now,
            actor,
            keyed_entry_id,
            key,
            json.dumps(details, separators=(",", ":")),
            wall_time(),
            count,
        )

        async def create_members(db: BaseDBAsyncClient) -> None:
            names = dict.fromkeys(users, "")
            await ledger.insert_members(db, guild, names, ids.as_strings(0, count), now)

        check = CommitCheck.of_entry(guild, keyed_entry_id)
        statement = POST_GRANTS.for_rows(count)
        verdict = await ledger.execute_posting(run, statement, parameters, check, create_members)
        if verdict["outcome"] == "repeated":
            rows = await run.fetch(GET_ENTRY_BY_KEY, guild, key)
            if not rows or from_row(BytesTransaction, rows[0]).details != details:
                raise IdempotencyConflictError(str(key))
        elif verdict["outcome"] != "done":
            raise ledger.refusal(verdict)
        return count

    @operation
    async def set_balance(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int,
        balance: int,
        *,
        username: str = "",
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> BytesTransaction | None:
        """Set a member's balance, by a grant or a charge of the difference.

        Args:
            guild_id: The guild.
            user_id: The member; created when new.
            balance: Whole bytes, 0 … 2⁶³−1.
            username: For the ledger row, up to 100 characters.
            reason: Up to 200 characters.
            actor_id: The user who ordered it (snowflake).
            idempotency_key: Up to 100 characters. It is stored on the ledger row, so a request that
                changed nothing is not recognised when it is repeated: it sets the balance.

        Returns:
            The ledger row, whose ``details`` are ``{"set_balance": balance}``; None if the member
            has this balance. With a repeated idempotency key the first row.

        Raises:
            BalanceOverflowError: The member's total would exceed 2⁶³−1.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidAmountError: The balance is invalid.
            InvalidTextError: A text is invalid.
        """
        return await corrections.set_balance(
            run,
            validation.snowflake(guild_id),
            validation.snowflake(user_id),
            validation.balance(balance),
            validation.username(username),
            reason=validation.reason(reason),
            actor_id=validation.optional_snowflake(actor_id),
            idempotency_key=validation.idempotency_key(idempotency_key),
            created_at=validation.now(self._clock),
        )

    @operation
    async def reset_balances(
        self,
        run: Operation,
        guild_id: str | int,
        balance: int | None = None,
        *,
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> int:
        """Set the balance of every member, by a grant or a charge each, all or nothing.

        That includes members who left, and the pseudonyms of erased members, who are granted a
        balance above 0 as well. Totals do not shrink; streaks and seats stay. Costs O(members) in
        the database, in one statement; a concurrent transfer is before it or after it.

        Args:
            guild_id: The guild.
            balance: Whole bytes, 0 … 2⁶³−1; None for the guild's ``starting_balance``.
            reason: Up to 200 characters, on each ledger row.
            actor_id: The user who ordered it (snowflake).
            idempotency_key: Up to 100 characters, for the whole request. It is stored on one of the
                ledger rows, so a request that changed nothing is not recognised when it is
                repeated: it sets the balances.

        Returns:
            The number of members whose balance has changed, also for a repeated key.

        Raises:
            BalanceOverflowError: A member's total would exceed 2⁶³−1 (the first by user id).
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidAmountError: The balance is invalid.
            InvalidTextError: A text is invalid.
        """
        return await corrections.reset_balances(
            run,
            validation.snowflake(guild_id),
            None if balance is None else validation.balance(balance),
            reason=validation.reason(reason),
            actor_id=validation.optional_snowflake(actor_id),
            idempotency_key=validation.idempotency_key(idempotency_key),
            created_at=validation.now(self._clock),
        )

    @operation
    async def reverse_transaction(
        self,
        run: Operation,
        guild_id: str | int,
        transaction_id: UUID | str,
        *,
        reason: str | None = None,
        actor_id: str | int | None = None,
        idempotency_key: str | int | None = None,
    ) -> BytesTransaction:
        """Reverse a ledger row, once: its bytes go from its receiver to its giver.

        The receiver's ``total_received`` and the giver's ``total_sent`` shrink by the amount, so
        earned roles follow. No limit and no cooldown applies. A seat in a squad, a streak, the date
        of the last claim and ``last_transfer_at`` stay.

        Args:
            guild_id: The guild.
            transaction_id: The ledger row: a transfer, a grant (of `grant_many` as well), a charge,
                a daily claim or a payment for a squad.
            reason: Up to 200 characters.
            actor_id: The user who ordered it (snowflake).
            idempotency_key: Up to 100 characters.

        Returns:
            The ledger row of the reversal, with the parties exchanged and ``reverses_id``; with a
            repeated idempotency key the first one.

        Raises:
            TransactionNotFoundError: The guild has no such ledger row.
            AlreadyReversedError: It has been reversed before.
            NotReversibleError: It is a reversal or a member's starting balance, it moved no bytes,
                or the row of one of its members has been deleted.
            InsufficientBalanceError: Its receiver has spent the bytes.
            IdempotencyConflictError: The key was used for another request.
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidTextError: A text is invalid.
        """
        return await corrections.reverse(
            run,
            validation.snowflake(guild_id),
            validation.transaction_id(transaction_id),
            reason=validation.reason(reason),
            actor_id=validation.optional_snowflake(actor_id),
            idempotency_key=validation.idempotency_key(idempotency_key),
            created_at=validation.now(self._clock),
        )

    @operation
    async def get_leaderboard(
        self, run: Operation, guild_id: str | int, limit: int = 10, offset: int = 0
    ) -> list[LeaderboardEntry]:
        """Return the members with the most bytes, by balance descending, then by user id as text.

        Costs O(offset + limit) through an index.

        Args:
            guild_id: The guild.
            limit: Number of entries, 1 … 10,000.
            offset: Number of entries to skip, from 0.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidPageError: The limit or offset is invalid.
        """
        guild = validation.snowflake(guild_id)
        size, start = validation.limit(limit), validation.offset(offset)
        rows = await run.fetch(queries.LEADERBOARD, guild, size, start)
        return [
            LeaderboardEntry(rank, str(row["user_id"]), int(row["balance"]))
            for rank, row in enumerate(rows, start + 1)
        ]

    @operation
    async def get_earnings_leaderboard(
        self,
        run: Operation,
        guild_id: str | int,
        since: datetime,
        until: datetime | None = None,
        limit: int = 10,
    ) -> list[LeaderboardEntry]:
        """Return the members who received the most in a period, such as this week's or month's.

        Transfers, daily claims and grants count, without those that were reversed, at any time.
        Members who left the guild or received nothing are not listed. The order is by sum
        descending, then by user id as text.

        Costs O(ledger rows in the period), found through an index.

        Args:
            guild_id: The guild.
            since: The first instant of the period, timezone-aware.
            until: The first instant after the period, timezone-aware; None for no end.
            limit: Number of entries, 1 … 10,000.

        Returns:
            Entries whose ``balance`` is the sum in whole bytes, at least 1; it may exceed 2⁶³.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidPageError: The limit is invalid, an instant is not a timezone-aware datetime, or
                the period ends before it begins.
        """
        guild, size = validation.snowflake(guild_id), validation.limit(limit)
        period = validation.period(validation.aware_datetime(since), until)
        rows = await run.fetch(queries.EARNINGS_LEADERBOARD, guild, *period, size)
        return [
            LeaderboardEntry(
                rank, str(row["user_id"]), queries.join_halves(int(row["high"]), int(row["low"]))
            )
            for rank, row in enumerate(rows, 1)
        ]

    @operation
    async def get_rank(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> LeaderboardEntry | None:
        """Return a member's place on the leaderboard, counted from 1; None for an unknown member.

        Costs O(rank): the members above are counted through an index. The last member of a million
        took 58 ms (``docs/performance.md``).

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        rows = await run.fetch(queries.GET_RANK, guild, user)
        if not rows:
            return None
        return LeaderboardEntry(int(rows[0]["rank"]), user, int(rows[0]["balance"]))

    @operation
    async def get_transaction_history(
        self,
        run: Operation,
        guild_id: str | int,
        user_id: str | int | None = None,
        limit: int = 20,
        before: BytesTransaction | None = None,
        *,
        kind: str | None = None,
        since: datetime | None = None,
    ) -> list[BytesTransaction]:
        """Return a page of the ledger, newest first (by ``created_at``, then by id).

        Costs O(limit) through an index for every page. With a ``kind``, the rows of other kinds in
        between are read as well; ``since`` bounds them.

        Args:
            guild_id: The guild.
            user_id: Only rows that this member gave or received; None for all.
            limit: Number of rows, 1 … 10,000.
            before: The last row of the previous page, None for the first page. New rows do not
                cause rows to be skipped or repeated.
            kind: Only rows of this kind: ``transfer``, ``starting``, ``daily``, ``grant``,
                ``charge``, ``squad`` or ``reversal``; None for all.
            since: Only rows from this instant on, timezone-aware; None for all.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
            InvalidPageError: The limit is invalid, ``before`` is not a ledger row, there is no such
                ``kind``, or ``since`` is not a timezone-aware datetime.
        """
        guild, user = validation.snowflake(guild_id), validation.optional_snowflake(user_id)
        size = validation.limit(limit)
        if before is None:
            position = queries.FIRST_PAGE
        elif isinstance(before, BytesTransaction):
            position = before.created_at, before.id
        else:
            raise InvalidPageError(before)
        page = (
            guild,
            size,
            *position,
            rules.EARLIEST if since is None else validation.aware_datetime(since),
            None if kind is None else validation.kind(kind),
        )
        if user is None:
            rows = await run.fetch(queries.LIST_ENTRIES, *page)
        else:
            rows = await run.fetch(queries.LIST_MEMBER_ENTRIES, *page, user)
        return [from_row(BytesTransaction, row) for row in rows]

    @operation
    async def get_earned_roles(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> set[str]:
        """Return the role ids of the guild's ``role_rewards`` that the member's total has reached.

        Raises:
            InvalidSnowflakeError: An id is not a valid snowflake.
        """
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        rows = await run.fetch(queries.GET_ROLE_REWARDS, guild, user)
        if not rows:
            return set()
        rewards = from_row(BytesConfig, rows[0]).role_rewards
        return rules.earned_roles(int(rows[0]["total_received"]), rewards)

    @operation
    async def verify(self, run: Operation, guild_id: str | int | None = None) -> LedgerReport:
        """Recompute every balance from the ledger, in the database, and compare.

        Costs a pass over the ledger, O(rows). Safe at any time: it is one statement on one
        snapshot.

        Args:
            guild_id: Only this guild; None for all.

        Returns:
            The numbers of rows checked, and the discrepancies.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
        """
        rows = await run.fetch(queries.FIND_DISCREPANCIES, validation.optional_snowflake(guild_id))
        return LedgerReport(
            members=int(rows[0]["members"]),
            transactions=int(rows[0]["transactions"]),
            discrepancies=tuple(
                discrepancy
                for row in rows
                if row["guild_id"] is not None
                for discrepancy in _discrepancies(row)
            ),
        )

    @operation
    async def get_config(self, run: Operation, guild_id: str | int) -> BytesConfig:
        """Return the guild's config, or the defaults, unsaved.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
        """
        return await self._get_config(run, validation.snowflake(guild_id))

    async def _get_config(self, run: Operation, guild: str) -> BytesConfig:
        rows = await run.fetch(GET_CONFIG, guild)
        return from_row(BytesConfig, rows[0]) if rows else BytesConfig(guild_id=guild)

    @operation
    async def update_config(
        self, run: Operation, guild_id: str | int, changes: BytesConfigUpdate
    ) -> BytesConfig:
        """Change the given fields; concurrent changes of other fields are kept.

        Args:
            guild_id: The guild.
            changes: The fields to change.

        Raises:
            InvalidSnowflakeError: The id is not a valid snowflake.
            InvalidInputError: The changes are invalid.
        """
        guild = validation.snowflake(guild_id)
        given = check_input(BytesConfigUpdate, changes).changes()
        if not given:
            return await self._get_config(run, guild)
        saved_at = wall_time()
        rows = await run.execute(
            SAVE_CONFIG,
            guild,
            saved_at,
            given.get("starting_balance"),
            given.get("daily_amount"),
            _to_json(given.get("streak_bonuses")),
            given.get("max_transfer"),
            given.get("transfer_cooldown_hours"),
            _to_json(given.get("role_rewards")),
            _to_json(defaults.streak_bonuses()),
            given.get("timezone"),
            given.get("streak_grace_days"),
            given.get("currency_name"),
            "currency_emoji" in given,
            given.get("currency_emoji"),
            check=CommitCheck(GET_SAVED_CONFIG, (guild, saved_at)),
        )
        return from_row(BytesConfig, rows[0])


def _to_json(value: Mapping[Any, int] | None) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _request_digest(amounts: Mapping[str, int], reason: str | None) -> str:
    """Return a digest of amounts and reason, to recognise a repeated request."""
    return hashlib.sha256(json.dumps([sorted(amounts.items()), reason]).encode()).hexdigest()


def _discrepancies(row: Mapping[str, Any]) -> list[LedgerDiscrepancy]:
    received = queries.join_halves(int(row["received_high"]), int(row["received_low"]))
    sent = queries.join_halves(int(row["sent_high"]), int(row["sent_low"]))
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
