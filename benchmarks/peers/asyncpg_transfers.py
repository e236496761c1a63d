"""Transfers by hand on asyncpg."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from ..clock import Clock
from ..ids import NAME, uuid7

# Both rows in one UPDATE. PostgreSQL looks the two keys up in the unique index in their order and
# locks the rows as it finds them; transfers in opposite directions do not deadlock.
MOVE = """
    UPDATE bytes_balances SET
        balance = balance + CASE WHEN user_id = $3 THEN $4::bigint ELSE - $4::bigint END,
        total_received = total_received + CASE WHEN user_id = $3 THEN $4::bigint ELSE 0 END,
        total_sent = total_sent + CASE WHEN user_id = $2 THEN $4::bigint ELSE 0 END,
        updated_at = $5
    WHERE guild_id = $1 AND user_id IN ($2, $3) AND (user_id = $3 OR balance >= $4)
    RETURNING user_id
"""

RECORD = """
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
         created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'transfer', $8)
"""

# The giver's row is locked by then, and a new statement sees what was committed before that.
RECORD_IF_COOL = """
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
         created_at)
    SELECT $1, $2::varchar, $3::varchar, $4, $5, $6, $7, 'transfer', $8::timestamptz
    WHERE NOT EXISTS (
        SELECT 1 FROM bytes_transactions
        WHERE guild_id = $2 AND giver_id = $3 AND giver_id <> 'SYSTEM'
          AND kind = 'transfer' AND created_at > $9
    )
    RETURNING id
"""

BOTH = 2


class Refused(Exception):  # noqa: N818  # no mistake, an answer
    """The transfer did not happen."""


class TwoStatements:
    """An UPDATE of both rows and the INSERT of the ledger's, in a transaction.

    The balance is checked. The guild's limit and cooldown are not looked at, an order that is
    repeated is carried out again, a member who is new is refused, and a cancelled or broken
    connection is the caller's problem.

    Args:
        pool: To take connections from.
        clock: For the ledger row.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetch(MOVE, guild, giver, receiver, amount, now)
            if len(moved) != BOTH:
                raise Refused
            await connection.execute(
                RECORD, uuid7(), guild, giver, NAME, receiver, NAME, amount, now
            )


class TwoStatementsWithCooldown(TwoStatements):
    """As `TwoStatements`, and the INSERT finds no row when the giver gave within the last hour."""

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetch(MOVE, guild, giver, receiver, amount, now)
            if len(moved) != BOTH:
                raise Refused
            row = (uuid7(), guild, giver, NAME, receiver, NAME, amount, now)
            since = now - timedelta(hours=1)
            if not await connection.fetchval(RECORD_IF_COOL, *row, since):
                raise Refused


class OurStatement:
    """The package's own statement, without the package around it.

    It is not part of the package's interface, and taken from there all the same, so that it is the
    same text. Where it finds no row the package goes on to find out why, and this does not.

    Args:
        pool: To take connections from.
        clock: For the ledger row.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        from bytes_squads.sql.movements import settlement  # noqa: PLC0415

        self._statement = settlement("transfer", None).postgres
        self._pool = pool
        self._clock = clock

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        now = self._clock()
        parties = (giver, NAME, receiver, NAME)
        none = (None, None, None)  # who ordered it, idempotency key, details
        async with self._pool.acquire() as connection:
            recorded = await connection.execute(
                self._statement,
                *(uuid7(), guild, *parties, amount, None, now, "transfer", *none, now),
            )
            if recorded == "INSERT 0 0":
                raise Refused
