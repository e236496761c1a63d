"""Post ledger entries: the only way to move bytes.

The statement of a posting checks the rules, changes balances, records the entry and returns a
verdict. `post_entry` turns the verdict into the entry or an error; Python checks no rule again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain import rules
from ..domain.errors import (
    AlreadyInSquadError,
    AlreadyReversedError,
    BalanceOverflowError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    NotInSquadError,
    NotReversibleError,
    RefusedError,
    SquadFullError,
    SquadInactiveError,
    SquadNotFoundError,
    TransferCooldownError,
    TransferLimitError,
)
from ..domain.rules import SYSTEM_ID, wall_time
from ..engine._tortoise import from_row, mark_saved, new_instance
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import (
    TransientError,
    UniqueConflictError,
    translate_driver_errors,
)
from ..engine.operation import Operation
from ..engine.transaction import execute_in_block, in_transaction
from ..models import BytesTransaction
from ..sql.members import INSERT_MEMBERS
from ..sql.postings import GET_ENTRY_BY_KEY, POST_ENTRY
from ..sql.statement import PostingStatement

IMMEDIATE_ATTEMPTS = 10
"""Attempts without backoff of a posting or claim whose rows changed in between."""

Verdict = Mapping[str, Any]


def new_entry(
    run: Operation,
    kind: str,
    *,
    guild_id: str,
    giver_id: str = SYSTEM_ID,
    giver_username: str = SYSTEM_ID,
    receiver_id: str = SYSTEM_ID,
    receiver_username: str = SYSTEM_ID,
    amount: int = 0,
    created_at: datetime,
    reason: str | None = None,
    actor_id: str | None = None,
    idempotency_key: str | None = None,
    details: dict[str, Any] | None = None,
    reverses_id: UUID | None = None,
) -> BytesTransaction:
    """Return a new, unsaved ledger entry; the default party is SYSTEM."""
    return new_instance(
        BytesTransaction,
        id=run.draw_ids(3)[2],  # the ids of new members' starting entries precede it
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
        details=details,
        reverses_id=reverses_id,
    )


def entry_parameters(entry: BytesTransaction) -> tuple[Any, ...]:
    """Return the first parameters of every posting of this entry."""
    return (
        entry.id,
        entry.guild_id,
        entry.giver_id,
        entry.giver_username,
        entry.receiver_id,
        entry.receiver_username,
        entry.created_at,
        entry.kind,
        entry.actor_id,
        entry.idempotency_key,
    )


def post_entry_parameters(entry: BytesTransaction) -> tuple[Any, ...]:
    """Return the parameters of `POST_ENTRY` after `entry_parameters`."""
    details = None if entry.details is None else json.dumps(entry.details, separators=(",", ":"))
    return wall_time(), entry.amount, entry.reason, details


async def post_entry(run: Operation, entry: BytesTransaction) -> BytesTransaction:
    """Post an entry that moves a given amount.

    Returns:
        The entry; with a repeated idempotency key the first one.

    Raises:
        RefusedError: A rule forbids it; see `refusal`.
    """
    verdict = await post(run, POST_ENTRY, entry, *post_entry_parameters(entry))
    if verdict["outcome"] == "repeated":
        return replay_or_conflict(await find_earlier_entry(run, entry), entry)
    if verdict["outcome"] != "done":
        raise refusal(verdict)
    mark_saved(entry)
    return entry


async def post(
    run: Operation, statement: PostingStatement, entry: BytesTransaction, *parameters: Any
) -> Verdict:
    """Execute the posting of an entry; create its parties if they are new.

    Args:
        run: The operation.
        statement: The posting.
        entry: The entry.
        parameters: The parameters after `entry_parameters`.

    Returns:
        The verdict. Unless its ``outcome`` is ``done``, nothing was changed.
    """
    parties = {entry.giver_id: entry.giver_username, entry.receiver_id: entry.receiver_username}
    members = {user_id: name for user_id, name in parties.items() if user_id != SYSTEM_ID}
    ids = run.draw_ids(3)

    async def create_members(db: BaseDBAsyncClient) -> None:
        await insert_members(db, entry.guild_id, members, [ids[0], ids[1]], entry.created_at)

    return await execute_posting(
        run,
        statement,
        (*entry_parameters(entry), *parameters),
        CommitCheck.of_entry(entry.guild_id, entry.id),
        create_members,
    )


async def execute_posting(
    run: Operation,
    statement: PostingStatement,
    parameters: Sequence[Any],
    check: CommitCheck,
    create_members: Callable[[BaseDBAsyncClient], Awaitable[None]] | None = None,
) -> Verdict:
    """Execute a posting until its verdict is valid; insert its unknown members.

    If a row changed during a lock wait, the posting is executed again in a transaction, which keeps
    the locks. So at most two more executions are needed, however many others wait for the rows.

    Args:
        run: The operation.
        statement: The posting.
        parameters: Its values.
        check: The commit check of its ledger row.
        create_members: Inserts the members who are new, if there can be any.

    Returns:
        The verdict. Unless its ``outcome`` is ``done``, nothing was changed.
    """
    for attempt in range(1, IMMEDIATE_ATTEMPTS + 1):
        try:
            verdict: Verdict = (await run.execute(statement, *parameters, check=check))[0]
            if verdict["outcome"] == "unknown_member":
                verdict = await _post_in_new_transaction(
                    statement, parameters, check, create_members
                )
            elif verdict["outcome"] == "stale":
                verdict = await _post_in_new_transaction(statement, parameters, check)
        except UniqueConflictError:
            # Another transaction, now committed, inserted the same key or member.
            if not run.is_nested or attempt == IMMEDIATE_ATTEMPTS:
                raise
            continue
        if verdict["outcome"] not in ("stale", "unknown_member"):
            return verdict
    raise TransientError("the database stayed in conflict with other operations")


async def _post_in_new_transaction(
    statement: PostingStatement,
    parameters: Sequence[Any],
    check: CommitCheck,
    create_members: Callable[[BaseDBAsyncClient], Awaitable[None]] | None = None,
) -> Verdict:
    """Execute a posting in a transaction, which is rolled back unless the posting is done.

    New members stay if they have what the posting was to give them: ``unchanged``.
    """
    try:
        with translate_driver_errors():
            async with in_transaction() as db:
                if create_members is not None:
                    await create_members(db)
                verdict = await post_in_block(db, statement, parameters, check)
                members_suffice = create_members is not None and verdict["outcome"] == "unchanged"
                if verdict["outcome"] != "done" and not members_suffice:
                    raise _NotPostedError
    except _NotPostedError:
        pass
    return verdict


async def post_in_block(
    db: BaseDBAsyncClient,
    statement: PostingStatement,
    parameters: Sequence[Any],
    check: CommitCheck,
) -> Verdict:
    """Execute a posting in a transaction, again if a row changed during a lock wait.

    Returns:
        The verdict. Unless its ``outcome`` is ``done``, nothing was changed.
    """
    for _ in range(2):  # the second attempt already holds the locks
        rows = await execute_in_block(db, statement, *parameters, check=check)
        if rows[0]["outcome"] != "stale":
            break
    return rows[0]


class _NotPostedError(Exception):
    """Roll back the transaction of a refused posting."""


async def insert_members(
    db: BaseDBAsyncClient,
    guild_id: str,
    members: Mapping[str, str],
    entry_ids: Sequence[UUID | str],
    created_at: datetime,
) -> None:
    """Insert the members who are new, each with the starting balance and its ledger entry.

    Args:
        db: The transaction.
        guild_id: The guild.
        members: Username by user id.
        entry_ids: An id for each member's ledger entry.
        created_at: The operation's time.
    """
    users = sorted(members)
    names = [members[user] for user in users]
    ids = list(entry_ids[: len(users)])
    values = guild_id, users, names, ids, created_at, wall_time()
    check = CommitCheck.of_entry(guild_id, ids[0])
    await execute_in_block(db, INSERT_MEMBERS, *values, check=check)


async def find_earlier_entry(run: Operation, entry: BytesTransaction) -> BytesTransaction:
    """Return the entry of the earlier request with the same key."""
    rows = await run.fetch(GET_ENTRY_BY_KEY, entry.guild_id, entry.idempotency_key)
    if not rows:  # deleted since
        raise TransientError("the database stayed in conflict with other operations")
    return from_row(BytesTransaction, rows[0])


_CONTENT = ("kind", "giver_id", "receiver_id", "amount", "reason", "details", "reverses_id")
"""The fields that have to be equal in two requests with one idempotency key."""


def replay_or_conflict(first: BytesTransaction, entry: BytesTransaction) -> BytesTransaction:
    """Return the first entry with this key if its content equals this entry's.

    Usernames are not compared. The details distinguish `grant_many` from a single grant.

    Raises:
        IdempotencyConflictError: The content differs.
    """
    if all(getattr(first, name) == getattr(entry, name) for name in _CONTENT):
        return first
    raise IdempotencyConflictError(str(entry.idempotency_key))


def refusal(verdict: Verdict) -> RefusedError:
    """Return the error for a verdict, with the verdict's numbers."""
    return _REFUSALS[verdict["outcome"]](verdict)


