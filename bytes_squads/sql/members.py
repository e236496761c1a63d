"""Members: insert them, read their balance."""

from __future__ import annotations

from ..domain.defaults import STARTING_BALANCE
from .statement import Statement

GET_BALANCE = Statement("""
    SELECT * FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text
""")
"""Get a member's row. $1 guild, $2 user."""

_NEW_MEMBERS = "unnest($2::text[], $3::text[], $4::uuid[]) AS batch(user_id, username, id)"

_STARTING = f"""
    coalesce(
        (SELECT starting_balance FROM bytes_configs WHERE guild_id = $1::text), {STARTING_BALANCE}
    )"""

_INSERT_MEMBERS = f"""
    INSERT INTO bytes_balances
        (guild_id, user_id, balance, total_received, total_sent, streak_count,
         created_at, updated_at)
    SELECT $1::text, batch.user_id, {_STARTING}, {_STARTING}, 0, 0,
        $6::timestamptz, $6::timestamptz
    FROM {_NEW_MEMBERS}
    WHERE true
    ORDER BY batch.user_id
    ON CONFLICT (guild_id, user_id) DO NOTHING"""

_INSERT_STARTING_ENTRIES = f"""
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount,
         created_at, kind)
    SELECT batch.id, $1::text, 'SYSTEM', 'SYSTEM', batch.user_id, batch.username, {_STARTING},
        $5::timestamptz, 'starting'
    FROM {_NEW_MEMBERS}"""

INSERT_MEMBERS = Statement(
    f"""
    WITH inserted AS ({_INSERT_MEMBERS} RETURNING user_id)
    {_INSERT_STARTING_ENTRIES} JOIN inserted ON inserted.user_id = batch.user_id
    RETURNING id
    """,
    {
        _NEW_MEMBERS: """(
            SELECT json_extract(value, '$[0]') AS user_id,
                json_extract(value, '$[1]') AS username, json_extract(value, '$[2]') AS id
            FROM json_each($2)
        ) AS batch"""
    },
    sqlite=(
        # The entries first: a member is new while there is no row.
        f"""{_INSERT_STARTING_ENTRIES} WHERE NOT EXISTS (
            SELECT 1 FROM bytes_balances
            WHERE guild_id = $1::text AND user_id = batch.user_id
        ) RETURNING id""",
        _INSERT_MEMBERS,
    ),
)
"""Insert the new members of a batch, each with the starting balance and its ledger entry.

In the order of user ids, so that two that insert the same members cannot deadlock. Returns the ids
of the ledger rows of those who were new.

$1 guild, $2 users, $3 usernames, $4 entry ids, $5 clock, $6 wall time.
"""
