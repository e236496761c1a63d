"""Daily claims: read the state that a claim depends on, then post it if the state is unchanged."""

from __future__ import annotations

from ..domain.rules import MAX_BYTES
from .postings import (
    BALANCES,
    KEY_IS_USED,
    MEMBER_IS_UNKNOWN,
    MEMBERS_CHANGED,
    ONE_ROW,
    PARTIES,
    RECORD_ENTRY,
    balance_cases,
    balances_update,
    locked_members_cte,
)
from .statement import PostingStatement, Statement

_MEMBER = "FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text"
_CONFIG = "FROM bytes_configs WHERE guild_id = $1::text"

GET_CLAIM_STATE = Statement(f"""
    SELECT
        (SELECT id::text FROM bytes_transactions
         WHERE guild_id = $1::text AND idempotency_key = $3::text) AS earlier_id,
        (SELECT total_received {_MEMBER}) AS total_received,
        (SELECT last_daily {_MEMBER}) AS last_daily,
        (SELECT streak_count {_MEMBER}) AS streak_count,
        (SELECT starting_balance {_CONFIG}) AS starting_balance,
        (SELECT daily_amount {_CONFIG}) AS daily_amount,
        (SELECT streak_bonuses {_CONFIG}) AS streak_bonuses,
        (SELECT timezone {_CONFIG}) AS timezone,
        (SELECT streak_grace_days {_CONFIG}) AS streak_grace_days
""")
"""Get the state that a claim depends on, in one row; null without such a member or config.

$1 guild, $2 user, $3 key.
"""

_NEW_BALANCE = f"""(
        receiver.balance + CASE
            WHEN receiver.total_received <= {MAX_BYTES} - $12::bigint THEN $12::bigint ELSE 0
        END
    )"""

POST_DAILY_CLAIM = PostingStatement(
    locks=locked_members_cte(", last_daily, streak_count"),
    source=f"{ONE_ROW} {PARTIES}",
    repeated=KEY_IS_USED,
    cases=f"""
        {MEMBER_IS_UNKNOWN}
        WHEN receiver.streak_count <> $16::int
            OR receiver.last_daily IS DISTINCT FROM $15::date THEN 'outdated'
        {balance_cases("$12::bigint")}""",
    amount="$12::bigint",
    reason="$13::text",
    details=f"$14::text || {_NEW_BALANCE}::text || '}}'",
    numbers={**BALANCES, "new_balance": _NEW_BALANCE},
    changes={
        "balances_updated": balances_update(
            assignments="last_daily = $17::date, streak_count = $18::int,"
        )
    },
    inserts=RECORD_ENTRY,
    changed=MEMBERS_CHANGED,
)
"""Post a daily claim if the member's row is unchanged since it was read.

$12 amount, $13 reason, $14 details, as JSON text up to the value of the new balance; as read: $15
last_daily, $16 streak; new: $17 date of the claim, $18 streak. Outcomes: done, repeated, stale,
outdated, unknown_member, overflow; beside them ``new_balance``.
"""
