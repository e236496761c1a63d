"""Export a guild of the open database to an archive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, BinaryIO

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.fields import BooleanField, DatetimeField, Field, JSONField

from ..domain import validation
from ..domain.rules import wall_time
from ..engine._tortoise import field_of
from ..engine.connections import snapshot_connection
from ..engine.driver_errors import translate_driver_errors
from ..engine.execution import Rows, execute_on
from ..sql.statement import Statement
from .format import FORMAT, VERSION, ArchiveError, encode_record
from .records import Footer
from .sql import BATCH_SIZE, COUNT_ROWS, TABLES, TableExport


async def export_guild(
    guild_id: str | int,
    target: BinaryIO,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Footer:
    """Write every row of a guild from one snapshot; the guild may stay in use.

    Keeps at most one batch of rows in memory.

    Args:
        guild_id: The guild (snowflake).
        target: The file to write to.
        on_progress: Called with the number of rows written and the total.

    Returns:
        The number of rows of each type.

    Raises:
        InvalidSnowflakeError: The id is not a valid snowflake.
        ArchiveError: The database has no row of the guild; nothing was written.
        StorageUnavailableError: The database is unavailable.
        OSError: The target cannot be written.
    """
    guild = validation.snowflake(guild_id)
    async with snapshot_connection() as db:
        counted = (await _fetch(db, COUNT_ROWS, guild))[0]
        footer = Footer.model_validate({name: counted[name] for name in Footer.fields()})
        if not footer.rows:
            raise ArchiveError(f"this database has no data of guild {guild}")
        header = {"format": FORMAT, "version": VERSION, "guild_id": guild}
        target.write(encode_record("header", {**header, "exported_at": wall_time()}))
        done = 0
        for table in TABLES:
            last, decoders, select = table.start, _decoders(table), table.select
            record_type = table.record.type_name()
            while True:
                rows = await _fetch(db, select, guild, *last)
                for row in rows:
                    fields = {name: decode(row[name]) for name, decode in decoders.items()}
                    target.write(encode_record(record_type, fields))
                done += len(rows)
                on_progress(done, footer.rows)
                if len(rows) < BATCH_SIZE:
                    break
                last = tuple(rows[-1][column] for column in table.sort_key)
        target.write(encode_record("end", footer.model_dump(exclude={"type"})))
    return footer


async def _fetch(db: BaseDBAsyncClient, statement: Statement, *parameters: Any) -> Rows:
    with translate_driver_errors():
        return await execute_on(db, statement, *parameters)


def _decoders(table: TableExport) -> dict[str, Callable[[Any], Any]]:
    """Return a decoder by column name; same results as the models, but faster."""
    return {name: _decoder_for(field_of(table.model, name)) for name in table.record.fields()}


def _decoder_for(field: Field[Any]) -> Callable[[Any], Any]:
    if isinstance(field, DatetimeField):
        return _parse_timestamp
    if isinstance(field, JSONField | BooleanField):
        return field.to_python_value
    return lambda value: value


def _parse_timestamp(value: datetime | str | None) -> datetime | None:
    """Return a timestamp as a datetime; SQLite stores it as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
