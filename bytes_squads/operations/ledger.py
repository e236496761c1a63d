"""How bytes move: used by both kinds of operations, inside their transactions.

Every function takes ``db``, the transaction it is a part of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain.errors import BalanceOverflowError, IdempotencyConflictError, InsufficientBalanceError
from ..domain.rules import MAX_BYTES, SYSTEM_ID, wall_time
from ..engine import commit_checks as traces
from ..engine.transaction import at_once, leave_trace, operation_ids, retried
from ..models import BytesBalance, BytesConfig, BytesTransaction, SquadMembership
from ..sql import movements


def entry(
    kind: str,
    *,
    guild_id: str,
    giver_id: str = SYSTEM_ID,
    giver_username: str = SYSTEM_ID,
    receiver_id: str = SYSTEM_ID,
    receiver_username: str = SYSTEM_ID,
    amount: int,
    created_at: datetime,
    reason: str | None = None,
    actor_id: str | None = None,
    idempotency_key: str | None = None,
) -> BytesTransaction:
    """The running operation's ledger row, not stored yet; a party not named is SYSTEM."""
    row = BytesTransaction._init_from_db(  # every value is one: what __init__ checks is checked
        id=row_id(),
        guild_id=guild_id,
        giver_id=giver_id,
        giver_username=giver_username,
        receiver_id=receiver_id,
        receiver_username=receiver_username,
        amount=amount,
        reason=reason,
        created_at=created_at,
        kind=kind,
        actor_id=actor_id,
        idempotency_key=idempotency_key,
        details=None,
    )
    row._saved_in_db = False
    return row


def row_id() -> UUID:
    """The id of the running operation's ledger row; those of new members' first rows precede it."""
    return operation_ids(3)[2]


async def config_of(db: BaseDBAsyncClient, guild_id: str) -> BytesConfig:
    """The guild's config, made with the defaults when there is none."""
    config = await BytesConfig.get_or_none(guild_id=guild_id, using_db=db)
    if config is None:
        # Two that come at once both insert; the second one's row is ignored.
        await BytesConfig.bulk_create(
            [BytesConfig(guild_id=guild_id)], ignore_conflicts=True, using_db=db
        )
        config = await BytesConfig.get(guild_id=guild_id, using_db=db)
        leave_trace(db, traces.CONFIG_CHANGED, guild_id, config.updated_at)
    return config


async def welcome(
    db: BaseDBAsyncClient,
    config: BytesConfig,
    members: Iterable[tuple[str, str]],
    created_at: datetime,
) -> None:
    """Give each member who is new a balance row and the starting bytes.

    Args:
        db: The transaction.
        config: The guild's config.
        members: User id and username of each.
        created_at: The operation's clock.
    """
    # In one order, so that two cannot deadlock.
    for place, (user_id, username) in enumerate(sorted(members)):
        new = await movements.WELCOME.rows(
            db, config.guild_id, user_id, config.starting_balance, wall_time()
        )
        if not new:
            continue
        leave_trace(db, traces.MEMBER_EXISTS, config.guild_id, user_id)
        if config.starting_balance:
            await BytesTransaction.create(
                id=operation_ids(3)[place],
                guild_id=config.guild_id,
                giver_id=SYSTEM_ID,
                giver_username=SYSTEM_ID,
                receiver_id=user_id,
                receiver_username=username,
                amount=config.starting_balance,
                created_at=created_at,
                kind="starting",
                using_db=db,
            )


async def meet(
    db: BaseDBAsyncClient, guild_id: str, members: dict[str, str], created_at: datetime
) -> BytesConfig:
    """The guild's config; members who are new are welcomed.

    This comes before any row is locked: two operations that welcome each other's members while
    they hold a lock would deadlock.

    Args:
        db: The transaction.
        guild_id: The guild.
        members: Username by user id, of one member or two.
        created_at: The operation's clock.
    """
    found = await movements.MEET.rows(db, guild_id, min(members), max(members))
    if found and found[0]["known"] == len(members):
        return BytesConfig._init_from_db(**found[0])
    config = await config_of(db, guild_id)
    await welcome(db, config, members.items(), created_at)
    return config


async def hold(
    db: BaseDBAsyncClient, guild_id: str, user_id: str, key: str | None
) -> tuple[BytesBalance, BytesConfig] | None:
    """What a member's claim depends on, the member's row locked; None when the member is new.

    The key is locked as well, as by `wait_for`.
    """
    found = await movements.HOLD.rows(db, guild_id, user_id, key)
    if not found:
        return None
    return BytesBalance._init_from_db(**found[0]), BytesConfig._init_from_db(**found[0])


async def lock(
    db: BaseDBAsyncClient, guild_id: str, members: Iterable[str]
) -> dict[str, BytesBalance]:
    """The members' balance rows by user id, locked until the transaction ends.

    They are locked in the order of their user ids: two transfers between the same members in
    opposite directions wait for each other instead of deadlocking.
    """
    rows = BytesBalance.filter(guild_id=guild_id, user_id__in=list(members))
    locked = await rows.order_by("user_id").select_for_update().using_db(db)
    return {row.user_id: row for row in locked}


def parties(row: BytesTransaction) -> dict[str, str]:
    """Username by user id of those in a ledger row who are members."""
    both = {row.giver_id: row.giver_username, row.receiver_id: row.receiver_username}
    return {user_id: name for user_id, name in both.items() if user_id != SYSTEM_ID}


