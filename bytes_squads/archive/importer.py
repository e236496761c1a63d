"""A guild's archive, put into the open database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from typing import Any, BinaryIO

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError, OperationalError

from ..domain import validation as inputs
from ..engine.driver_errors import translated
from ..engine.tasks import finish
from ..engine.transaction import in_transaction
from ..models import BytesConfig
from ..operations import ledger
from ..operations.bytes import BytesOperations
from ..schemas import BytesConfigUpdate, LedgerReport
from ..sql.statement import Statement
from .format import ArchiveError, ConfigLine, Reader, Row, Sizes
from .sql import PAGE, SECTIONS, SIZES

_INSERTS: dict[type[Row], Statement] = {section.line: section.insert for section in SECTIONS}

Batch = list[tuple[int, Row]]


async def import_guild(
    source: BinaryIO,
    guild_id: str | int | None = None,
    watch: Callable[[int], None] = lambda _bytes: None,
) -> tuple[str, Sizes]:
    """Put an archived guild into the database: as a whole, with its books in order, or not at all.

    Ids, times, kinds and keys stay what they were. Other guilds may be in use meanwhile; on SQLite
    their writers wait. Holds no more than a batch of lines in memory.

    Args:
        source: The archive.
        guild_id: The guild that it has to be of (snowflake); None for whichever it is.
        watch: Is told how many bytes of the archive have been read.

    Returns:
        The guild, and how much there was of it.

    Raises:
        InvalidSnowflakeError: The id is none.
        ArchiveError: The archive cannot be read, is of another guild, or does not balance; or the
            database holds something of the guild already. Nothing was changed.
        StorageUnavailableError: The database cannot be reached, or went away; nothing was changed.
        OutcomeUnknownError: It went away while committing.
        OSError: The archive cannot be read from where it is.
    """
    expected = inputs.optional_snowflake(guild_id)
    reader = Reader(source)
    guild = reader.header().guild_id
    if expected not in {None, guild}:
        raise ArchiveError(f"this is an archive of guild {guild}, not of guild {expected}", 1)
    async with in_transaction() as db:
        with translated():
            await _claim(db, guild)
        read = 0
        configured = False
        for batch in _batches(reader.rows()):
            if isinstance(batch[0][1], ConfigLine):
                configured = True
                with translated():
                    await _configure(db, guild, batch[0][1])
            else:
                await _insert(guild, batch)
            read += len(batch)
            watch(source.tell())
        with translated():
            if not configured:
                await BytesConfig.filter(guild_id=guild).using_db(db).delete()
            sizes = await _sizes(db, guild)
        if sizes.rows != read:  # a squad can be made without the config that the others wait for
            raise ArchiveError(f"guild {guild} came to be used meanwhile")
        report = await BytesOperations().verify(guild)
        if not report.ok:
            raise ArchiveError(_imbalance(report))
    return guild, sizes


async def _sizes(db: BaseDBAsyncClient, guild: str) -> Sizes:
    counted = (await SIZES.rows(db, guild))[0]
    return Sizes.model_validate({name: counted[name] for name in Sizes.fields()})


async def _claim(db: BaseDBAsyncClient, guild: str) -> None:
    """Refuse a guild that there is something of, and let whoever comes to it now wait.

    The first operation in a guild makes its config: one that comes later waits for the row that is
    made here. A config of nothing but defaults does not count as something, for looking makes one.
    """
    await ledger.config_of(db, guild)
    config = await BytesConfig.filter(guild_id=guild).select_for_update().using_db(db).get()
    default = BytesConfig(guild_id=guild)
    there = (await _sizes(db, guild)).model_dump(exclude={"type", "configs"})
    found = [f"{count:,} {name}" for name, count in there.items() if count]
    if any(getattr(config, name) != getattr(default, name) for name in _SETTINGS):
        found.append("a config of its own")
    if found:
        raise ArchiveError(f"guild {guild} is not empty: it has {', '.join(found)}")


_SETTINGS = tuple(BytesConfigUpdate.model_fields)


async def _configure(db: BaseDBAsyncClient, guild: str, line: ConfigLine) -> None:
    fields = dict(zip(line.fields(), line.values(), strict=True))
    await BytesConfig.filter(guild_id=guild).using_db(db).update(**fields)


def _batches(rows: Iterator[tuple[int, Row]]) -> Iterator[Batch]:
    """The lines in batches of one type each."""
    for _, same in groupby(rows, lambda row: type(row[1])):
        while batch := list(islice(same, PAGE)):
            yield batch


async def _insert(guild: str, batch: Batch) -> None:
    """Write a batch; when the database refuses it, line by line, to tell which one it refuses."""
    with translated():
        try:
            await _insert_at_once(guild, batch)
        except _REFUSALS:
            for line in batch:
                try:
                    await _insert_at_once(guild, [line])
                except _REFUSALS as error:
                    told = str(error).strip().partition("\n")[0]
                    raise ArchiveError(f"the database refuses it: {told}", line[0]) from error


async def _insert_at_once(guild: str, batch: Batch) -> None:
    insert = _INSERTS[type(batch[0][1])]
    rows = [_values(guild, line) for _, line in batch]
    async with in_transaction() as db:  # a savepoint, to go back to
        # To its end: cancelled in the middle of many rows, asyncpg leaves the server waiting for
        # the rest of them, and no ROLLBACK gets through.
        await finish(insert.many(db, rows))


_REFUSALS = (IntegrityError, OperationalError)


def _values(guild: str, line: Row) -> list[Any]:
    return [guild, *(json.dumps(v) if isinstance(v, dict) else v for v in line.values())]


def _imbalance(report: LedgerReport) -> str:
    first, *others = report.discrepancies
    more = f" ({len(others):,} more numbers are off)" if others else ""
    return (
        f"the books do not balance: by its ledger, member {first.user_id} has a {first.field} of "
        f"{first.expected}, and it says {first.found}{more}"
    )
