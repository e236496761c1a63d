"""How bytes move: whom a guild knows, the ordinary movement in one statement, keys, the rest."""

from __future__ import annotations

from .statement import Pair, Statement

MAX = "9223372036854775807"

MEET = Statement("""
    SELECT bytes_configs.*, (
        SELECT count(*) FROM bytes_balances WHERE guild_id = $1 AND user_id IN ($2, $3)
    ) AS known
    FROM bytes_configs WHERE guild_id = $1
""")
"""The guild's config, and how many of two members it knows. $1 guild, $2 and $3 users."""

WELCOME = Statement("""
    INSERT INTO bytes_balances
        (guild_id, user_id, balance, total_received, total_sent, streak_count,
         created_at, updated_at)
    VALUES ($1, $2, $3::bigint, $3::bigint, 0, 0, $4, $4)
    ON CONFLICT (guild_id, user_id) DO NOTHING
    RETURNING user_id
""")
"""A new member with the starting bytes; no row when somebody else was quicker.

$1 guild, $2 user, $3 starting balance, $4 wall time.
"""

LEDGER_COLUMNS = (
    "id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, reason,"
    " created_at, kind, actor_id, idempotency_key, details"
)

_RECORD = f"""
    INSERT INTO bytes_transactions ({LEDGER_COLUMNS})
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::text,
        $9::timestamptz, $10::text, $11::text, $12::text, $13::jsonb
"""

_COOL = """
    total_sent = (
        SELECT total_sent FROM bytes_balances WHERE guild_id = $2::text AND user_id = $3::text
    ) AND coalesce((
        SELECT last.created_at FROM bytes_transactions AS last
        WHERE last.guild_id = $2::text AND last.giver_id = $3::text AND last.giver_id <> 'SYSTEM'
        ORDER BY last.created_at DESC LIMIT 1
    ) <= $9::timestamptz - config.transfer_cooldown_hours * interval '1 hour', true)
"""

# SQLite's clock counts milliseconds, and rounds: within ten seconds it leaves the matter to others.
_COOL_ON_SQLITE = """
    NOT EXISTS (
        SELECT 1 FROM (
            SELECT created_at FROM bytes_transactions
            WHERE guild_id = $2 AND giver_id = $3 ORDER BY created_at DESC LIMIT 1
        ) AS last
        WHERE coalesce(
            julianday($9) - julianday(last.created_at)
                < (config.transfer_cooldown_hours * 3600.0 + 10) / 86400,
            true
        )
    )
"""

_MAY_TRANSFER = f"""
    WHEN config.transfer_cooldown_hours = 0 THEN 1
    WHEN {_COOL} THEN 1
    ELSE 0
"""


def unused(guild: str, key: str) -> str:
    """The condition that nothing in the guild has this idempotency key."""
    return f"""
    NOT EXISTS (
        SELECT 1 FROM bytes_transactions WHERE guild_id = {guild} AND idempotency_key = {key}
        UNION ALL
        SELECT 1 FROM bytes_balances WHERE guild_id = {guild} AND claim_key = {key}
        UNION ALL
        SELECT 1 FROM squad_memberships WHERE guild_id = {guild} AND idempotency_key = {key}
    )
    """


def _settlement(*, transfer: bool, keyed: bool) -> Pair:
    """`settlement` for orders of one sort: what is not asked of them is not in it."""
    config = "CROSS JOIN bytes_configs AS config" if transfer else ""
    conditions = [
        *(["config.guild_id = $2::text", "config.max_transfer >= $7::bigint"] if transfer else []),
        *([unused("$2::text", "$12::text")] if keyed else []),
    ]
    return Pair(
        before=f"""
    locked AS MATERIALIZED (
        SELECT id, user_id, balance, total_received, total_sent FROM bytes_balances
        WHERE guild_id = $2::text AND user_id IN ($3::text, $5::text)
        ORDER BY user_id FOR UPDATE
    ), judged AS MATERIALIZED (
        SELECT locked.*, count(*) OVER () AS known, min(CASE
            WHEN user_id = $5::text AND total_received > {MAX} - $7::bigint THEN 0
            WHEN user_id = $5::text THEN 1
            WHEN balance < $7::bigint THEN 0
            {_MAY_TRANSFER if transfer else "ELSE 1"}
        END) OVER () AS able
        FROM locked {config}
        {f"WHERE {' AND '.join(conditions)}" if conditions else ""}
    )""",
        change=f"""
    UPDATE bytes_balances AS member SET
        balance = judged.balance
            + CASE WHEN judged.user_id = $5::text THEN $7::bigint ELSE - $7::bigint END,
        total_received = judged.total_received
            + CASE WHEN judged.user_id = $5::text THEN $7::bigint ELSE 0 END,
        total_sent = judged.total_sent
            + CASE WHEN judged.user_id = $3::text THEN $7::bigint ELSE 0 END,
        updated_at = $14::timestamptz
    FROM judged
    WHERE member.guild_id = $2::text AND member.id = judged.id
      AND judged.able = 1 AND judged.known = {2 if transfer else 1}
    """,
        record=_RECORD,
        sqlite={_COOL: _COOL_ON_SQLITE},
    )


_SETTLEMENTS = {
    (transfer, keyed): _settlement(transfer=transfer, keyed=keyed)
    for transfer in (True, False)
    for keyed in (True, False)
}


