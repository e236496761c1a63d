"""Set the balance of every member of a guild in one statement."""

from __future__ import annotations

from ..domain.defaults import STARTING_BALANCE
from ..domain.rules import MAX_BYTES
from .postings import (
    ANY_MEMBER_CHANGED,
    DISTRIBUTED_PIECES,
    ENTRY_COLUMNS,
)
from .statement import Insert, PostingStatement

_TARGET = f"""coalesce(
            $4::bigint,
            (SELECT starting_balance FROM bytes_configs WHERE guild_id = $1::text),
            {STARTING_BALANCE}
        )"""

_LOCKED = f"""
    locked AS MATERIALIZED (
        SELECT member.ctid AS version, member.guild_id, member.user_id, member.balance,
            member.total_received, {_TARGET} AS target
        FROM bytes_balances AS member
        WHERE member.guild_id = $1::text
        ORDER BY member.user_id
        FOR UPDATE OF member
    )"""

_HEX_NUMBER = "lpad(to_hex(number), 7, '0')"

# The other ids are $3 with the entry's number in the 28 bits after the variant.
_ENTRY_ID = f"""
            CASE WHEN number = 1 THEN $2::uuid ELSE (
                substr($3::uuid::text, 1, 19) || '8' || substr({_HEX_NUMBER}, 1, 3) || '-'
                || substr({_HEX_NUMBER}, 4, 4) || substr($3::uuid::text, 29, 8)
            )::uuid END"""

_VALUES = f"""{_ENTRY_ID}, {{guild}},
            CASE WHEN difference > 0 THEN 'SYSTEM' ELSE entry.user_id END,
            CASE WHEN difference > 0 THEN 'SYSTEM' ELSE '' END,
            CASE WHEN difference > 0 THEN entry.user_id ELSE 'SYSTEM' END,
            CASE WHEN difference > 0 THEN '' ELSE 'SYSTEM' END,
            $6::timestamptz, CASE WHEN difference > 0 THEN 'grant' ELSE 'charge' END, $7::text,
            CASE WHEN number = 1 THEN $8::text END, abs(difference), verdict.reason,
            CASE WHEN number = 1 THEN verdict.details::jsonb END, NULL::uuid"""

_CHANGING = "FROM locked WHERE balance <> target"

POST_RESET = PostingStatement(
    locks=_LOCKED,
    source=f"""(
        SELECT count(*) AS members_changed {_CHANGING}
    ) AS found LEFT JOIN (
        SELECT target - balance AS amount, total_received FROM locked
        WHERE target > balance AND total_received > {MAX_BYTES} - (target - balance)
        ORDER BY user_id LIMIT 1
    ) AS overflowing ON true""",
    repeated="""(
        SELECT true FROM bytes_transactions
        WHERE guild_id = $1::text AND idempotency_key = $8::text
    )""",
    # A member who was new since the snapshot is known if another one's row has changed.
    cases=f"""
        WHEN {ANY_MEMBER_CHANGED} THEN 'stale'
        WHEN members_changed = 0 THEN 'unchanged'
        WHEN overflowing.amount IS NOT NULL THEN 'overflow'""",
    amount="overflowing.amount",
    reason="$5::text",
    details="""'{"reset_balances":' || coalesce($4::bigint::text, 'null')
        || ',"members":' || members_changed::text || '}'""",
    numbers={
        "receiver_total": "overflowing.total_received",
        "members_changed": "members_changed",
    },
    changes={
        # No row has changed since the snapshot: the outcome would be ``stale``.
        "balances_updated": f"""
        UPDATE bytes_balances AS member SET
            balance = goal.target,
            total_received = member.total_received
                + CASE WHEN goal.target > member.balance
                    THEN goal.target - member.balance ELSE 0 END,
            total_sent = member.total_sent
                + CASE WHEN goal.target < member.balance
                    THEN member.balance - goal.target ELSE 0 END,
            updated_at = $9::timestamptz
        FROM verdict, (SELECT {_TARGET} AS target) AS goal
        WHERE member.guild_id = $1::text AND member.balance <> goal.target
          AND verdict.outcome = 'done'""",
    },
    inserts={
        "entries_inserted": Insert(
            f"bytes_transactions ({ENTRY_COLUMNS})",
            _VALUES.format(guild="$1::text"),
            source=f""" CROSS JOIN (
            SELECT user_id, target - balance AS difference,
                row_number() OVER (ORDER BY user_id) AS number
            {_CHANGING}
        ) AS entry""",
            distributed=f"""
                INSERT INTO bytes_transactions ({ENTRY_COLUMNS})
                SELECT {_VALUES.format(guild="member.guild_id")}
                FROM bytes_balances AS member
                JOIN unnest(verdict.changed_users::text[], verdict.differences::bigint[])
                    WITH ORDINALITY AS entry(user_id, difference, number)
                    ON entry.user_id = member.user_id
                WHERE member.guild_id = $1::text""",
            # The members' rows are updated before.
            reads={
                "changed_users": f"(SELECT array_agg(user_id ORDER BY user_id) {_CHANGING})",
                "differences": f"(SELECT array_agg(target - balance ORDER BY user_id) {_CHANGING})",
            },
        )
    },
    changed=ANY_MEMBER_CHANGED,
    distributed_pieces=DISTRIBUTED_PIECES,
    pieces={ANY_MEMBER_CHANGED: "false", _HEX_NUMBER: "printf('%07x', number)"},
)
"""Post a grant or charge for each member of a guild after which all have one balance.

The first entry by user id has the key and the details.

$1 guild, $2 id of the first entry, $3 an id after it, $4 balance, or null for the guild's starting
balance, $5 reason, $6 clock, $7 actor, $8 key, $9 wall time. Outcomes: done, repeated, stale,
unchanged, overflow (of the first member by user id); beside them ``members_changed``.
"""
