"""The same work by other means: by hand on asyncpg and sqlite3, and on ORMs as usually written.

By hand each operation is the best statement or transaction that we know. It checks the same rules,
except the limit and the cooldown of transfers. New members are refused, and nothing is retried.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC
from operator import itemgetter
from typing import Any, Self
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.automap import automap_base
from tortoise.transactions import in_transaction

from bytes_squads import BytesBalance, BytesTransaction, InsufficientBalanceError
from bytes_squads.domain.ids import uuid7
from bytes_squads.sql.postings import POST_ENTRY

from .workloads import GUILD, NAME, Clock, Order

POOL_SIZE = 10
"""Connections of each implementation's pool; the package's default."""

_get_fields = itemgetter("guild_id", "giver_id", "receiver_id", "amount")

_INSERT = """
    INSERT INTO bytes_transactions (id, guild_id, giver_id, giver_username, receiver_id,
        receiver_username, amount, kind, created_at, idempotency_key)
"""
# PostgreSQL locks both rows in the order of the index: opposite transfers do not deadlock.
UPDATE_BALANCES = """
    UPDATE bytes_balances SET updated_at = $5,
        balance = balance + CASE WHEN user_id = $3 THEN $4::bigint ELSE - $4::bigint END,
        total_received = total_received + CASE WHEN user_id = $3 THEN $4::bigint ELSE 0 END,
        total_sent = total_sent + CASE WHEN user_id = $2 THEN $4::bigint ELSE 0 END
    WHERE guild_id = $1 AND user_id IN ($2, $3) AND (user_id = $3 OR balance >= $4)
    RETURNING user_id
"""
INSERT_ENTRY = f"{_INSERT} VALUES ($1, $2, $3, $4, $5, $6, $7, 'transfer', $8, $9)"
UPDATE_BALANCES_SQLITE = UPDATE_BALANCES.replace("::bigint", "").replace("$", "?")
INSERT_ENTRY_SQLITE = INSERT_ENTRY.replace("$", "?")

# After waiting for the row's lock PostgreSQL checks the row again, and refuses a second claim.
CLAIM_DAILY = f"""
    WITH reward AS (
        SELECT streak, daily_amount * coalesce((
            SELECT value::bigint FROM jsonb_each_text(streak_bonuses) WHERE key::int <= streak
            ORDER BY key::int DESC LIMIT 1), 1) AS pay
        FROM bytes_configs AS config, LATERAL (
            SELECT CASE WHEN last_daily = $3::date - 1 THEN streak_count + 1 ELSE 1 END AS streak
            FROM bytes_balances WHERE guild_id = $1 AND user_id = $2) AS seen
        WHERE config.guild_id = $1
    ), paid AS (
        UPDATE bytes_balances SET last_daily = $3, updated_at = $4, streak_count = streak,
            balance = balance + pay, total_received = total_received + pay FROM reward
        WHERE guild_id = $1 AND user_id = $2 AND (last_daily IS NULL OR last_daily < $3)
        RETURNING pay, streak, balance
    ), entry AS (
        {_INSERT} SELECT $5::uuid, $1, 'SYSTEM', 'SYSTEM', $2, $6, pay, 'daily', $4, NULL FROM paid)
    SELECT * FROM paid
"""
LOCK_SQUAD = """
    SELECT switch_cost, max_members FROM squads
    WHERE guild_id = $1 AND id = $2 AND is_active FOR UPDATE
"""
# A second statement, to read what was committed during the wait for the squad's lock.
JOIN_SQUAD = f"""
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


def open_pool(url: str, **options: Any) -> Any:
    """Return a pool. By default PostgreSQL would plan long statements for each execution."""
    settings = {"plan_cache_mode": "force_generic_plan"}
    sizes = {"min_size": 0, "max_size": POOL_SIZE}
    return asyncpg.create_pool(url, **sizes, server_settings=settings, **options)


async def skip_reset(_: asyncpg.Connection) -> None:
    """Return a connection to its pool without a reset: no session setting has changed."""


