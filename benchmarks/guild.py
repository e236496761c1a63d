"""Filling guilds: members and a ledger that accounts for what they have.

Of a guild's members the first hundred are regulars, each with at least eighty rows of the ledger,
and the last ten are quiet, with one. So a page of history is as long in a small guild as in a
large one. Everybody has so many bytes that no contest exhausts them.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import asyncpg

from bytes_squads import BytesConfigUpdate, BytesOperations, init

from . import ids

REGULARS = 100
QUIET = 10
ROWS_EACH = 5
"""Ledger rows per member of a guild with a past."""

LEAST = 1_000_000
"""Whole bytes that everybody begins with, at least."""

_TRANSFERS_OF_REGULARS = 4_000
_YEAR = "365 * 86400"

_COLUMNS = (
    "id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, created_at,"
    " kind"
)

# The row's time comes first in its id, as in those that the package makes. The ids need not be
# better than different from each other.
_ID = """
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5($1 || n), 1, 3) || '8' || substr(md5($1 || n), 4, 15))::uuid
"""

_FIRST_ROWS = f"""
    INSERT INTO bytes_transactions ({_COLUMNS})
    SELECT {_ID}, $1, 'SYSTEM', 'SYSTEM', ({ids.FIRST_MEMBER} + n)::text, '{ids.NAME}',
        {LEAST} + n * 7919 % $2::bigint, at, 'grant'
    FROM generate_series(1, $2::bigint) AS n,
        LATERAL (SELECT now() - ({_YEAR} + $2 - n) * interval '1 second' AS at) AS moment
"""

# Every `stride`th transfer is one between regulars, the others are between those who are neither
# regular nor quiet: `others` of them, from number 101 on.
_TRANSFERS = f"""
    INSERT INTO bytes_transactions ({_COLUMNS})
    SELECT {_ID}, $1, ({ids.FIRST_MEMBER} + giver)::text, '{ids.NAME}',
        ({ids.FIRST_MEMBER} + receiver)::text, '{ids.NAME}', 1 + k % 10, at, 'transfer'
    FROM generate_series(0, $3::bigint - 1) AS k,
        LATERAL (
            SELECT $2::bigint - {REGULARS + QUIET} AS others,
                $3::bigint / {_TRANSFERS_OF_REGULARS} AS stride,
                k + $2::bigint + 1 AS n,
                now() - ({_YEAR}.0 * (1 - k / $3::float8)) * interval '1 second' AS at
        ) AS about,
        LATERAL (SELECT k / stride AS r, k * 2654435761 % others AS g) AS drawn,
        LATERAL (
            SELECT
                CASE WHEN k % stride = 0 THEN 1 + r % {REGULARS}
                     ELSE {REGULARS + 1} + g END AS giver,
                CASE WHEN k % stride = 0 THEN 1 + (r + 1 + r / {REGULARS}) % {REGULARS}
                     ELSE {REGULARS + 1} + (g + 1 + k * 40503 % (others - 1)) % others
                END AS receiver
        ) AS parties
"""

_BALANCES = """
    INSERT INTO bytes_balances
        (guild_id, user_id, balance, total_received, total_sent, streak_count,
         created_at, updated_at)
    SELECT $1, user_id, sum(received - sent), sum(received), sum(sent), 0, now(), now()
    FROM (
        SELECT receiver_id AS user_id, amount AS received, 0 AS sent
        FROM bytes_transactions WHERE guild_id = $1
        UNION ALL
        SELECT giver_id, 0, amount FROM bytes_transactions WHERE guild_id = $1
    ) AS entry
    WHERE user_id <> 'SYSTEM'
    GROUP BY user_id ORDER BY user_id
"""

_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index
    WHERE indrelid = 'bytes_transactions'::regclass
      AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
"""


async def fill(url: str, guild_id: str, members: int, *, past: bool = False) -> None:
    """Fill a guild on PostgreSQL.

    Args:
        url: A migrated database.
        guild_id: The guild.
        members: How many; at least 1,000 and a multiple of it when they have a past.
        past: Whether there are `ROWS_EACH` ledger rows per member, or only the first.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET maintenance_work_mem = '256MB'; SET work_mem = '256MB'")
        # A large table is filled without indexes, which are then made as they were.
        indexes = await connection.fetch(_INDEXES) if past else []
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.execute(_FIRST_ROWS, guild_id, members)
        if past:
            await connection.execute(_TRANSFERS, guild_id, members, members * (ROWS_EACH - 1))
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute(_BALANCES, guild_id)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def configure(url: str, guild_id: str, *, cooldown_hours: int = 0) -> None:
    """Give a guild its config; afterwards the package is open on `url`."""
    await init(url)
    await BytesOperations().update_config(
        guild_id,
        BytesConfigUpdate(max_transfer=2**40, transfer_cooldown_hours=cooldown_hours),
    )


def fill_sqlite(path: str, guild_id: str, members: int) -> None:
    """Fill a guild on SQLite: members, each with the first row of the ledger."""
    now = datetime.now(UTC).isoformat(" ")
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO bytes_balances (guild_id, user_id, balance, total_received, total_sent,"
            " streak_count, created_at, updated_at) VALUES (?, ?, ?, ?, 0, 0, ?, ?)",
            [(guild_id, user, LEAST, LEAST, now, now) for user in ids.members(members)],
        )
        connection.executemany(
            f"INSERT INTO bytes_transactions ({_COLUMNS})"
            " VALUES (?, ?, 'SYSTEM', 'SYSTEM', ?, ?, ?, ?, 'grant')",
            [
                (str(ids.uuid7()), guild_id, user, ids.NAME, LEAST, now)
                for user in ids.members(members)
            ],
        )
        connection.execute("ANALYZE")
    connection.close()
