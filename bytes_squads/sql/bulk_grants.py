"""Grant bytes to many members in one statement."""

from __future__ import annotations

from ..domain.rules import MAX_BYTES
from .postings import (
    ANY_MEMBER_CHANGED,
    DISTRIBUTED_PIECES,
    ENTRY_COLUMNS,
)
from .statement import Insert, PostingStatement

# A batch has three columns: an array each on PostgreSQL, one JSON array of rows in the first
# parameter on SQLite.
BATCH_ROWS = "unnest($2::text[], $3::bigint[], $4::uuid[]) AS batch(user_id, amount, id)"

# One look-up by key for each row of the batch, whatever the planner's statistics say of the guild.
# The batch is in the order of user ids, so the rows are locked in that order.
_EACH_MEMBER = """
        CROSS JOIN LATERAL (
            SELECT ctid AS version, guild_id, user_id, balance, total_received, total_sent
            FROM bytes_balances
            WHERE guild_id = $1::text AND user_id = batch.user_id
            OFFSET 0 FOR UPDATE
        ) AS member"""

# With a materialized CTE and this join order SQLite looks each member up once.
_EACH_MEMBER_ON_SQLITE = """
        CROSS JOIN bytes_balances AS member
        WHERE member.guild_id = $1 AND member.user_id = batch.user_id"""

_LOCKED = f"""
    locked AS MATERIALIZED (
        SELECT member.version, member.guild_id, member.user_id, member.balance,
            member.total_received, member.total_sent, batch.amount
        FROM {BATCH_ROWS} {_EACH_MEMBER}
    )"""

_VALUES = """
            batch.id, {guild}, 'SYSTEM', 'SYSTEM', batch.user_id, '', $6::timestamptz, 'grant',
            $7::text, CASE WHEN batch.id = $8::uuid THEN $9::text END, batch.amount, {reason},
            CASE WHEN batch.id = $8::uuid THEN {details}::jsonb END,
            NULL::uuid"""
_VALUES_FROM_MEMBERS = _VALUES.format(
    guild="member.guild_id", reason="$5::text", details="$10::text"
)

POST_GRANTS = PostingStatement(
    locks=_LOCKED,
    source=f"""(SELECT count(*) AS members_found FROM locked) AS found LEFT JOIN (
        SELECT amount, total_received FROM locked
        WHERE total_received > {MAX_BYTES} - amount ORDER BY user_id LIMIT 1
    ) AS overflowing ON true""",
    repeated="""(
        SELECT true FROM bytes_transactions
        WHERE guild_id = $1::text AND idempotency_key = $9::text
    )""",
    cases="""
        WHEN members_found < $12::int THEN 'unknown_member'
        WHEN overflowing.amount IS NOT NULL THEN 'overflow'""",
    amount="overflowing.amount",
    reason="$5::text",
    details="$10::text",
    numbers={"receiver_total": "overflowing.total_received"},
    changes={
        # Assign every balance column from the locked row: CHECK constraints are evaluated before
        # PostgreSQL re-checks the row's latest version.
        "balances_updated": """
        UPDATE bytes_balances AS member SET
            balance = locked.balance + locked.amount,
            total_received = locked.total_received + locked.amount,
            total_sent = locked.total_sent,
            updated_at = $11::timestamptz
        FROM locked, verdict
        WHERE member.guild_id = locked.guild_id AND member.user_id = locked.user_id
          AND verdict.outcome = 'done'"""
    },
    inserts={
        "entries_inserted": Insert(
            f"bytes_transactions ({ENTRY_COLUMNS})",
            _VALUES.format(guild="$1::text", reason="verdict.reason", details="verdict.details"),
            source=f" CROSS JOIN {BATCH_ROWS}",
            distributed=f"""
                INSERT INTO bytes_transactions ({ENTRY_COLUMNS})
                SELECT {_VALUES_FROM_MEMBERS}
                FROM bytes_balances AS member
                JOIN {BATCH_ROWS} ON batch.user_id = member.user_id
                WHERE member.guild_id = $1::text""",
        )
    },
    changed=ANY_MEMBER_CHANGED,
    distributed_pieces=DISTRIBUTED_PIECES,
    pieces={
        _EACH_MEMBER: _EACH_MEMBER_ON_SQLITE,
        "member.version": "member.rowid AS version",
        BATCH_ROWS: """(
            SELECT json_extract(value, '$[0]') AS user_id,
                json_extract(value, '$[1]') AS amount, json_extract(value, '$[2]') AS id
            FROM json_each($2)
        ) AS batch""",
    },
)
"""Post a grant for each member of a batch, all or nothing. One entry has the key and the details.

$1 guild, $2 users, $3 amounts, $4 entry ids, $5 reason, $6 clock, $7 actor, $8 id of the entry with
the key, $9 key, $10 details of that entry, $11 wall time, $12 number of members.
Outcomes: done, repeated, stale, unknown_member, overflow (of the first member by user id).
"""
