"""The SQL that is written by hand, each statement under a name and every value bound."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from .statement import Pair, Statement

MAX = "9223372036854775807"

# Members ------------------------------------------------------------------------------------------

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


def _unused(guild: str, key: str) -> str:
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
        *([_unused("$2::text", "$12::text")] if keyed else []),
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
_KEY_LOCKED = """
    (SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $3::text, 0)) IS NULL)
    IS NOT NULL
"""

HOLD = Statement(
    f"""
    SELECT member.last_daily, member.streak_count, member.balance, member.total_received,
        config.daily_amount, config.streak_bonuses
    FROM bytes_balances AS member
    JOIN bytes_configs AS config ON config.guild_id = member.guild_id
    WHERE {_KEY_LOCKED} AND member.guild_id = $1::text AND member.user_id = $2
    FOR UPDATE OF member
    """,
    {_KEY_LOCKED: "true"},
)
"""What a daily claim depends on, the member's row locked; no row for a new member.

The key, when there is one, is locked before that: see `KEY_LOCK`.

$1 guild, $2 user, $3 key.
"""

LEADERS = Statement("""
    SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1
    ORDER BY balance DESC, user_id LIMIT $2::int OFFSET $3::bigint
""")
"""The members with the most bytes. $1 guild, $2 limit, $3 offset."""

BALANCE = Statement("SELECT * FROM bytes_balances WHERE guild_id = $1 AND user_id = $2")
"""A member's row. $1 guild, $2 user."""

RANK = Statement("""
    SELECT me.balance, 1 + (
        SELECT count(*) FROM bytes_balances AS other
        WHERE other.guild_id = me.guild_id AND other.balance > me.balance
    ) + (
        SELECT count(*) FROM bytes_balances AS other
        WHERE other.guild_id = me.guild_id AND other.balance = me.balance
          AND other.user_id < me.user_id
    ) AS rank
    FROM bytes_balances AS me
    WHERE me.guild_id = $1 AND me.user_id = $2
""")
"""A member's position and balance. $1 guild, $2 user."""

EARNED = Statement("""
    SELECT member.total_received, config.role_rewards
    FROM bytes_balances AS member
    JOIN bytes_configs AS config ON config.guild_id = member.guild_id
    WHERE member.guild_id = $1 AND member.user_id = $2
""")
"""What a member has received, and what that earns. $1 guild, $2 user."""

# The ledger ---------------------------------------------------------------------------------------

LEDGER_ROW_EXISTS = Statement("""
    SELECT 1 AS found FROM bytes_transactions WHERE guild_id = $1 AND id = $2
""")
"""The trace of an operation that moves bytes. $1 guild, $2 id."""

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

_PAGE = """
    SELECT * FROM bytes_transactions
    WHERE guild_id = $1 {whose}
      AND (created_at, id) < ($3::timestamptz, $4::uuid)
    ORDER BY created_at DESC, id DESC LIMIT $2::int
"""

HISTORY = Statement(_PAGE.format(whose=""))
"""A page of a guild's ledger, newest first. $1 guild, $2 rows, $3 clock and $4 id of the last one
seen; `BEFORE_ALL` for the first page."""

BEFORE_ALL = datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1)
"""What every ledger row comes after, newest first."""

# That a member is not SYSTEM goes without saying, except to the indexes that SYSTEM is not in.
_OF_MEMBER = "AND {party} = $5 AND {party} <> 'SYSTEM'"

MEMBER_HISTORY = Statement(f"""
    SELECT * FROM (
        SELECT * FROM ({_PAGE.format(whose=_OF_MEMBER.format(party="giver_id"))}) AS given
        UNION ALL
        SELECT * FROM ({_PAGE.format(whose=_OF_MEMBER.format(party="receiver_id"))}) AS received
    ) AS page
    ORDER BY created_at DESC, id DESC LIMIT $2::int
""")
"""The page of a member, of what was given and received: each through its index. $1 … $4 as in
`HISTORY`, $5 user."""

LAST_TRANSFER = Statement("""
    SELECT * FROM bytes_transactions
    WHERE guild_id = $1 AND giver_id = $2 AND giver_id <> 'SYSTEM' AND kind = 'transfer'
    ORDER BY created_at DESC, id DESC LIMIT 1
""")
"""A member's last transfer, from which a cooldown counts. $1 guild, $2 giver."""

BACKEND_RUNS = Statement("""
    SELECT pid FROM pg_stat_activity
    WHERE pid = $1::int AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'
""")
"""Whether a server process is still at work (PostgreSQL only). $1 its pid."""

