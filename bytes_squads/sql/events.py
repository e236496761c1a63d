"""Many members at once: an event that pays a whole guild."""

from __future__ import annotations

from .movements import LEDGER_COLUMNS, MAX, unused
from .statement import Pair, Statement

# A batch is three columns: on PostgreSQL an array each, on SQLite one JSON value of rows, in the
# place of the first (`Statement.bound`).
_BATCH = "unnest($2::text[], $3::bigint[], $4::uuid[]) AS paid(user_id, amount, id)"
_SQLITE_BATCH = {
    _BATCH: """(
        SELECT json_extract(value, '$[0]') AS user_id,
            json_extract(value, '$[1]') AS amount, json_extract(value, '$[2]') AS id
        FROM json_each($2)
    ) AS paid"""
}

# Materialized, and joined in this order, SQLite looks each member up once.
_WILLING = f"""
    willing AS MATERIALIZED (
        SELECT member.id, member.balance, member.total_received, member.total_sent, paid.amount
        FROM {_BATCH}
        CROSS JOIN bytes_balances AS member
        WHERE member.guild_id = $1::text AND member.user_id = paid.user_id
          AND member.total_received <= {MAX} - paid.amount
        ORDER BY member.user_id
        FOR UPDATE OF member
    )"""

# Whole rows of the locked: the checks look at what is new and old together, before PostgreSQL does.
_PAY = """
    UPDATE bytes_balances AS member SET
        balance = willing.balance + willing.amount,
        total_received = willing.total_received + willing.amount,
        total_sent = willing.total_sent,
        updated_at = {stamp}::timestamptz
    FROM willing
    WHERE member.guild_id = $1::text AND member.id = willing.id
"""

_RECORD = f"""
    INSERT INTO bytes_transactions ({LEDGER_COLUMNS})
    SELECT paid.id, $1::text, 'SYSTEM', 'SYSTEM', paid.user_id, '', paid.amount, $5::text,
        $6::timestamptz, 'grant', $7::text,
        CASE WHEN paid.id = $8::uuid THEN $9::text END,
        CASE WHEN paid.id = $8::uuid THEN $10::jsonb END
    FROM {_BATCH}
"""

SETTLE = Pair(
    before=_WILLING,
    change=f"""
    {_PAY.format(stamp="$11")}
      AND (SELECT count(*) FROM willing) = $12::int
      AND ($9::text IS NULL OR {unused("$1::text", "$9::text")})
    """,
    record=_RECORD,
    sqlite=_SQLITE_BATCH,
)
"""`movements.settlement` for a batch: all are known and have room, the key is unused; or nothing.

$1 guild, $2 users, $3 amounts, $4 ids of their rows, $5 reason, $6 clock, $7 actor, $8 id of the
row with the key, $9 key, $10 details of that row, $11 wall time, $12 how many.
"""

WELCOME = Statement(
    f"""
    INSERT INTO bytes_balances
        (guild_id, user_id, balance, total_received, total_sent, streak_count,
         created_at, updated_at)
    SELECT $1::text, paid.user_id, $5::bigint, $5::bigint, 0, 0, $6::timestamptz, $6::timestamptz
    FROM {_BATCH}
    WHERE true
    ORDER BY paid.user_id
    ON CONFLICT (guild_id, user_id) DO NOTHING
    RETURNING user_id
    """,
    _SQLITE_BATCH,
)
"""`movements.WELCOME` for a batch. $1 … $4 as in `SETTLE`, $5 starting balance, $6 wall time."""

PAY = Statement(f"WITH {_WILLING} {_PAY.format(stamp='$5')} RETURNING user_id", _SQLITE_BATCH)
"""`movements.MOVE` from SYSTEM to a batch; fewer rows when a total has no room.

$1 … $4 as in `SETTLE`, $5 wall time.
"""

RECORD = Statement(_RECORD, _SQLITE_BATCH)
"""The ledger rows of a batch. The key stands on one of them. $1 … $10 as in `SETTLE`."""

STARTING = Statement(
    f"""
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount,
         created_at, kind)
    SELECT paid.id, $1::text, 'SYSTEM', 'SYSTEM', paid.user_id, '', paid.amount,
        $5::timestamptz, 'starting'
    FROM {_BATCH}
    """,
    _SQLITE_BATCH,
)
"""The ledger rows of starting bytes. $1 … $4 as in `SETTLE`, of new members, $5 clock."""
