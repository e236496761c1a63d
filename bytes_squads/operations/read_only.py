"""Looking without making: where an operation makes what is missing, these find nothing."""

from __future__ import annotations

from uuid import UUID

from ..domain import validation as inputs
from ..engine.transaction import operation, reading
from ..models import BytesBalance, BytesConfig, BytesTransaction
from ..sql import reads


class Lookups:
    """What an operator looks at; a misspelled id leaves no new member or guild behind.

    Each may raise `InvalidSnowflakeError`, and `StorageUnavailableError` as every operation.
    """

    @operation
    async def balance(self, guild_id: str | int, user_id: str | int) -> BytesBalance | None:
        """A member's balance, None for one whom the guild does not know."""
        guild, user = inputs.snowflake(guild_id), inputs.snowflake(user_id)
        async with reading() as db:
            found = await reads.BALANCE.rows(db, guild, user)
        return BytesBalance._init_from_db(**found[0]) if found else None

    @operation
    async def config(self, guild_id: str | int) -> BytesConfig | None:
        """A guild's config, None while there is none and the defaults hold."""
        guild = inputs.snowflake(guild_id)
        async with reading() as db:
            return await BytesConfig.get_or_none(guild_id=guild, using_db=db)

    @operation
    async def transaction(self, guild_id: str | int, row_id: UUID) -> BytesTransaction | None:
        """A row of a guild's ledger, None where the guild has no such row."""
        guild = inputs.snowflake(guild_id)
        async with reading() as db:
            return await BytesTransaction.get_or_none(guild_id=guild, id=row_id, using_db=db)
