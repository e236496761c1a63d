"""Operations by hand, on asyncpg and on Python's sqlite3.

Each is the best statement or transaction that we know, and checks what the operation checks, apart
from the limit and the cooldown of transfers. New members are refused; nothing is retried.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
from tortoise.connection import get_connection

import bytes_squads

from ..stage import SQLITE, Stage
from ..workloads import GUILD, NAME, Clock, Order, RefusedError, member, transfer

POOL_SIZE = 10
"""Connections of each implementation's pool; the package's default."""

_get_fields = itemgetter("guild_id", "giver_id", "receiver_id", "amount")

_INSERT = """
    INSERT INTO bytes_transactions (id, guild_id, giver_id, giver_username, receiver_id,
        receiver_username, amount, kind, created_at, idempotency_key)
"""
# PostgreSQL locks both rows in the order of the index: opposite transfers do not deadlock.
MOVE = """
    UPDATE bytes_balances SET updated_at = $5,
        balance = balance + CASE WHEN user_id = $3 THEN $4::bigint ELSE - $4::bigint END,
        total_received = total_received + CASE WHEN user_id = $3 THEN $4::bigint ELSE 0 END,
        total_sent = total_sent + CASE WHEN user_id = $2 THEN $4::bigint ELSE 0 END
    WHERE guild_id = $1 AND user_id IN ($2, $3) AND (user_id = $3 OR balance >= $4)
    RETURNING user_id
"""
RECORD = f"{_INSERT} VALUES ($1, $2, $3, $4, $5, $6, $7, 'transfer', $8, $9)"
MOVE_ON_SQLITE = MOVE.replace("::bigint", "").replace("$", "?")
RECORD_ON_SQLITE = RECORD.replace("$", "?")

# After waiting for the row's lock PostgreSQL checks the row again, and refuses a second claim.
CLAIM = f"""
    WITH paid AS (
        UPDATE bytes_balances AS member SET last_daily = $3, updated_at = $4,
            streak_count = CASE WHEN last_daily = $3::date - 1 THEN streak_count + 1 ELSE 1 END,
            balance = balance + pay, total_received = total_received + pay
        FROM bytes_configs AS config, LATERAL (
            SELECT daily_amount * coalesce((
                SELECT value::bigint FROM jsonb_each_text(streak_bonuses) WHERE key::int <=
                    CASE WHEN seen.last_daily = $3::date - 1 THEN seen.streak_count + 1 ELSE 1 END
                ORDER BY key::int DESC LIMIT 1), 1) AS pay
            FROM bytes_balances AS seen WHERE seen.guild_id = $1 AND seen.user_id = $2) AS reward
        WHERE config.guild_id = $1 AND member.guild_id = $1 AND member.user_id = $2
          AND (last_daily IS NULL OR last_daily < $3)
        RETURNING pay, member.streak_count, member.balance
    ), entry AS (
        {_INSERT} SELECT $5::uuid, $1, 'SYSTEM', 'SYSTEM', $2, $6, pay, 'daily', $4, NULL FROM paid)
    SELECT * FROM paid
"""
LOCK_SQUAD = """
    SELECT switch_cost, max_members FROM squads
    WHERE guild_id = $1 AND id = $2 AND is_active FOR UPDATE
"""
# A second statement, so that it sees what was committed while the squad's lock was awaited.
JOIN = f"""
    WITH membership AS (
        INSERT INTO squad_memberships (guild_id, user_id, squad_id, joined_at)
        SELECT $1::varchar, $2::varchar, $3::uuid, $4 WHERE $5::int IS NULL OR $5::int > (
            SELECT count(*) FROM squad_memberships WHERE guild_id = $1 AND squad_id = $3)
        ON CONFLICT (guild_id, user_id) DO NOTHING RETURNING id
    ), paid AS (
        UPDATE bytes_balances
        SET balance = balance - $6, total_sent = total_sent + $6, updated_at = $4
        WHERE guild_id = $1 AND user_id = $2 AND balance >= $6 AND EXISTS (TABLE membership)
        RETURNING user_id)
    {_INSERT} SELECT $7, $1, $2, $8, 'SYSTEM', 'SYSTEM', $6, 'squad', $4, NULL FROM paid
    RETURNING id
