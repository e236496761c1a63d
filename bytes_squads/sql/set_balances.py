"""Set balances: a grant or a charge of the difference to the locked balance."""

from __future__ import annotations

from ..domain.defaults import STARTING_BALANCE
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

GET_EXPECTED_BALANCE = Statement(f"""
    SELECT coalesce(
        (SELECT balance FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text),
        (SELECT starting_balance FROM bytes_configs WHERE guild_id = $1::text),
        {STARTING_BALANCE}
    ) AS balance
""")
"""Get a member's balance, or the starting balance of a new member. $1 guild, $2 user."""

_DIFFERENCE = """(
        CASE WHEN $8::text = 'grant' THEN $12::bigint - receiver.balance
            ELSE giver.balance - $12::bigint END
    )"""

SET_BALANCE = PostingStatement(
    locks=locked_members_cte(),
    source=f"{ONE_ROW} {PARTIES}",
    repeated=KEY_IS_USED,
    cases=f"""
        {MEMBER_IS_UNKNOWN}
        WHEN {_DIFFERENCE} = 0 THEN 'unchanged'
        WHEN {_DIFFERENCE} < 0 THEN 'outdated'
        {balance_cases(_DIFFERENCE)}""",
    amount=_DIFFERENCE,
    reason="$13::text",
    details="$14::text",
    numbers=BALANCES,
    changes={"balances_updated": balances_update()},
    inserts=RECORD_ENTRY,
    changed=MEMBERS_CHANGED,
)
"""Post the grant or charge after which a member has this balance.

$1 … $11 as in `postings.POST_ENTRY`, $12 balance, $13 reason, $14 details.
Outcomes: done, repeated, stale, unknown_member, overflow; unchanged if the member has this balance;
outdated if a grant would have to be a charge, or the other way round.
"""
