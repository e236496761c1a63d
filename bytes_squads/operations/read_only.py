"""Read-only queries that are not public."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ..domain import validation
from ..engine._tortoise import from_row
from ..engine.operation import Operation, operation
from ..models import BytesTransaction
from ..sql.postings import GET_ENTRY
from ..sql.queries import HAS_MEMBERS, LIST_GUILDS, join_halves
from ..sql.status import GET_VERSION, LIST_RULES
from .ledger import to_datetime


@dataclass(frozen=True, slots=True)
class GuildSummary:
    """A guild of the database.

    Attributes:
        guild_id: The guild (snowflake).
        members: Number of members who have not left.
        circulation: Sum of all balances in whole bytes; may exceed 2⁶³.
        last_activity: The time of the newest ledger row; None without one.
    """

    guild_id: str
    members: int
    circulation: int
    last_activity: datetime | None


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

    @operation
    async def list_guilds(self, run: Operation, limit: int, offset: int) -> list[GuildSummary]:
        """Return the guilds that have rows, largest first.

        Costs O(members of all guilds).

        Raises:
            InvalidPageError: The limit or the offset is invalid.
        """
        page = validation.limit(limit), validation.offset(offset)
        return [
            GuildSummary(
                guild_id=row["guild_id"],
                members=int(row["members"]),
                circulation=join_halves(int(row["high"]), int(row["low"])),
                last_activity=to_datetime(row["last_activity"]),
            )
            for row in await run.fetch(LIST_GUILDS, *page)
        ]

    @operation
    async def server_version(self, run: Operation) -> str:
        """Return the version of the server, or of SQLite."""
        return str((await run.fetch(GET_VERSION))[0]["version"])

    @operation
    async def rules(self, run: Operation) -> frozenset[str]:
        """Return the names of the checks and triggers of the package that are in force."""
        texts = [str(row["rule"]) for row in await run.fetch(LIST_RULES)]
        return frozenset(re.findall(r"\b(?:ck|tr)_\w+", " ".join(texts)))
