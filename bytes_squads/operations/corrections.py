"""Corrections by moderators: reverse a transaction, set one balance or all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ..domain.errors import (
    IdempotencyConflictError,
    NotReversibleError,
    TransactionNotFoundError,
)
from ..domain.rules import SYSTEM_ID, wall_time
from ..engine._tortoise import from_row, mark_saved
from ..engine.commit_checks import CommitCheck
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation
from ..models import BytesTransaction
from ..sql.postings import GET_ENTRY, GET_ENTRY_BY_KEY
from ..sql.queries import COUNT_MEMBERS
from ..sql.reset_balances import POST_RESET
from ..sql.reversals import POST_REVERSAL
from ..sql.set_balances import GET_EXPECTED_BALANCE, SET_BALANCE
from . import ledger


async def reverse(
    run: Operation, guild_id: str, transaction_id: UUID, **order: Any
) -> BytesTransaction:
    """Post the reversal of a ledger row.

    The row is read first, for its parties. They are final, except that an erasure replaces an id by
    a pseudonym: then the row is read again.

    Args:
        run: The operation.
        guild_id: The guild.
        transaction_id: The row.
        order: Further fields of the reversal's entry.

    Returns:
        The entry; with a repeated idempotency key the first one.

    Raises:
        RefusedError: A rule forbids it; see `ledger.refusal`.
    """
    read_before: tuple[str, str] | None = None
    for _ in range(ledger.IMMEDIATE_ATTEMPTS):
        rows = await run.fetch(GET_ENTRY, guild_id, transaction_id)
        if not rows:
            raise TransactionNotFoundError(transaction_id)
        original = from_row(BytesTransaction, rows[0])
        parties = original.giver_id, original.receiver_id
        if parties == read_before:  # a member's row was deleted
            raise NotReversibleError(transaction_id, original.kind)
        entry = ledger.new_entry(
            run,
            "reversal",
            guild_id=guild_id,
            giver_id=original.receiver_id,
            giver_username=original.receiver_username,
            receiver_id=original.giver_id,
            receiver_username=original.giver_username,
            amount=original.amount,
            reverses_id=transaction_id,
            **order,
        )
        content = wall_time(), transaction_id, entry.reason
        verdict = await ledger.post(run, POST_REVERSAL, entry, *content)
        if verdict["outcome"] == "repeated":
            return ledger.replay_or_conflict(await ledger.find_earlier_entry(run, entry), entry)
        if verdict["outcome"] == "done":
            mark_saved(entry)
            return entry
        if verdict["outcome"] != "outdated":
            raise ledger.refusal(verdict)
        read_before = parties
    raise TransientError("the database stayed in conflict with other operations")


async def set_balance(
    run: Operation, guild_id: str, user_id: str, balance: int, username: str, **order: Any
) -> BytesTransaction | None:
    """Post the grant or charge after which a member has a balance.

    The balance is read first, to choose between the two; the posting checks it on the locked row.

    Args:
        run: The operation.
        guild_id: The guild.
        user_id: The member.
        balance: The balance, in whole bytes.
        username: The member's name.
        order: Further fields of the entry.

    Returns:
        The entry, or None if the member has this balance; with a repeated idempotency key the first
        entry.

    Raises:
        RefusedError: A rule forbids it; see `ledger.refusal`.
    """
    for _ in range(ledger.IMMEDIATE_ATTEMPTS):
        rows = await run.fetch(GET_EXPECTED_BALANCE, guild_id, user_id)
        kind, party = "grant", "receiver"
        if rows[0]["balance"] > balance:
            kind, party = "charge", "giver"
        member: dict[str, Any] = {f"{party}_id": user_id, f"{party}_username": username}
        entry = ledger.new_entry(
            run,
            kind,
            guild_id=guild_id,
            details={"set_balance": balance},
            **member,
            **order,
        )
        details = json.dumps(entry.details, separators=(",", ":"))
        content = wall_time(), balance, entry.reason, details
        verdict = await ledger.post(run, SET_BALANCE, entry, *content)
        if verdict["outcome"] == "repeated":
            return _replay_set_balance(await ledger.find_earlier_entry(run, entry), entry)
        if verdict["outcome"] == "unchanged":
            return None
        if verdict["outcome"] == "done":
            return await _saved(run, entry, verdict)
        if verdict["outcome"] != "outdated":
            raise ledger.refusal(verdict)
    raise TransientError("the database stayed in conflict with other operations")


async def _saved(
    run: Operation, entry: BytesTransaction, verdict: Mapping[str, Any]
) -> BytesTransaction:
    """Return the entry with the amount that the posting has computed."""
    amount = verdict.get("amount")
    if amount is None:  # the answer was lost, and the entry was found
        rows = await run.fetch(GET_ENTRY, entry.guild_id, entry.id)
        return from_row(BytesTransaction, rows[0])
    entry.amount = amount
    mark_saved(entry)
    return entry


def _replay_set_balance(first: BytesTransaction, entry: BytesTransaction) -> BytesTransaction:
    """Return the first entry with this key if it set the same member's balance to the same.

    A grant may be repeated as a charge: the balance has changed since.

    Raises:
        IdempotencyConflictError: It did something else.
    """
    members = [{each.giver_id, each.receiver_id} - {SYSTEM_ID} for each in (first, entry)]
    if (
        first.kind in ("grant", "charge")
        and members[0] == members[1]
        and (first.details, first.reason) == (entry.details, entry.reason)
    ):
        return first
    raise IdempotencyConflictError(str(entry.idempotency_key))


async def reset_balances(
    run: Operation,
    guild_id: str,
    balance: int | None,
    *,
    reason: str | None,
    actor_id: str | None,
    idempotency_key: str | None,
    created_at: datetime,
) -> int:
    """Set the balance of every member of a guild.

    Args:
        run: The operation.
        guild_id: The guild.
        balance: The balance, in whole bytes; None for the guild's starting balance.
        reason: The reason, on each entry.
        actor_id: The user who ordered it.
        idempotency_key: The key, on one entry.
        created_at: The operation's time.

    Returns:
        The number of members whose balance has changed; with a repeated idempotency key the first
        number.

    Raises:
        RefusedError: A rule forbids it; see `ledger.refusal`.
    """
    ids = run.draw_ids(2)
    first_id = ids[0]
    content = balance, reason, created_at, actor_id, idempotency_key, wall_time()
    check = CommitCheck.of_entry(guild_id, first_id)
    parameters = guild_id, first_id, ids[1], *content
    members = int((await run.fetch(COUNT_MEMBERS, guild_id))[0]["members"])
    verdict = await ledger.execute_posting(run, POST_RESET.for_rows(members), parameters, check)
    if verdict["outcome"] == "unchanged":
        return 0
    if verdict["outcome"] == "done":
        changed = verdict.get("members_changed")
        if changed is not None:
            return int(changed)
        rows = await run.fetch(GET_ENTRY, guild_id, first_id)  # the answer was lost
        return int((from_row(BytesTransaction, rows[0]).details or {})["members"])
    if verdict["outcome"] != "repeated":
        raise ledger.refusal(verdict)
    rows = await run.fetch(GET_ENTRY_BY_KEY, guild_id, idempotency_key)
    first = from_row(BytesTransaction, rows[0]) if rows else None
    details = (first and first.details) or {}
    if (
        first is None
        or first.reason != reason
        or details.keys() != {"reset_balances", "members"}
        or details["reset_balances"] != balance
    ):
        raise IdempotencyConflictError(str(idempotency_key))
    return int(details["members"])
