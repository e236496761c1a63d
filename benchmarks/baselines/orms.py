"""Transfers on ORMs, as they are usually written: rows are locked, read, changed and saved.

A helper gets or creates a member's row, because every command of a bot needs it. Both rows are then
locked in the order of their ids.
"""

from __future__ import annotations

from typing import Any, Self

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.automap import automap_base
from tortoise.transactions import in_transaction

from bytes_squads import BytesBalance, BytesTransaction

from ..workloads import Clock, Order, RefusedError
from .by_hand import POOL_SIZE, uuid7


def _move(rows: dict[str, Any], order: Order) -> Order:
    """Change both members' rows; return the values of the ledger row."""
    giver, receiver, amount = rows[order["giver_id"]], rows[order["receiver_id"]], order["amount"]
    if giver.balance < amount:
        raise RefusedError
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
        if await session.scalar(query) is None:
            raise RefusedError  # a row would be created here, but every member has one
        locked = query.with_for_update().execution_options(populate_existing=True)
        return (await session.scalars(locked)).one()
