"""What moderators correct: reversals."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ..domain.errors import NotReversibleError, TransactionNotFoundError
from ..domain.rules import wall_time
from ..engine._tortoise import from_row, mark_saved
from ..engine.driver_errors import TransientError
from ..engine.operation import Operation
from ..models import BytesTransaction
from ..sql.postings import GET_ENTRY
from ..sql.reversals import POST_REVERSAL
from . import ledger


async def reverse(
    run: Operation, guild_id: str, transaction_id: UUID, **order: Any
) -> BytesTransaction:
    """Post the reversal of a ledger row.

    The row is read first, for its parties. They are final, but for a member whose id is replaced by
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
