"""Post ledger entries: the one way in which bytes move.

The statement of a posting judges, changes and records, and answers with a verdict. `post` turns
the verdict into the entry or an error; no rule is judged again in Python.
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
    BalanceOverflowError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    NotInSquadError,
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
"""How often a posting, or a claim, begins again at once because a row changed meanwhile."""

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
) -> BytesTransaction:
    """Return the operation's ledger entry, not stored yet; a party not named is SYSTEM."""
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


def content_parameters(entry: BytesTransaction) -> tuple[Any, ...]:
    """Return wall time, amount, reason and details, as `POST_ENTRY` and its like take them."""
    details = None if entry.details is None else json.dumps(entry.details, separators=(",", ":"))
    return wall_time(), entry.amount, entry.reason, details


async def post_entry(run: Operation, entry: BytesTransaction) -> BytesTransaction:
    """Post an entry that moves a given amount.

    Returns:
        The entry; with a repeated idempotency key the first one.

    Raises:
        RefusedError: A rule forbids it; see `refusal`.
    """
    verdict = await post(run, POST_ENTRY, entry, *content_parameters(entry))
    if verdict["outcome"] == "repeated":
        return replay_or_conflict(await find_earlier_entry(run, entry), entry)
    if verdict["outcome"] != "done":
        raise refusal(verdict)
    mark_saved(entry)
    return entry


async def post(
    run: Operation, statement: PostingStatement, entry: BytesTransaction, *parameters: Any
) -> Verdict:
    """Execute the posting of an entry, whose parties may be new.

    Args:
        run: The operation.
        statement: The posting.
        entry: The entry.
        parameters: What the statement takes after `entry_parameters`.

    Returns:
        The verdict. Where its ``outcome`` is not ``done``, nothing was changed.
    """
    parties = {entry.giver_id: entry.giver_username, entry.receiver_id: entry.receiver_username}
    members = {user_id: name for user_id, name in parties.items() if user_id != SYSTEM_ID}
    ids = run.draw_ids(3)

    async def make_known(db: BaseDBAsyncClient) -> None:
        await insert_members(db, entry.guild_id, members, [ids[0], ids[1]], entry.created_at)

    return await execute_posting(
        run,
        statement,
        (*entry_parameters(entry), *parameters),
        CommitCheck.of_entry(entry.guild_id, entry.id),
        make_known,
    )


async def execute_posting(
    run: Operation,
    statement: PostingStatement,
    parameters: Sequence[Any],
    check: CommitCheck,
    make_known: Callable[[BaseDBAsyncClient], Awaitable[None]],
) -> Verdict:
    """Execute a posting until its verdict holds; make its members known where they are not.

    Where a row had changed while the statement waited for it, the posting is executed again in
    a transaction, which keeps the locks: so it holds after two more executions, however many
    others wait for the same rows.

    Args:
        run: The operation.
        statement: The posting.
        parameters: Its values.
        check: The commit check of its ledger row.
        make_known: Inserts the members who are new.

    Returns:
        The verdict. Where its ``outcome`` is not ``done``, nothing was changed.
    """
    for attempt in range(1, IMMEDIATE_ATTEMPTS + 1):
        try:
            verdict: Verdict = (await run.execute(statement, *parameters, check=check))[0]
            if verdict["outcome"] == "unknown_member":
                verdict = await _execute_in_block(statement, parameters, check, make_known)
            elif verdict["outcome"] == "stale":
                verdict = await _execute_in_block(statement, parameters, check)
        except UniqueConflictError:
            # Another operation has inserted the same key or member, and has ended by now.
            if not run.is_nested or attempt == IMMEDIATE_ATTEMPTS:
                raise
            continue
        if verdict["outcome"] not in ("stale", "unknown_member"):
            return verdict
    raise TransientError("the database stayed in conflict with other operations")


async def _execute_in_block(
    statement: PostingStatement,
    parameters: Sequence[Any],
    check: CommitCheck,
    make_known: Callable[[BaseDBAsyncClient], Awaitable[None]] | None = None,
) -> Verdict:
    """Execute a posting in a transaction, which is rolled back unless the posting is done."""
    try:
        with translate_driver_errors():
            async with in_transaction() as db:
                if make_known is not None:
                    await make_known(db)
                for _ in range(2):  # the second time, the locks are held already
                    rows = await execute_in_block(db, statement, *parameters, check=check)
                    if rows[0]["outcome"] != "stale":
                        break
                if rows[0]["outcome"] != "done":
                    raise _NotPostedError
    except _NotPostedError:
        pass
    return rows[0]


class _NotPostedError(Exception):
    """Rolls back the block of a posting that was not done."""


async def insert_members(
    db: BaseDBAsyncClient,
    guild_id: str,
    members: Mapping[str, str],
    entry_ids: Sequence[UUID | str],
    created_at: datetime,
) -> None:
    """Insert those members who are new, each with the starting bytes and their ledger entry.

    Args:
        db: The transaction.
        guild_id: The guild.
        members: Username by user id.
        entry_ids: An id for each member's ledger entry.
        created_at: The operation's clock.
    """
    users = sorted(members)
    names = [members[user] for user in users]
    ids = list(entry_ids[: len(users)])
    await execute_in_block(db, INSERT_MEMBERS, guild_id, users, names, ids, created_at, wall_time())


async def find_earlier_entry(run: Operation, entry: BytesTransaction) -> BytesTransaction:
    """Return the entry that an earlier request with the same key made."""
    rows = await run.fetch(GET_ENTRY_BY_KEY, entry.guild_id, entry.idempotency_key)
    if not rows:  # deleted since
        raise TransientError("the database stayed in conflict with other operations")
    return from_row(BytesTransaction, rows[0])


def replay_or_conflict(first: BytesTransaction, entry: BytesTransaction) -> BytesTransaction:
    """Return the first entry with this key if it moved what this one would.

    Kind, parties, amount and reason are compared; usernames are not. The details distinguish one
    of many grants from a single one.

    Raises:
        IdempotencyConflictError: It moved something else.
    """
    if all(
        getattr(first, name) == getattr(entry, name)
        for name in ("kind", "giver_id", "receiver_id", "amount", "reason", "details")
    ):
        return first
    raise IdempotencyConflictError(str(entry.idempotency_key))


def refusal(verdict: Verdict) -> RefusedError:
    """Return the error that a verdict means, with the verdict's numbers."""
    return _REFUSALS[verdict["outcome"]](verdict)


def _cooldown(verdict: Verdict) -> RefusedError:
    last = verdict["last_transfer_at"]
    if isinstance(last, str):  # SQLite has no type for it
        last = datetime.fromisoformat(last)
    return TransferCooldownError(rules.cooldown_ends_at(last, verdict["cooldown_hours"]))


_REFUSALS: dict[str, Callable[[Verdict], RefusedError]] = {
    "limit": lambda v: TransferLimitError(v["amount"], v["max_transfer"]),
    "insufficient_balance": lambda v: InsufficientBalanceError(v["giver_balance"], v["amount"]),
    "overflow": lambda v: BalanceOverflowError(v["receiver_total"], v["amount"]),
    "cooldown": _cooldown,
    "squad_not_found": lambda v: SquadNotFoundError(UUID(v["squad_id"])),
    "squad_inactive": lambda v: SquadInactiveError(UUID(v["squad_id"])),
    "squad_full": lambda v: SquadFullError(UUID(v["squad_id"]), v["max_members"]),
    "already_in_squad": lambda v: AlreadyInSquadError(UUID(v["current_squad_id"])),
    "not_in_squad": lambda v: NotInSquadError(v["user_id"]),
}