async def settle_at_once(row: BytesTransaction) -> bool:
    """Judge, move and record in one statement that is a transaction of its own.

    Returns:
        Whether it happened. If not, nothing did, and the reason is for the caller to find.
    """
    trace = traces.LEDGER_ROW_EXISTS, (row.guild_id, row.id)
    pair = movements.settlement(row.kind, row.idempotency_key)
    return _stored(row, await at_once(pair, *_values(row), wall_time(), trace=trace))


async def settle(db: BaseDBAsyncClient, row: BytesTransaction) -> bool:
    """Judge, move and record as a part of a transaction.

    Returns:
        Whether it happened, as `settle_at_once`.
    """
    pair = movements.settlement(row.kind, row.idempotency_key)
    if not _stored(row, await pair.happens(db, *_values(row), wall_time())):
        return False
    leave_trace(db, traces.LEDGER_ROW_EXISTS, row.guild_id, row.id)
    return True


async def claim(
    db: BaseDBAsyncClient, row: BytesTransaction, today: date, streak: int, stamp: datetime
) -> None:
    """Pay and record the daily claim of a member whose row is locked and has room for it."""
    _stored(row, await movements.CLAIM.happens(db, *_values(row), stamp, today, streak))
    leave_trace(db, traces.LEDGER_ROW_EXISTS, row.guild_id, row.id)


def _values(row: BytesTransaction) -> tuple[Any, ...]:
    """The row as `movements.settlement` and its neighbours take it."""
    return (
        row.id,
        row.guild_id,
        row.giver_id,
        row.giver_username,
        row.receiver_id,
        row.receiver_username,
        row.amount,
        row.reason,
        row.created_at,
        row.kind,
        row.actor_id,
        row.idempotency_key,
        None if row.details is None else json.dumps(row.details),
    )


def _stored(row: BytesTransaction, happened: bool) -> bool:
    row._saved_in_db = row._saved_in_db or happened
    return happened


async def move(db: BaseDBAsyncClient, row: BytesTransaction) -> None:
    """Move the bytes of a ledger row between the balances of its parties, who were met before.

    Raises:
        InsufficientBalanceError: The giver has fewer bytes.
        BalanceOverflowError: The receiver's total has no room for them.
    """
    locked = await lock(db, row.guild_id, parties(row))
    giver, receiver = locked.get(row.giver_id), locked.get(row.receiver_id)
    if giver is not None and giver.balance < row.amount:
        raise InsufficientBalanceError(giver.balance, row.amount)
    if receiver is not None and receiver.total_received > MAX_BYTES - row.amount:
        raise BalanceOverflowError(receiver.total_received, row.amount)
    await movements.MOVE.rows(
        db, row.guild_id, row.giver_id, row.receiver_id, row.amount, wall_time()
    )


async def record(db: BaseDBAsyncClient, row: BytesTransaction) -> None:
    """Write the ledger row of bytes that moved in this transaction."""
    await movements.RECORD.rows(db, *_values(row))
    _stored(row, True)
    leave_trace(db, traces.LEDGER_ROW_EXISTS, row.guild_id, row.id)


async def wait_for(db: BaseDBAsyncClient, guild_id: str, key: str | None) -> None:
    """Wait until whoever has come with the same key before has ended.

    A second delivery then finds what the first one wrote. Without the lock it would look too early,
    and be refused by what the first had changed meanwhile. On SQLite transactions wait anyway.
    """
    if key is not None and db.capabilities.dialect == "postgres":
        await movements.KEY_LOCK.rows(db, guild_id, key)


async def earlier(
    db: BaseDBAsyncClient, guild_id: str, key: str | None, own_id: UUID
) -> BytesTransaction | BytesBalance | SquadMembership | None:
    """What an earlier order with this key wrote, or an earlier attempt at the running operation.

    The key is locked, see `wait_for`.

    Args:
        db: The transaction.
        guild_id: The guild.
        key: The idempotency key.
        own_id: The id of the ledger row that an earlier attempt would have written.

    Returns:
        The ledger row; the member's balance row after a claim, or the membership after a joining,
        that moved no bytes; or None.
    """
    if key is None and not retried():
        return None
    used = await movements.KEY_USED.rows(db, guild_id, key, own_id if retried() else None)
    if not used:
        return None
    tables: dict[str, type[BytesTransaction | BytesBalance | SquadMembership]] = {
        "ledger": BytesTransaction,
        "claim": BytesBalance,
        "membership": SquadMembership,
    }
    return await tables[used[0]["place"]].get(guild_id=guild_id, id=used[0]["id"], using_db=db)


def same_movement(
    first: BytesTransaction | BytesBalance | SquadMembership, row: BytesTransaction
) -> BytesTransaction:
    """The first order's ledger row, if it moved what this row would.

    Raises:
        IdempotencyConflictError: It did not. What counts is kind, parties, amount and reason;
            usernames do not. A row's details tell one of many grants from a single one.
    """
    if isinstance(first, BytesTransaction) and all(
        getattr(first, name) == getattr(row, name)
        for name in ("kind", "giver_id", "receiver_id", "amount", "reason", "details")
    ):
        return first
    raise IdempotencyConflictError(str(row.idempotency_key))