"""


def uuid7() -> UUID:
    """Return an id that follows time, made as cheaply as Python can."""
    bits = random.getrandbits(74)
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | bits >> 62 << 64 | 2 << 62 | bits & 2**62 - 1)


def open_pool(url: str, **options: Any) -> Any:
    """Return a pool. Left to itself, PostgreSQL would plan long statements for each execution."""
    settings = {"plan_cache_mode": "force_generic_plan"}
    sizes = {"min_size": 0, "max_size": POOL_SIZE}
    return asyncpg.create_pool(url, **sizes, server_settings=settings, **options)


async def skip_reset(_: asyncpg.Connection) -> None:
    """Return a connection to its pool as it is, for statements that change no session setting."""


class AsyncpgBaseline:
    """Two statements in a transaction for a transfer or a join, one for a claim."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def transfer(self, order: Order) -> None:
        now = self._clock()
        guild_id, giver, receiver, amount = _get_fields(order)
        async with self._pool.acquire() as connection, connection.transaction():
            if len(await connection.fetch(MOVE, guild_id, giver, receiver, amount, now)) != 2:
                raise RefusedError
            row = (uuid7(), guild_id, giver, NAME, receiver, NAME, amount, now)
            await connection.execute(RECORD, *row, order.get("idempotency_key"))

    async def claim(self, user_id: str) -> None:
        now = self._clock()
        async with self._pool.acquire() as connection:
            if not await connection.fetch(CLAIM, GUILD, user_id, now.date(), now, uuid7(), NAME):
                raise RefusedError

    async def join(self, user_id: str, squad_id: UUID) -> None:
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            if (squad := await connection.fetchrow(LOCK_SQUAD, GUILD, squad_id)) is None:
                raise RefusedError
            row = (GUILD, user_id, squad_id, now, squad["max_members"], squad["switch_cost"])
            if not await connection.fetch(JOIN, *row, uuid7(), NAME):
                raise RefusedError


class StatementBaseline:
    """The package's own statement for a transfer, as recorded, without the package around it."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, recorded: tuple[str, list[Any]]) -> None:
        self._pool, self._clock = pool, clock
        self._sql, self._arguments = recorded
        replaced = [member(1), member(2), UUID, datetime]
        self._positions = [
            (position, replaced.index(kind))
            for position, value in enumerate(self._arguments)
            if (kind := value if value in replaced else type(value)) in replaced
        ]

    async def transfer(self, order: Order) -> None:
        values = (order["giver_id"], order["receiver_id"], uuid7(), self._clock())
        arguments = self._arguments.copy()
        for position, kind in self._positions:
            arguments[position] = values[kind]
        async with self._pool.acquire() as connection:
            await connection.fetch(self._sql, *arguments)


async def record_statement(stage: Stage) -> tuple[str, list[Any]]:
    """Return what the package sends for a transfer of one byte from member 1 to 2."""
    queries: list[Any] = []
    async with get_connection("default").acquire_connection() as connection:
        connection.add_query_logger(queries.append)  # the pool hands it out next
    await stage.package.transfer(transfer(1, 2))
    await asyncio.sleep(0)  # the logger is called a moment later
    await bytes_squads.close()  # and goes with the connection
    await bytes_squads.init(stage.url)
    (query,) = [query for query in queries if query.args]
    return query.query, list(query.args)


class SqliteBaseline:
    """A transaction in one visit to a thread, as durable as the package's."""

    def __init__(self, stage: Stage) -> None:
        self._clock, self._thread = stage.clock, ThreadPoolExecutor(1)
        path = stage.url.removeprefix(SQLITE)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")

    async def transfer(self, order: Order) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._transfer, order)

    def _transfer(self, order: Order) -> None:
        now = self._clock().astimezone(UTC).isoformat(" ")
        guild_id, giver, receiver, amount = _get_fields(order)
        row = (str(uuid7()), guild_id, giver, NAME, receiver, NAME, amount, now, None)
        with self._connection as connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            moved = connection.execute(MOVE_ON_SQLITE, (guild_id, giver, receiver, amount, now))
            if len(moved.fetchall()) != 2:
                raise RefusedError
            connection.execute(RECORD_ON_SQLITE, row)

    def close(self) -> None:
        self._thread.shutdown()
        self._connection.close()
