"""Claims, joinings, reads and grants by hand on asyncpg, each as the best we know.

What writes checks what the operation checks. It keeps no idempotency key and welcomes nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from ..clock import Clock
from ..ids import NAME, uuid7
from .asyncpg_transfers import Refused

# The config, the new streak, its multiplier, the pay and the ledger's row, in one statement. On
# its way through a lock PostgreSQL looks at the member's row again, and refuses a second claim.
CLAIM = """
    WITH config AS (
        SELECT daily_amount, streak_bonuses FROM bytes_configs WHERE guild_id = $1
    ), paid AS (
        UPDATE bytes_balances AS member SET
            last_daily = $3,
            streak_count = CASE WHEN last_daily = $3::date - 1 THEN streak_count + 1 ELSE 1 END,
            balance = balance + pay, total_received = total_received + pay, updated_at = $4
        FROM config, LATERAL (
            SELECT daily_amount * coalesce((
                SELECT value::bigint FROM jsonb_each_text(streak_bonuses)
                WHERE key::int <= CASE
                    WHEN seen.last_daily = $3::date - 1 THEN seen.streak_count + 1 ELSE 1 END
                ORDER BY key::int DESC LIMIT 1
            ), 1) AS pay
            FROM bytes_balances AS seen WHERE seen.guild_id = $1 AND seen.user_id = $2
        ) AS reward
        WHERE member.guild_id = $1 AND member.user_id = $2
          AND (last_daily IS NULL OR last_daily < $3)
        RETURNING pay, member.streak_count, member.balance
    ), entry AS (
        INSERT INTO bytes_transactions
            (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
             created_at)
        SELECT $5::uuid, $1, 'SYSTEM', 'SYSTEM', $2, $6, pay, 'daily', $4 FROM paid
    )
    SELECT * FROM paid
"""

LOCK_SQUAD = """
    SELECT switch_cost, max_members, is_active FROM squads
    WHERE guild_id = $1 AND id = $2 FOR UPDATE
"""

# A statement of its own: what was committed while the squad's lock was waited for is counted.
JOIN = """
    WITH seat AS (
        INSERT INTO squad_memberships (guild_id, user_id, squad_id, joined_at)
        SELECT $1::varchar, $2::varchar, $3::uuid, $4
        WHERE $5::int IS NULL OR $5::int > (
            SELECT count(*) FROM squad_memberships WHERE guild_id = $1 AND squad_id = $3
        )
        ON CONFLICT (guild_id, user_id) DO NOTHING
        RETURNING id
    ), paid AS (
        UPDATE bytes_balances SET
            balance = balance - $6, total_sent = total_sent + $6, updated_at = $4
        WHERE guild_id = $1 AND user_id = $2 AND balance >= $6 AND EXISTS (SELECT 1 FROM seat)
        RETURNING user_id
    )
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
         created_at)
    SELECT $7, $1, $2, $8, 'SYSTEM', 'SYSTEM', $6, 'squad', $4 FROM paid
    RETURNING id
"""

TOP = """
    SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1
    ORDER BY balance DESC, user_id LIMIT $2
"""

# Counted in two parts, each a range of the leaderboard's index.
RANK = """
    SELECT me.balance, 1 + (
        SELECT count(*) FROM bytes_balances AS richer
        WHERE richer.guild_id = $1 AND richer.balance > me.balance
    ) + (
        SELECT count(*) FROM bytes_balances AS equal
        WHERE equal.guild_id = $1 AND equal.balance = me.balance AND equal.user_id < me.user_id
    ) AS rank
    FROM bytes_balances AS me WHERE me.guild_id = $1 AND me.user_id = $2
"""

_COLUMNS = (
    "id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, reason,"
    " created_at, kind, actor_id, idempotency_key, details"
)

# Each half is the beginning of an index, which SYSTEM is not in; nothing is sorted but what they
# begin with.
HISTORY = f"""
    (SELECT {_COLUMNS} FROM bytes_transactions WHERE guild_id = $1 AND giver_id = $2
       AND giver_id <> 'SYSTEM'
     ORDER BY created_at DESC, id DESC LIMIT $3)
    UNION ALL
    (SELECT {_COLUMNS} FROM bytes_transactions WHERE guild_id = $1 AND receiver_id = $2
       AND receiver_id <> 'SYSTEM'
     ORDER BY created_at DESC, id DESC LIMIT $3)
    ORDER BY created_at DESC, id DESC LIMIT $3
"""

# Members are locked in the order of their ids, as everybody else does it.
GRANT_MANY = """
    WITH pay AS (
        SELECT * FROM unnest($2::varchar[], $3::bigint[], $4::uuid[]) AS pay(user_id, amount, id)
    ), locked AS MATERIALIZED (
        SELECT member.id, pay.amount FROM pay
        JOIN bytes_balances AS member
            ON member.guild_id = $1 AND member.user_id = pay.user_id
        ORDER BY member.user_id FOR UPDATE OF member
    ), paid AS (
        UPDATE bytes_balances AS member SET
            balance = balance + locked.amount,
            total_received = total_received + locked.amount, updated_at = $5
        FROM locked WHERE member.guild_id = $1 AND member.id = locked.id
        RETURNING 1
    ), entry AS (
        INSERT INTO bytes_transactions
            (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
             created_at)
        SELECT id, $1, 'SYSTEM', 'SYSTEM', user_id, '', amount, 'grant', $5 FROM pay
    )
    SELECT count(*) FROM paid
"""


class ByHand:
    """The operations, each a statement or a transaction on a connection of a pool.

    Args:
        pool: To take connections from.
        clock: For the ledger rows, and for the date of a claim.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def claim(self, guild: str, user: str) -> None:
        """The daily claim."""
        now = self._clock()
        async with self._pool.acquire() as connection:
            values = (guild, user, now.date(), now, uuid7(), NAME)
            if not await connection.fetch(CLAIM, *values):
                raise Refused

    async def join(self, guild: str, user: str, squad_id: UUID) -> None:
        """Join a squad and pay for it: two statements in a transaction."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            squad = await connection.fetchrow(LOCK_SQUAD, guild, squad_id)
            if squad is None or not squad["is_active"]:
                raise Refused
            seat = (guild, user, squad_id, now, squad["max_members"])
            if not await connection.fetch(JOIN, *seat, squad["switch_cost"], uuid7(), NAME):
                raise Refused

    async def top(self, guild: str, limit: int) -> list[asyncpg.Record]:
        """The first of the leaderboard."""
        async with self._pool.acquire() as connection:
            return list(await connection.fetch(TOP, guild, limit))

    async def rank(self, guild: str, user: str) -> list[asyncpg.Record]:
        """A member's position."""
        async with self._pool.acquire() as connection:
            return list(await connection.fetch(RANK, guild, user))

    async def history(self, guild: str, user: str, limit: int) -> list[asyncpg.Record]:
        """A member's newest ledger rows."""
        async with self._pool.acquire() as connection:
            return list(await connection.fetch(HISTORY, guild, user, limit))

    async def grant_many(self, guild: str, amounts: Mapping[str, int]) -> None:
        """Pay many members, all or nothing."""
        users, bytes_ = list(amounts), list(amounts.values())
        row_ids = [uuid7() for _ in users]
        async with self._pool.acquire() as connection, connection.transaction():
            paid = await connection.fetchval(
                GRANT_MANY, guild, users, bytes_, row_ids, self._clock()
            )
            if paid != len(users):
                raise Refused
