"""Members: insert them, read their balance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ..domain.defaults import STARTING_BALANCE
from .statement import Fetch, Rows, Statement

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


def _insert_starting_entries(amount: str) -> str:
    return f"""
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount,
         created_at, kind)
    SELECT batch.id, $1::text, 'SYSTEM', 'SYSTEM', batch.user_id, batch.username, {amount},
        $5::timestamptz, 'starting'
    FROM {_NEW_MEMBERS}"""


_GET_STARTING_BALANCE = f"SELECT {_STARTING} AS starting_balance"

_ROWS_AT_ONCE = 500
"""Rows of one INSERT on a distributed database; each has a parameter, and 32,767 are the limit."""


def _insert_rows(count: int) -> str:
    """Return the INSERT of some members. $1 guild, $2 balance, $3 wall time, $4 … users."""
    rows = ", ".join(
        f"($1::text, ${number}::text, $2::bigint, $2::bigint, 0, 0,"
        " $3::timestamptz, $3::timestamptz)"
        for number in range(4, 4 + count)
    )
    return f"""
    INSERT INTO bytes_balances
        (guild_id, user_id, balance, total_received, total_sent, streak_count,
         created_at, updated_at)
    VALUES {rows}
    ON CONFLICT (guild_id, user_id) DO NOTHING
    RETURNING user_id"""


_INSERT_ENTRIES_FROM_MEMBERS = f"""
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount,
         created_at, kind)
    SELECT batch.id, member.guild_id, 'SYSTEM', 'SYSTEM', batch.user_id, batch.username,
        member.total_received, $5::timestamptz, 'starting'
    FROM bytes_balances AS member
    JOIN {_NEW_MEMBERS} ON batch.user_id = member.user_id
    WHERE member.guild_id = $1::text
    RETURNING id"""


async def _insert_members_split(
    fetch: Fetch,
    guild_id: str,
    users: Sequence[str],
    names: Sequence[str],
    entry_ids: Sequence[UUID | str],
    created_at: datetime,
    wall_time: datetime,
) -> Rows:
    """Insert members on a distributed database: it sends VALUES to one node, but not a batch."""
    starting = (await fetch(_GET_STARTING_BALANCE, guild_id))[0]["starting_balance"]
    inserted: set[str] = set()
    for start in range(0, len(users), _ROWS_AT_ONCE):
        some = sorted(users)[start : start + _ROWS_AT_ONCE]
        rows = await fetch(_insert_rows(len(some)), guild_id, starting, wall_time, *some)
        inserted |= {row["user_id"] for row in rows}
    new = [row for row in zip(users, names, entry_ids, strict=True) if row[0] in inserted]
    if not new:
        return []
    columns: list[list[Any]] = [list(column) for column in zip(*new, strict=True)]
    return await fetch(_INSERT_ENTRIES_FROM_MEMBERS, guild_id, *columns, created_at)


# A bot executes it also while it does not know yet that the tables are distributed. A sub-query in
# the SELECT of the second INSERT, which returns rows, would crash Citus's coordinator then (13.2).
INSERT_MEMBERS = Statement(
    f"""
    WITH inserted AS ({_INSERT_MEMBERS} RETURNING user_id, total_received)
    {_insert_starting_entries("inserted.total_received")}
    JOIN inserted ON inserted.user_id = batch.user_id
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
        f"""{_insert_starting_entries(_STARTING)} WHERE NOT EXISTS (
            SELECT 1 FROM bytes_balances
            WHERE guild_id = $1::text AND user_id = batch.user_id
        ) RETURNING id""",
        _INSERT_MEMBERS,
    ),
    distributed=_insert_members_split,
)
"""Insert the new members of a batch, each with the starting balance and its ledger entry.

In the order of user ids, so that two that insert the same members cannot deadlock. Returns the ids
of the ledger rows of those who were new.

$1 guild, $2 users, $3 usernames, $4 entry ids, $5 clock, $6 wall time.
"""
