"""A guild of the open database, written to an archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

from tortoise.backends.base.client import BaseDBAsyncClient

from . import inputs
from .archive import FORMAT, VERSION, ArchiveError, Sizes, encode
from .archive_sql import PAGE, SECTIONS, SIZES
from .failures import translated
from .rules import utc_now
from .snapshot import snapshot
from .statement import Statement


async def export_guild(
    guild_id: str | int,
    target: BinaryIO,
    watch: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sizes:
    """Write all there is of a guild, as it was at one moment; the guild may stay in use.

    Holds no more than a page of rows in memory.

    Args:
        guild_id: The guild (snowflake).
        target: Where the lines go.
        watch: Is told how many rows have been written, of how many.

    Returns:
        How much there was.

    Raises:
        InvalidSnowflakeError: The id is none.
        ArchiveError: The database knows nothing of the guild; nothing was written.
        StorageUnavailableError: The database cannot be reached, or went away.
        OSError: The target does not take it.
    """
    guild = inputs.snowflake(guild_id)
    async with snapshot() as db:
        counted = (await _rows(db, SIZES, guild))[0]
        sizes = Sizes.model_validate({name: counted[name] for name in Sizes.fields()})
        if not sizes.rows:
            raise ArchiveError(f"there is nothing of guild {guild} in this database")
        header = {"format": FORMAT, "version": VERSION, "guild_id": guild}
        target.write(encode("header", {**header, "exported_at": utc_now()}))
        done = 0
        for section in SECTIONS:
            last, fields, page = section.first, section.line.fields(), section.page
            while True:
                rows = await _rows(db, page, guild, *last)
                for row in rows:
                    found = section.model._init_from_db(**row)
                    line = {name: getattr(found, name) for name in fields}
                    target.write(encode(section.type, line))
                done += len(rows)
                watch(done, sizes.rows)
                if len(rows) < PAGE:
                    break
                last = tuple(rows[-1][column] for column in section.order)
        target.write(encode("end", sizes.model_dump(exclude={"type"})))
    return sizes


async def _rows(db: BaseDBAsyncClient, statement: Statement, *values: Any) -> list[dict[str, Any]]:
    with translated():
        return await statement.rows(db, *values)
