"""Export a member, erase a member, delete a guild."""

from __future__ import annotations

from typing import Any

from .postings import ENTRY_COLUMNS
from .statement import Fetch, Rows, Statement

# Export -------------------------------------------------------------------------------------------

_BALANCE_FIELDS = (
    "id",
    "guild_id",
    "user_id",
    "balance",
    "total_received",
    "total_sent",
    "last_daily",
    "streak_count",
    "last_transfer_at",
    "left_at",
    "created_at",
    "updated_at",
)
_ENTRY_FIELDS = (
    "id",
    "guild_id",
    "giver_id",
    "receiver_id",
    "amount",
    "reason",
    "created_at",
    "kind",
    "actor_id",
    "idempotency_key",
    "details",
    "reverses_id",
)


def _json_object(*columns: str, table: str, **values: str) -> str:
    """Return a JSON object of a table's columns, and of further values by name."""
    values = {name: f"{table}.{name}" for name in columns} | values
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"json_build_object({pairs})::text"


def _select_entries(party: str) -> str:
    """Return the SELECT of the member's entries as this party, without the other party's name."""
    data = _json_object(
        *_ENTRY_FIELDS, f"{party}_username", table="entry", details="to_json(details)"
    )
    return f"""
        SELECT 'transaction', entry.created_at, entry.id, {data}
        FROM bytes_transactions AS entry
        WHERE entry.guild_id = $1::text
          AND {party}_id = $2::text AND {party}_id <> 'SYSTEM'"""


_MEMBERSHIP = _json_object(
    "id", "guild_id", "user_id", "squad_id", "joined_at", table="seat", name="squad.name"
)

EXPORT_MEMBER = Statement(
    f"""
    SELECT part, data FROM (
        SELECT 'balance' AS part, NULL::timestamptz AS at, NULL::uuid AS id,
            {_json_object(*_BALANCE_FIELDS, table="member")} AS data
        FROM bytes_balances AS member
        WHERE member.guild_id = $1::text AND user_id = $2::text
        UNION ALL
        SELECT 'squad', NULL, NULL, {_MEMBERSHIP}
        FROM squad_memberships AS seat
        JOIN squads AS squad ON squad.guild_id = $1::text AND squad.id = seat.squad_id
        WHERE seat.guild_id = $1::text AND seat.user_id = $2::text
        UNION ALL
        SELECT 'ordered', NULL, NULL, count(*)::text
        FROM bytes_transactions WHERE guild_id = $1::text AND actor_id = $2::text
        UNION ALL {_select_entries("giver")}
        UNION ALL {_select_entries("receiver")}
    ) AS parts
    ORDER BY at, id
    """,
    {"json_build_object(": "json_object(", "to_json(": "json("},
)
"""Get all stored data of a member, in one snapshot: rows of ``part`` and ``data``, as JSON.

The parts are balance, squad, ordered (a number) and transaction (oldest first). The number is
counted in O(rows of the guild): actors have no index. $1 guild, $2 user.
"""

# Erasure ------------------------------------------------------------------------------------------

LOCK_MEMBER = Statement("""
    WITH locked AS MATERIALIZED (
        SELECT balance FROM bytes_balances
        WHERE guild_id = $1::text AND user_id = $2::text FOR UPDATE
    )
    SELECT (SELECT balance FROM locked) AS balance
""")
"""Lock a member's row and get the balance; null for an unknown member. $1 guild, $2 user."""

FIND_USER = Statement("""
    SELECT EXISTS (
        SELECT 1 FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text
    ) OR EXISTS (
        SELECT 1 FROM bytes_transactions
        WHERE guild_id = $1::text AND $2::text IN (giver_id, receiver_id, actor_id)
    ) AS is_used
""")
"""Find out whether an id is in a guild's balances or ledger. $1 guild, $2 user."""

