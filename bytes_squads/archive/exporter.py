"""A guild of the open database, written to an archive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, BinaryIO

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.fields import BooleanField, DatetimeField, Field, JSONField

from ..domain import validation as inputs
from ..domain.rules import wall_time
from ..engine.driver_errors import translated
from ..engine.snapshot import snapshot
from ..sql.statement import Statement
from .format import FORMAT, VERSION, ArchiveError, Sizes, encode
from .sql import PAGE, SECTIONS, SIZES, Section


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
        target.write(encode("header", {**header, "exported_at": wall_time()}))
        done = 0
        for section in SECTIONS:
            last, columns, page = section.first, _columns(section), section.page
            while True:
                rows = await _rows(db, page, guild, *last)
                for row in rows:
                    line = {name: read(row[name]) for name, read in columns.items()}
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


def _columns(section: Section) -> dict[str, Callable[[Any], Any]]:
    """How the columns of a section are read, by name: as the models do, but without a model."""
    fields = section.model._meta.fields_map
    return {name: _reader(fields[name]) for name in section.line.fields()}


def _reader(field: Field[Any]) -> Callable[[Any], Any]:
    if isinstance(field, DatetimeField):
        return _instant
    if isinstance(field, JSONField | BooleanField):
        return field.to_python_value
    return lambda value: value


def _instant(value: datetime | str) -> datetime:
    """SQLite has text; a time of the ledger is read a hundred thousand times over."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