def _cooldown(verdict: Verdict) -> RefusedError:
    last = to_datetime(verdict["last_transfer_at"])
    assert last is not None  # the cooldown is counted from it
    return TransferCooldownError(rules.cooldown_ends_at(last, verdict["cooldown_hours"]))


def to_datetime(value: datetime | str | None) -> datetime | None:
    """Return a column's time as a datetime; SQLite stores text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


_REFUSALS: dict[str, Callable[[Verdict], RefusedError]] = {
    "limit": lambda v: TransferLimitError(v["amount"], v["max_transfer"]),
    "insufficient_balance": lambda v: InsufficientBalanceError(v["giver_balance"], v["amount"]),
    "overflow": lambda v: BalanceOverflowError(v["receiver_total"], v["amount"]),
    "cooldown": _cooldown,
    "not_reversible": lambda v: NotReversibleError(
        UUID(v["transaction_id"]), v["transaction_kind"]
    ),
    "already_reversed": lambda v: AlreadyReversedError(
        UUID(v["transaction_id"]), UUID(v["reversal_id"])
    ),
    "squad_not_found": lambda v: SquadNotFoundError(UUID(v["squad_id"])),
    "squad_inactive": lambda v: SquadInactiveError(UUID(v["squad_id"])),
    "squad_full": lambda v: SquadFullError(UUID(v["squad_id"]), v["max_members"]),
    "already_in_squad": lambda v: AlreadyInSquadError(UUID(v["current_squad_id"])),
    "not_in_squad": lambda v: NotInSquadError(v["user_id"]),
}