REMOVE_DIGESTS = Statement(
    """
    UPDATE bytes_transactions SET details = details - 'digest'
    WHERE guild_id = $1::text AND kind IN ('grant', 'charge') AND idempotency_key IS NOT NULL
      AND details ->> 'digest' IS NOT NULL
      AND (created_at, kind) IN (
        SELECT mine.created_at, mine.kind FROM bytes_transactions AS mine
        WHERE mine.guild_id = $1::text AND $2::text IN (mine.giver_id, mine.receiver_id)
      )
    """,
    {
        "details - 'digest'": "json_remove(details, '$.digest')",
        "details ->> 'digest'": "json_extract(details, '$.digest')",
    },
)
"""Remove the digests of bulk requests that a member was part of. $1 guild, $2 user.

A digest is of all members and amounts: from it and the others, the member's id could be found by
trying. The entries of a bulk request have the same time and kind.
"""

# A party only where $5: that the member is known, and the row locked.
_IS_GIVER = "($5::boolean AND giver_id = $2::text)"
_IS_RECEIVER = "($5::boolean AND receiver_id = $2::text)"

_ERASED = f"""
    id, guild_id,
    CASE WHEN {_IS_GIVER} THEN $3::text ELSE giver_id END AS giver_id,
    CASE WHEN {_IS_GIVER} THEN '' ELSE giver_username END AS giver_username,
    CASE WHEN {_IS_RECEIVER} THEN $3::text ELSE receiver_id END AS receiver_id,
    CASE WHEN {_IS_RECEIVER} THEN '' ELSE receiver_username END AS receiver_username,
    created_at, kind,
    CASE WHEN actor_id = $2::text THEN $3::text ELSE actor_id END AS actor_id,
    replace(idempotency_key, $4::text, $3::text) AS idempotency_key,
    amount,
    CASE WHEN {_IS_GIVER} OR {_IS_RECEIVER} THEN NULL
        ELSE replace(reason, $4::text, $3::text) END AS reason,
    replace(details::text, $4::text, $3::text)::jsonb AS details,
    reverses_id"""

_CONTAINS_ID = f"""
    guild_id = $1::text AND (
        {_IS_GIVER} OR {_IS_RECEIVER} OR actor_id = $2::text
        OR reason <> replace(reason, $4::text, $3::text)
        OR idempotency_key <> replace(idempotency_key, $4::text, $3::text)
        OR details::text <> replace(details::text, $4::text, $3::text)
    )"""

_DELETE_ENTRIES = f"DELETE FROM bytes_transactions WHERE {_CONTAINS_ID} RETURNING {_ERASED}"

_ROWS_AT_ONCE = 500
"""Rows of one INSERT on a distributed database; each has 14 of 32,767 parameters."""


def _insert_entries(count: int) -> str:
    """Return the INSERT of some entries; the values are those of `ENTRY_COLUMNS`."""
    columns = ENTRY_COLUMNS.count(",") + 1
    rows = (
        ", ".join(f"${row * columns + column}" for column in range(1, columns + 1))
        for row in range(count)
    )
    values = ", ".join(f"({row})" for row in rows)
    return f"INSERT INTO bytes_transactions ({ENTRY_COLUMNS}) VALUES {values}"


async def _erase_entries_split(fetch: Fetch, *parameters: Any) -> Rows:
    """Erase entries on a distributed database: it sends VALUES to one node, but not other rows."""
    columns = ENTRY_COLUMNS.split(", ")
    erased = await fetch(_DELETE_ENTRIES, *parameters)
    for start in range(0, len(erased), _ROWS_AT_ONCE):
        some = erased[start : start + _ROWS_AT_ONCE]
        await fetch(_insert_entries(len(some)), *(row[name] for row in some for name in columns))
    return []


ERASE_ENTRIES = Statement(
    f"""
    WITH erased AS (DELETE FROM bytes_transactions WHERE {_CONTAINS_ID} RETURNING *)
    INSERT INTO bytes_transactions ({ENTRY_COLUMNS}) SELECT {_ERASED} FROM erased
    """,
    sqlite=(
        f"""
    INSERT OR REPLACE INTO bytes_transactions ({ENTRY_COLUMNS})
    SELECT {_ERASED} FROM bytes_transactions WHERE {_CONTAINS_ID}""",
    ),
    distributed=_erase_entries_split,
)
"""Replace a member's id in the ledger; remove the member's names and reasons.

The rows are deleted and inserted again, since the database refuses to change the parties of a row.
Costs O(rows of the guild): actors and texts have no index.

$1 guild, $2 user, $3 pseudonym, $4 text to replace by the pseudonym in reasons, keys and details
(nothing if empty), $5 whether the member is known.
"""