def settlement(kind: str, key: str | None) -> Pair:
    """The ordinary movement of bytes, whole: judged, moved and recorded, or nothing at all.

    Nothing happens when a member is new or has too few bytes or no room for them, when a rule of
    the guild forbids a transfer, or when the key was used before: then `ledger.move` and its
    neighbours find out which.

    The rows are locked in the order of their user ids, and judged and changed as they are from
    then on. That is why the new values are made of the locked ones, ``judged``: those of ``member``
    are as old as the statement until PostgreSQL looks again, and its checks are not that patient.
    The cooldown looks at the ledger, which is as old as the statement as well: it trusts it only
    if the giver's row has not moved since. And it looks at the last row of any kind, one step in
    an index: PostgreSQL otherwise expects a search, and plans the statement anew each time.

    Args:
        kind: The movement's: one of a ``transfer`` has two members, any other one and SYSTEM.
        key: The order's idempotency key, if it has one.

    Returns:
        The pair, for the values: $1 id, $2 guild, $3 giver, $4 giver's name, $5 receiver,
        $6 receiver's name, $7 amount, $8 reason, $9 clock, $10 kind, $11 actor, $12 key,
        $13 details, $14 wall time.
    """
    return _SETTLEMENTS[kind == "transfer", key is not None]


CLAIM = Pair(
    change="""
    UPDATE bytes_balances SET
        last_daily = $15::date, streak_count = $16::int,
        balance = balance + $7::bigint, total_received = total_received + $7::bigint,
        claim_key = NULL, claim_details = NULL, updated_at = $14::timestamptz
    WHERE guild_id = $2::text AND user_id = $5::text
    """,
    record=_RECORD,
)
"""A daily claim of a member whose row is locked, and its ledger row.

$1 … $14 as in `settlement`, $15 UTC date, $16 streak.
"""

RECORD = Statement(_RECORD)
"""A ledger row. $1 … $13 as in `settlement`."""

MOVE = Statement("""
    UPDATE bytes_balances SET
        balance = balance + CASE WHEN user_id = $3 THEN $4::bigint ELSE - $4::bigint END,
        total_received = total_received + CASE WHEN user_id = $3 THEN $4::bigint ELSE 0 END,
        total_sent = total_sent + CASE WHEN user_id = $2 THEN $4::bigint ELSE 0 END,
        updated_at = $5
    WHERE guild_id = $1 AND user_id IN ($2, $3)
""")
"""Bytes from one party to the other, whose rows are locked; SYSTEM has no row.

$1 guild, $2 giver, $3 receiver, $4 amount, $5 wall time.
"""

UNPAID_CLAIM = Statement("""
    UPDATE bytes_balances SET
        last_daily = $3, streak_count = $4::int, claim_key = $5, claim_details = $6::jsonb,
        updated_at = $7
    WHERE guild_id = $1 AND user_id = $2
""")
"""A daily claim that pays nothing, of a member whose row is locked; so the key stands there.

$1 guild, $2 user, $3 UTC date, $4 streak, $5 key, $6 details, $7 wall time.
"""

# Read before any row is; a lock on nothing, without a key, is none.
KEY_LOCKED = """
    (SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $3::text, 0)) IS NULL)
    IS NOT NULL
"""

HOLD = Statement(
    f"""
    SELECT member.last_daily, member.streak_count, member.balance, member.total_received,
        config.daily_amount, config.streak_bonuses
    FROM bytes_balances AS member
    JOIN bytes_configs AS config ON config.guild_id = member.guild_id
    WHERE {KEY_LOCKED} AND member.guild_id = $1::text AND member.user_id = $2
    FOR UPDATE OF member
    """,
    {KEY_LOCKED: "true"},
)
"""What a daily claim depends on, the member's row locked; no row for a new member.

The key, when there is one, is locked before that: see `KEY_LOCK`.

$1 guild, $2 user, $3 key.
"""

LAST_TRANSFER = Statement("""
    SELECT * FROM bytes_transactions
    WHERE guild_id = $1 AND giver_id = $2 AND giver_id <> 'SYSTEM' AND kind = 'transfer'
    ORDER BY created_at DESC, id DESC LIMIT 1
""")
"""A member's last transfer, from which a cooldown counts. $1 guild, $2 giver."""

# Keys ---------------------------------------------------------------------------------------------

KEY_LOCK = Statement("""
    SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 0))
""")
"""Makes orders with the same key wait for each other (PostgreSQL only). $1 guild, $2 key."""

KEY_USED = Statement("""
    SELECT 'ledger' AS place, CAST(id AS text) AS id FROM bytes_transactions
    WHERE guild_id = $1 AND (idempotency_key = $2 OR id = $3::uuid)
    UNION ALL
    SELECT 'claim', CAST(id AS text) FROM bytes_balances WHERE guild_id = $1 AND claim_key = $2
    UNION ALL
    SELECT 'membership', CAST(id AS text) FROM squad_memberships
    WHERE guild_id = $1 AND idempotency_key = $2
""")
"""Where an idempotency key was used: the ledger, or, where nothing was paid, a member's row.

$1 guild, $2 key, $3 id of this operation's ledger row, if an earlier attempt may have written it.
"""