class AsyncpgBaseline:
    """Two statements in a transaction for a transfer or a join, one for a claim."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def transfer(self, order: Order) -> None:
        now = self._clock()
        guild_id, giver, receiver, amount = fields = _get_fields(order)
        async with self._pool.acquire() as connection, connection.transaction():
            if len(await connection.fetch(UPDATE_BALANCES, *fields, now)) != 2:
                raise InsufficientBalanceError(0, amount)
            row = (uuid7(), guild_id, giver, NAME, receiver, NAME, amount, now)
            await connection.execute(INSERT_ENTRY, *row, order.get("idempotency_key"))

    async def claim(self, user_id: str) -> None:
        now = self._clock()
        async with self._pool.acquire() as db:
            if not await db.fetch(CLAIM_DAILY, GUILD, user_id, now.date(), now, uuid7(), NAME):
                raise AssertionError

    async def join(self, user_id: str, squad_id: UUID) -> None:
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            if (squad := await connection.fetchrow(LOCK_SQUAD, GUILD, squad_id)) is None:
                raise AssertionError
            row = (GUILD, user_id, squad_id, now, squad["max_members"], squad["switch_cost"])
            if not await connection.fetch(JOIN_SQUAD, *row, uuid7(), NAME):
                raise AssertionError


class StatementBaseline(AsyncpgBaseline):
    """The package's statement for a transfer, without the package around it."""

    async def transfer(self, order: Order) -> None:
        now = self._clock()
        guild_id, giver, receiver, amount = _get_fields(order)
        row = (uuid7(), guild_id, giver, NAME, receiver, NAME, now, "transfer", None)
        values = (*row, order.get("idempotency_key"), now, amount, None, None)
        async with self._pool.acquire() as connection:
            if (await connection.fetchrow(POST_ENTRY.postgres, *values))["outcome"] != "done":
                raise InsufficientBalanceError(0, amount)


class SqliteBaseline:
    """A transaction in one call on a thread, as durable as the package's."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")

    async def transfer(self, order: Order) -> None:
        await asyncio.to_thread(self._transfer, order)

    def _transfer(self, order: Order) -> None:
        now = self._clock().astimezone(UTC).isoformat(" ")
        guild_id, giver, receiver, amount = fields = _get_fields(order)
        row = (str(uuid7()), guild_id, giver, NAME, receiver, NAME, amount, now, None)
        with self._connection as connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            moved = connection.execute(UPDATE_BALANCES_SQLITE, (*fields, now))
            if len(moved.fetchall()) != 2:
                raise InsufficientBalanceError(0, amount)
            connection.execute(INSERT_ENTRY_SQLITE, row)

    def close(self) -> None:
        self._connection.close()


def _move(rows: dict[str, Any], order: Order) -> Order:
    """Change both members' rows, which are locked; return the values of the ledger row."""
    giver, receiver, amount = rows[order["giver_id"]], rows[order["receiver_id"]], order["amount"]
    if giver.balance < amount:
        raise InsufficientBalanceError(giver.balance, amount)
    giver.balance -= amount
    giver.total_sent += amount
    receiver.balance += amount
    receiver.total_received += amount
    return {**order, "kind": "transfer"}


class TortoiseBaseline:
    """Tortoise's own `in_transaction`, on the package's models and connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def transfer(self, order: Order) -> None:
        guild_id, users = order["guild_id"], sorted((order["giver_id"], order["receiver_id"]))
        changed = ("balance", "total_received", "total_sent", "updated_at")
        async with in_transaction() as db:
            for user_id in users:
                await BytesBalance.get_or_create(guild_id=guild_id, user_id=user_id, using_db=db)
            query = BytesBalance.filter(guild_id=guild_id, user_id__in=users).order_by("user_id")
            rows = {row.user_id: row for row in await query.select_for_update().using_db(db)}
            entry = _move(rows, order)
            for row in rows.values():
                await row.save(using_db=db, update_fields=changed)
            await BytesTransaction.create(**entry, created_at=self._clock(), using_db=db)


class SqlalchemyBaseline:
    """SQLAlchemy with asyncpg, a session per transfer; it maps the tables as they are."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock, self._base = clock, automap_base()
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(url),
            pool_size=POOL_SIZE,
            max_overflow=0,
        )

    async def __aenter__(self) -> Self:
        async with self._engine.connect() as connection:
            await connection.run_sync(lambda sync: self._base.prepare(autoload_with=sync))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    async def transfer(self, order: Order) -> None:
        now, tables = self._clock(), self._base.classes
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            users = sorted((order["giver_id"], order["receiver_id"]))
            rows = {user: await self._lock(session, order["guild_id"], user) for user in users}
            entry = _move(rows, order)
            for row in rows.values():
                row.updated_at = now
            session.add(tables.bytes_transactions(id=uuid7(), created_at=now, **entry))

    async def _lock(self, session: AsyncSession, guild_id: str, user_id: str) -> Any:
        balances = self._base.classes.bytes_balances
        query = select(balances).filter_by(guild_id=guild_id, user_id=user_id)
        await session.scalar(query)  # a missing one would be created here
        locked = query.with_for_update().execution_options(populate_existing=True)
        return (await session.scalars(locked)).one()
