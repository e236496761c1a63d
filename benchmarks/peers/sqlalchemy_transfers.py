"""Transfers on SQLAlchemy's ORM with asyncpg, objects changed under row locks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, DateTime, String, Uuid, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ..clock import Clock
from ..ids import NAME, uuid7
from ..settings import POOL_SIZE
from .asyncpg_transfers import Refused


class Base(DeclarativeBase):
    """The tables, as far as transfers use them."""


class Balance(Base):
    """A member's row."""

    __tablename__ = "bytes_balances"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    guild_id: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(String(20))
    balance: Mapped[int] = mapped_column(BigInteger)
    total_received: Mapped[int] = mapped_column(BigInteger)
    total_sent: Mapped[int] = mapped_column(BigInteger)
    streak_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Entry(Base):
    """A row of the ledger."""

    __tablename__ = "bytes_transactions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    guild_id: Mapped[str] = mapped_column(String(20))
    giver_id: Mapped[str] = mapped_column(String(20))
    giver_username: Mapped[str] = mapped_column(String(100))
    receiver_id: Mapped[str] = mapped_column(String(20))
    receiver_username: Mapped[str] = mapped_column(String(100))
    amount: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def engine(url: str) -> AsyncEngine:
    """An engine with a pool like the others'. It does not reset a connection after a COMMIT."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url),
        pool_size=POOL_SIZE,
        max_overflow=0,
    )


class LockedAtOnce:
    """Get the giver under a lock, the receiver likewise, change both, add the ledger's row.

    The balance is checked; the rest is as with asyncpg's two statements, but a member who is new
    gets a row. The giver is locked before the receiver: transfers in opposite directions can
    deadlock, and are then repeated.

    Args:
        engine: To take connections from.
        clock: For the ledger row.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._clock = clock

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        while True:
            try:
                await self._transfer(guild, giver, receiver, amount)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != asyncpg.DeadlockDetectedError.sqlstate:
                    raise
            else:
                return

    async def _transfer(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        async with self._sessions() as session:
            now = self._clock()
            has = await self._locked(session, guild, giver, now)
            gets = await self._locked(session, guild, receiver, now)
            if has.balance < amount:
                raise Refused
            has.balance -= amount
            has.total_sent += amount
            gets.balance += amount
            gets.total_received += amount
            has.updated_at = gets.updated_at = now
            entry = Entry(
                guild_id=guild,
                giver_id=giver,
                giver_username=NAME,
                receiver_id=receiver,
                receiver_username=NAME,
                amount=amount,
                kind="transfer",
                created_at=now,
            )
            session.add(entry)
            await session.commit()

    async def _locked(self, session: AsyncSession, guild: str, user: str, now: datetime) -> Balance:
        found = await session.scalar(
            select(Balance)
            .where(Balance.guild_id == guild, Balance.user_id == user)
            .with_for_update()
        )
        if found is None:
            found = _new(guild, user, now)
            session.add(found)
            await session.flush()
        return found


class ObjectsUnderLocks(LockedAtOnce):
    """Get or make the giver, then lock it, the receiver likewise; the rest as `LockedAtOnce`.

    This is how it is usually written: a helper that gets or makes a member's row, as every command
    needs one, and then the rows anew under a lock.
    """

    async def _locked(self, session: AsyncSession, guild: str, user: str, now: datetime) -> Balance:
        mine = select(Balance).where(Balance.guild_id == guild, Balance.user_id == user)
        if await session.scalar(mine) is None:
            session.add(_new(guild, user, now))
            await session.flush()
        locked = mine.with_for_update().execution_options(populate_existing=True)
        return (await session.scalars(locked)).one()


def _new(guild: str, user: str, now: datetime) -> Balance:
    return Balance(
        guild_id=guild,
        user_id=user,
        balance=0,
        total_received=0,
        total_sent=0,
        created_at=now,
        updated_at=now,
    )