ERASE_MEMBER = Statement("""
    UPDATE bytes_balances SET user_id = $3::text, last_daily = NULL, streak_count = 0,
        last_transfer_at = NULL, left_at = $4::timestamptz, updated_at = $5::timestamptz
    WHERE guild_id = $1::text AND user_id = $2::text
""")
"""Replace the id of a member's row and remove the dates. $1 guild, $2 user, $3 pseudonym,
$4 clock, $5 wall time."""

ERASE_MEMBERSHIP = Statement("""
    UPDATE squad_memberships SET user_id = $3::text
    WHERE guild_id = $1::text AND user_id = $2::text AND NOT EXISTS (
        SELECT 1 FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text
    )
    RETURNING id
""")
"""Replace the id in a member's membership after `ERASE_MEMBER`; no row without one.

A member who has the id now came meanwhile, and keeps the seat. $1 guild, $2 user, $3 pseudonym.
"""

FIND_ERASURE = Statement("""
    SELECT 1 FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text
    UNION ALL
    SELECT 1 FROM bytes_transactions
    WHERE guild_id = $1::text AND (
        actor_id = $2::text OR strpos(reason, $2::text) > 0
        OR strpos(idempotency_key, $2::text) > 0 OR strpos(details::text, $2::text) > 0
    )
    LIMIT 1
""")
"""Find out whether an erasure was committed; only on PostgreSQL. $1 guild, $2 pseudonym."""

# Deletion -----------------------------------------------------------------------------------------

LOCK_GUILD = Statement("""
    WITH locked_squads AS MATERIALIZED (
        SELECT id FROM squads WHERE guild_id = $1::text ORDER BY id FOR UPDATE
    ), locked_members AS MATERIALIZED (
        SELECT id FROM bytes_balances
        WHERE guild_id = $1::text AND (SELECT count(*) FROM locked_squads) >= 0
        ORDER BY user_id FOR UPDATE
    )
    SELECT (SELECT max(id) FROM locked_members) AS member_id,
        (SELECT id FROM bytes_transactions WHERE guild_id = $1::text LIMIT 1) AS entry_id,
        (SELECT created_at FROM bytes_configs WHERE guild_id = $1::text) AS config_created_at,
        (SELECT id FROM locked_squads LIMIT 1) AS squad_id
""")
"""Lock a guild's squads, then its members in the order of user ids, as other operations do.

Returns the keys of a row of each kind, or nulls, to find out later whether the guild was deleted.
$1 guild.
"""

DELETE_ROWS = tuple(
    Statement(f"DELETE FROM {table} WHERE guild_id = $1::text")
    for table in (
        "squad_memberships",
        "squads",
        "bytes_transactions",
        "bytes_balances",
        "bytes_configs",
    )
)
"""Delete a guild's rows: a statement for each table, in the order of foreign keys. $1 guild."""

HAS_ROWS = Statement("""
    SELECT EXISTS (SELECT 1 FROM bytes_balances WHERE guild_id = $1::text)
        OR EXISTS (SELECT 1 FROM bytes_transactions WHERE guild_id = $1::text)
        OR EXISTS (SELECT 1 FROM squad_memberships WHERE guild_id = $1::text)
        OR EXISTS (SELECT 1 FROM squads WHERE guild_id = $1::text)
        OR EXISTS (SELECT 1 FROM bytes_configs WHERE guild_id = $1::text) AS has_rows
""")
"""Find out whether a guild has any row. $1 guild."""

FIND_DELETED_ROWS = Statement("""
    SELECT 1 FROM bytes_balances WHERE guild_id = $1::text AND id = $2::bigint
    UNION ALL
    SELECT 1 FROM bytes_transactions WHERE guild_id = $1::text AND id = $3::uuid
    UNION ALL
    SELECT 1 FROM bytes_configs WHERE guild_id = $1::text AND created_at = $4::timestamptz
    UNION ALL
    SELECT 1 FROM squads WHERE guild_id = $1::text AND id = $5::uuid
    LIMIT 1
""")
"""Find out whether rows that a deletion has to delete are there.

$1 guild, $2 … $5 as `LOCK_GUILD` returns them.
"""
