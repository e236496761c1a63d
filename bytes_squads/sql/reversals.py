"""Reverse a ledger row."""

from __future__ import annotations

from .postings import (
    BALANCES,
    KEY_IS_USED,
    MEMBERS_CHANGED,
    ONE_ROW,
    PARTIES,
    RECORD_ENTRY,
    balances_update,
    insufficient_balance_case,
    locked_members_cte,
)
from .statement import PostingStatement

_ORIGINAL = """(
        SELECT id, kind, amount FROM bytes_transactions
        WHERE guild_id = $2::text AND id = $12::uuid
          AND giver_id = $5::text AND receiver_id = $3::text
    ) AS original"""

_REVERSAL = """(
        SELECT id FROM bytes_transactions
        WHERE guild_id = $2::text AND reverses_id = $12::uuid
    ) AS reversal"""

POST_REVERSAL = PostingStatement(
    locks=locked_members_cte(),
    source=f"{ONE_ROW} LEFT JOIN {_ORIGINAL} ON true LEFT JOIN {_REVERSAL} ON true {PARTIES}",
    repeated=KEY_IS_USED,
    # If the row was reversed since the snapshot, the members have changed, and their totals may be
    # too small. A distributed database updates them before the index of reversals is asked.
    cases=f"""
        WHEN original.id IS NULL THEN 'outdated'
        WHEN original.kind IN ('starting', 'reversal') OR original.amount = 0
            THEN 'not_reversible'
        WHEN reversal.id IS NOT NULL THEN 'already_reversed'
        WHEN giver.id IS NULL AND $3::text <> 'SYSTEM'
            OR receiver.id IS NULL AND $5::text <> 'SYSTEM' THEN 'outdated'
        {insufficient_balance_case("original.amount")}
        WHEN {MEMBERS_CHANGED} THEN 'stale'""",
    amount="original.amount",
    reason="$13::text",
    details="NULL::text",
    reverses_id="$12::uuid",
    numbers={
        **BALANCES,
        "transaction_id": "$12::uuid::text",
        "transaction_kind": "original.kind",
        "reversal_id": "reversal.id::text",
    },
    changes={"balances_updated": balances_update(takes_back=True)},
    inserts=RECORD_ENTRY,
    changed=MEMBERS_CHANGED,
)
"""Post the reversal of a ledger row: its bytes go back, and the totals shrink.

$1 … $11 as in `postings.POST_ENTRY`, with the parties of the row exchanged; $12 the row, $13
reason. Outcomes: done, repeated, stale, not_reversible, already_reversed, insufficient_balance;
outdated if the row was deleted or has other parties by now, or a member was deleted.
"""
