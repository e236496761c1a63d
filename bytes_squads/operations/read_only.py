"""Read without creating members or configs."""

from __future__ import annotations

from uuid import UUID

from ..domain import validation
from ..engine._tortoise import from_row
from ..engine.operation import Operation, operation
from ..models import BytesBalance, BytesConfig, BytesTransaction
from ..sql.configs import GET_CONFIG
from ..sql.members import GET_BALANCE
from ..sql.postings import GET_ENTRY


class ReadOnlyQueries:
    """Queries of the command line: a mistyped id creates no member.

    Each may raise `InvalidSnowflakeError` and `StorageUnavailableError`.
    """

    @operation
    async def balance(
        self, run: Operation, guild_id: str | int, user_id: str | int
    ) -> BytesBalance | None:
        """Return a member's balance, or None for an unknown member."""
        guild, user = validation.snowflake(guild_id), validation.snowflake(user_id)
        rows = await run.fetch(GET_BALANCE, guild, user)
        return from_row(BytesBalance, rows[0]) if rows else None

    @operation
    async def config(self, run: Operation, guild_id: str | int) -> BytesConfig | None:
        """Return a guild's config, or None if none is stored."""
        rows = await run.fetch(GET_CONFIG, validation.snowflake(guild_id))
        return from_row(BytesConfig, rows[0]) if rows else None

    @operation
    async def transaction(
        self, run: Operation, guild_id: str | int, row_id: UUID
    ) -> BytesTransaction | None:
        """Return a row of a guild's ledger, or None if the guild has no such row."""
        rows = await run.fetch(GET_ENTRY, validation.snowflake(guild_id), row_id)
        return from_row(BytesTransaction, rows[0]) if rows else None
