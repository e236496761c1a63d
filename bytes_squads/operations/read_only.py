"""Read what no public operation returns."""

from __future__ import annotations

from uuid import UUID

from ..domain import validation
from ..engine._tortoise import from_row
from ..engine.operation import Operation, operation
from ..models import BytesTransaction
from ..sql.postings import GET_ENTRY
from ..sql.queries import HAS_MEMBERS


class ReadOnlyQueries:
    """Queries of the command line.

    Each may raise `InvalidSnowflakeError` and `StorageUnavailableError`.
    """

    @operation
    async def transaction(
        self, run: Operation, guild_id: str | int, row_id: UUID
    ) -> BytesTransaction | None:
        """Return a row of a guild's ledger, or None if the guild has no such row."""
        rows = await run.fetch(GET_ENTRY, validation.snowflake(guild_id), row_id)
        return from_row(BytesTransaction, rows[0]) if rows else None

    @operation
    async def has_members(self, run: Operation, guild_id: str | int) -> bool:
        """Return whether a guild has a known member, who may have left."""
        rows = await run.fetch(HAS_MEMBERS, validation.snowflake(guild_id))
        return bool(rows[0]["found"])
