"""Transfers on Tortoise as its documentation would have them, on the package's own models.

They run on the connections that the package opened, and in Tortoise's own transaction.
"""

from __future__ import annotations

from tortoise.transactions import in_transaction

from bytes_squads import BytesBalance, BytesTransaction

from ..clock import Clock
from ..ids import NAME
from .asyncpg_transfers import Refused

_CHANGED = ("balance", "total_received", "total_sent", "updated_at")


class PlainTortoise:
    """Get or make both, lock both in the order of their ids, save both, make the ledger's row.

    The balance is checked; the rest is as with asyncpg's two statements, but a member who is new
    gets a row.

    Args:
        clock: For the ledger row.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        async with in_transaction() as db:
            for user in sorted((giver, receiver)):
                await BytesBalance.get_or_create(guild_id=guild, user_id=user, using_db=db)
            rows = (
                await BytesBalance.filter(guild_id=guild, user_id__in=[giver, receiver])
                .order_by("user_id")
                .select_for_update()
                .using_db(db)
            )
            by_user = {row.user_id: row for row in rows}
            has, gets = by_user[giver], by_user[receiver]
            if has.balance < amount:
                raise Refused
            has.balance -= amount
            has.total_sent += amount
            gets.balance += amount
            gets.total_received += amount
            await has.save(using_db=db, update_fields=_CHANGED)
            await gets.save(using_db=db, update_fields=_CHANGED)
            await BytesTransaction.create(
                guild_id=guild,
                giver_id=giver,
                giver_username=NAME,
                receiver_id=receiver,
                receiver_username=NAME,
                amount=amount,
                kind="transfer",
                created_at=self._clock(),
                using_db=db,
            )