# A member's sums may pass 2⁶³ when the ledger was tampered with, and those of a squad always may;
# SQLite's sum() fails there. So the upper and the lower 32 bits are added up apart (`whole` puts
# them together), and the upper half takes the carry.
VERIFY = Statement("""
    WITH entry AS (
        SELECT guild_id, receiver_id AS user_id, amount AS received, 0::bigint AS sent,
            0::bigint AS balance, 0::bigint AS total_received, 0::bigint AS total_sent
        FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text
        UNION ALL
        SELECT guild_id, giver_id, 0, amount, 0, 0, 0
        FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text
        UNION ALL
        SELECT guild_id, user_id, 0, 0, balance, total_received, total_sent
        FROM bytes_balances WHERE $1::text IS NULL OR guild_id = $1::text
    ), account AS (
        SELECT guild_id, user_id,
            (sum(received >> 32) + (sum(received & 4294967295)::bigint >> 32))::bigint
                AS received_high,
            sum(received & 4294967295)::bigint & 4294967295 AS received_low,
            (sum(sent >> 32) + (sum(sent & 4294967295)::bigint >> 32))::bigint AS sent_high,
            sum(sent & 4294967295)::bigint & 4294967295 AS sent_low,
            sum(balance)::bigint AS balance,
            sum(total_received)::bigint AS total_received, sum(total_sent)::bigint AS total_sent
        FROM entry WHERE user_id <> 'SYSTEM' GROUP BY guild_id, user_id
    )
    SELECT * FROM account
    WHERE received_high <> total_received >> 32 OR received_low <> total_received & 4294967295
       OR sent_high <> total_sent >> 32 OR sent_low <> total_sent & 4294967295
       OR balance <> total_received - total_sent
    ORDER BY guild_id, user_id
""")
"""The members whose balance row is not what the ledger adds up to. $1 guild, or null for all."""

COUNTS = Statement("""
    SELECT
        (SELECT count(*) FROM bytes_balances WHERE $1::text IS NULL OR guild_id = $1::text)
            AS members,
        (SELECT count(*) FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text)
            AS transactions
""")
"""How many members and ledger rows there are. $1 guild, or null for all."""


def whole(high: int, low: int) -> int:
    """The number whose upper and lower 32 bits were added up apart."""
    return (high << 32) + low


# Many members at once -----------------------------------------------------------------------------

# A batch is three columns: on PostgreSQL an array each, on SQLite one JSON value of rows, in the
# place of the first (`Statement.bound`). The subscripts are there for PostgreSQL's planner: without
# them it expects ten rows of any array, and looks each member up; with them a thousand.
_BATCH = """ROWS FROM (
        unnest($2::text[]), unnest($3::bigint[]), unnest($4::uuid[]),
        generate_subscripts($2::text[], 1)
    ) AS paid(user_id, amount, id, place)"""
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

_RECORD_MANY = f"""
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, reason,
         created_at, kind, actor_id, idempotency_key, details)
    SELECT paid.id, $1::text, 'SYSTEM', 'SYSTEM', paid.user_id, '', paid.amount, $5::text,
        $6::timestamptz, 'grant', $7::text,
        CASE WHEN paid.id = $8::uuid THEN $9::text END,
        CASE WHEN paid.id = $8::uuid THEN $10::jsonb END
    FROM {_BATCH}
"""

SETTLE_MANY = Pair(
    before=_WILLING,
    change=f"""
    {_PAY.format(stamp="$11")}
      AND (SELECT count(*) FROM willing) = $12::int
      AND ($9::text IS NULL OR {_unused("$1::text", "$9::text")})
    """,
    record=_RECORD_MANY,
    sqlite=_SQLITE_BATCH,
)
"""`settlement` for a batch: all of them are known and have room, and the key is unused; or nothing.

$1 guild, $2 users, $3 amounts, $4 ids of their rows, $5 reason, $6 clock, $7 actor, $8 id of the
row with the key, $9 key, $10 details of that row, $11 wall time, $12 how many.
"""

WELCOME_MANY = Statement(
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
"""`WELCOME` for a batch. $1 … $4 as in `SETTLE_MANY`, $5 starting balance, $6 wall time."""

PAY_MANY = Statement(f"WITH {_WILLING} {_PAY.format(stamp='$5')} RETURNING user_id", _SQLITE_BATCH)
"""`MOVE` from SYSTEM to a batch; fewer rows when a total has no room.

$1 … $4 as in `SETTLE_MANY`, $5 wall time.
"""

RECORD_MANY = Statement(_RECORD_MANY, _SQLITE_BATCH)
"""The ledger rows of a batch. The key stands on one of them. $1 … $10 as in `SETTLE_MANY`."""

RECORD_STARTING = Statement(
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
"""The ledger rows of starting bytes. $1 … $4 as in `SETTLE_MANY`, of new members, $5 clock."""

# Squads -------------------------------------------------------------------------------------------

FOUND = Statement("""
    INSERT INTO squads
        (id, guild_id, role_id, name, description, switch_cost, max_members, is_active,
         created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
    ON CONFLICT (guild_id, role_id) DO NOTHING
    RETURNING id
""")
"""A new squad; no row when the role is taken. $9 wall time, the rest in the order of columns."""

OPEN = Statement(
    f"""
    SELECT * FROM squads
    WHERE {_KEY_LOCKED} AND guild_id = $1::text AND id = $2::uuid
    FOR UPDATE
    """,
    {_KEY_LOCKED: "true"},
)
"""A squad, its row locked: until the end nobody else takes a place or changes it.

The key, when there is one, is locked before that: see `KEY_LOCK`. $1 guild, $2 squad, $3 key.
"""

SEAT = Statement("""
    INSERT INTO squad_memberships (guild_id, user_id, squad_id, joined_at, idempotency_key)
    SELECT $1::text, $2::text, $3::uuid, $4::timestamptz, $5::text
    WHERE $6::int IS NULL OR $6::int > (
        SELECT count(*) FROM squad_memberships WHERE guild_id = $1::text AND squad_id = $3::uuid
    )
    ON CONFLICT (guild_id, user_id) DO NOTHING
    RETURNING *
""")
"""A place in a squad whose row is locked; no row when it is full or the member is in a squad.

$1 guild, $2 user, $3 squad, $4 clock, $5 key of a free joining, $6 places, null for no limit.
"""

RESEAT = Statement("""
    UPDATE squad_memberships SET squad_id = $3::uuid, joined_at = $4, idempotency_key = $5
    WHERE guild_id = $1 AND user_id = $2 AND squad_id <> $3::uuid
      AND ($6::int IS NULL OR $6::int > (
        SELECT count(*) FROM squad_memberships WHERE guild_id = $1 AND squad_id = $3::uuid
      ))
    RETURNING *
""")
"""A place in another squad whose row is locked; no row when it is full or the member's own.

The placeholders are those of `SEAT`.
"""

SQUADS = Statement("""
    SELECT squads.*, (
        SELECT count(*) FROM squad_memberships AS member
        WHERE member.guild_id = squads.guild_id AND member.squad_id = squads.id
    ) AS member_count
    FROM squads
    WHERE guild_id = $1 AND (is_active OR NOT $2::boolean)
    ORDER BY name COLLATE "C", id
""")
"""A guild's squads with their members counted. $1 guild, $2 whether only active ones."""

STANDINGS = Statement("""
    SELECT squads.*, standing.member_count, standing.total_high, standing.total_low
    FROM squads JOIN (
        SELECT squad.id,
            count(member.user_id) AS member_count,
            (coalesce(sum(has.balance >> 32), 0)
                + (coalesce(sum(has.balance & 4294967295), 0)::bigint >> 32))::bigint AS total_high,
            coalesce(sum(has.balance & 4294967295), 0)::bigint & 4294967295 AS total_low
        FROM squads AS squad
        LEFT JOIN squad_memberships AS member
            ON member.guild_id = squad.guild_id AND member.squad_id = squad.id
        LEFT JOIN bytes_balances AS has
            ON has.guild_id = member.guild_id AND has.user_id = member.user_id
        WHERE squad.guild_id = $1 AND squad.is_active
        GROUP BY squad.id
    ) AS standing ON standing.id = squads.id
    WHERE squads.guild_id = $1
    ORDER BY total_high DESC, total_low DESC, name COLLATE "C", squads.id
    LIMIT $2::int
""")
"""The active squads by what their members have together. $1 guild, $2 limit."""

# Traces: what tells, after a broken COMMIT, that an operation without a ledger row happened -------

MEMBER_EXISTS = Statement("""
    SELECT 1 AS found FROM bytes_balances WHERE guild_id = $1 AND user_id = $2
""")

CLAIMED = Statement("""
    SELECT 1 AS found FROM bytes_balances
    WHERE guild_id = $1 AND user_id = $2 AND updated_at = $3
""")

CONFIG_CHANGED = Statement("""
    SELECT 1 AS found FROM bytes_configs WHERE guild_id = $1 AND updated_at = $2
""")

SQUAD_CHANGED = Statement("""
    SELECT 1 AS found FROM squads WHERE guild_id = $1 AND id = $2 AND updated_at = $3
""")

SQUAD_GONE = Statement("""
    SELECT 1 AS found WHERE NOT EXISTS (SELECT 1 FROM squads WHERE guild_id = $1 AND id = $2)
""")

SEATED = Statement("""
    SELECT 1 AS found FROM squad_memberships
    WHERE guild_id = $1 AND user_id = $2 AND squad_id = $3 AND joined_at = $4
""")

SEAT_GONE = Statement("""
    SELECT 1 AS found WHERE NOT EXISTS (
        SELECT 1 FROM squad_memberships WHERE guild_id = $1 AND id = $2
    )
""")
