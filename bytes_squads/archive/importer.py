"""Import a guild's archive into the open database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from typing import Any, BinaryIO

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError, OperationalError

from ..domain import validation
from ..engine.driver_errors import translate_driver_errors
from ..engine.execution import execute_many, execute_on
from ..engine.tasks import run_to_completion
from ..engine.transaction import in_transaction
from ..models import BytesConfig
from ..operations.bytes import BytesOperations
from ..schemas import BytesConfigUpdate, LedgerReport
from ..sql.statement import Statement
from . import version_1
from .format import ArchiveError, ArchiveReader, ReadRecord
from .records import ConfigRecord, Footer, Record, TableRecord
from .sql import BATCH_SIZE, COUNT_ROWS, FIND_WRONG_REVERSAL, TABLES
from .version_1 import RecordV1
from .version_2 import ConfigRecordV2, RecordV2

_INSERTS: dict[type[Record], Statement] = {table.record: table.insert for table in TABLES}

_INSERT_ERRORS = (IntegrityError, OperationalError)

_SETTINGS = tuple(BytesConfigUpdate.model_fields)

Batch = list[tuple[int, ReadRecord]]


async def import_guild(
    source: BinaryIO,
    guild_id: str | int | None = None,
    on_progress: Callable[[int], None] = lambda _bytes: None,
) -> tuple[str, Footer]:
    """Import an archived guild if its balances equal its ledger: all of it or nothing.

    Ids, timestamps, kinds and keys are kept. Other guilds may be in use during the import; on
    SQLite their writers wait. Keeps at most one batch of lines in memory.

    Archives of earlier versions are converted: settings that they do not have get the defaults, and
    in version 1 keys of acts without a ledger row become rows of 0 bytes.

    Args:
        source: The archive.
        guild_id: The expected guild (snowflake); None for any guild.
        on_progress: Called with the number of bytes read.

    Returns:
        The guild, and its number of rows of each type.

    Raises:
        InvalidSnowflakeError: The id is not a valid snowflake.
        ArchiveError: The archive is invalid, of another guild, or does not balance; or the
            database already has rows of the guild. Nothing was changed.
        StorageUnavailableError: The database is unavailable; nothing was changed.
        OutcomeUnknownError: The connection was lost during COMMIT.
        OSError: The file cannot be read.
    """
    expected = validation.optional_snowflake(guild_id)
    reader = ArchiveReader(source)
    header = reader.read_header()
    guild = header.guild_id
    if expected not in {None, guild}:
        raise ArchiveError(f"this is an archive of guild {guild}, not of guild {expected}", 1)
    async with in_transaction() as db:
        with translate_driver_errors():
            await _lock_empty_guild(db, guild)
        read = 0
        configured = False
        for batch in _batches(reader.read_records()):
            config = batch[0][1]
            if isinstance(config, ConfigRecord | ConfigRecordV2):
                configured = True
                with translate_driver_errors():
                    await _apply_config(db, guild, _convert(config))
            else:
                await _insert(guild, batch)
            read += len(batch)
            on_progress(source.tell())
        with translate_driver_errors():
            if not configured:
                await BytesConfig.filter(guild_id=guild).using_db(db).delete()
            footer = await _count_rows(db, guild)
            if header.version == 1:
                await execute_on(db, version_1.SET_LAST_TRANSFERS, guild)
                read += (await execute_on(db, version_1.COUNT_MOVED, guild))[0]["moved"]
        if footer.rows != read:  # creating a squad does not wait for the config
            raise ArchiveError(f"guild {guild} was used during the import")
        with translate_driver_errors():
            wrong = await execute_on(db, FIND_WRONG_REVERSAL, guild)
        if wrong:
            raise ArchiveError(
                f"reversal {wrong[0]['id']} does not take back transaction "
                f"{wrong[0]['reverses_id']}: it is not in the archive, cannot be reversed, or has "
                "other parties or another amount"
            )
        report = await BytesOperations().verify(guild)
        if not report.ok:
            raise ArchiveError(_describe_imbalance(report))
    return guild, footer


async def _count_rows(db: BaseDBAsyncClient, guild: str) -> Footer:
    counted = (await execute_on(db, COUNT_ROWS, guild))[0]
    return Footer.model_validate({name: counted[name] for name in Footer.fields()})


async def _lock_empty_guild(db: BaseDBAsyncClient, guild: str) -> None:
    """Fail unless the guild is empty, and lock it against concurrent use.

    An operation that needs the guild's config waits for the row inserted here. A config that
    equals the defaults counts as empty.
    """
    await BytesConfig.get_or_create(guild_id=guild, using_db=db)
    config = await BytesConfig.filter(guild_id=guild).select_for_update().using_db(db).get()
    default = BytesConfig(guild_id=guild)
    counts = (await _count_rows(db, guild)).model_dump(exclude={"type", "configs"})
    found = [f"{count:,} {name}" for name, count in counts.items() if count]
    if any(getattr(config, name) != getattr(default, name) for name in _SETTINGS):
        found.append("a changed config")
    if found:
        raise ArchiveError(f"guild {guild} is not empty: it has {', '.join(found)}")


async def _apply_config(db: BaseDBAsyncClient, guild: str, record: TableRecord) -> None:
    fields = dict(zip(record.fields(), record.values(), strict=True))
    await BytesConfig.filter(guild_id=guild).using_db(db).update(**fields)


def _batches(records: Iterator[tuple[int, ReadRecord]]) -> Iterator[Batch]:
    """Yield the records in batches of one type each."""
    for _, same in groupby(records, lambda record: type(record[1])):
        while batch := list(islice(same, BATCH_SIZE)):
            yield batch


async def _insert(guild: str, batch: Batch) -> None:
    """Insert a batch; if that fails, insert one by one to find the invalid record."""
    with translate_driver_errors():
        try:
            await _insert_batch(guild, batch)
        except _INSERT_ERRORS:
            for numbered in batch:
                try:
                    await _insert_batch(guild, [numbered])
                except _INSERT_ERRORS as error:
                    reason = str(error).strip().partition("\n")[0]
                    raise ArchiveError(
                        f"the database rejected it: {reason}", numbered[0]
                    ) from error


async def _insert_batch(guild: str, batch: Batch) -> None:
    async with in_transaction() as db:  # a savepoint
        for statement, rows in _statements(guild, [record for _, record in batch]):
            # Run to completion: if asyncpg is cancelled between rows, the server waits for the
            # rest and does not process ROLLBACK.
            await run_to_completion(execute_many(db, statement, rows))


def _statements(
    guild: str, records: list[ReadRecord]
) -> Iterator[tuple[Statement, list[list[Any]]]]:
    """Yield the statements that insert records of one type, each with its rows of parameters."""
    if keys := version_1.keys_to_release(guild, records):
        yield version_1.RELEASE_KEY, keys
    current = [_convert(record) for record in records]
    yield _INSERTS[type(current[0])], [_parameters(guild, record) for record in current]
    if claims := version_1.claims_to_insert(guild, records):
        yield version_1.INSERT_CLAIM, claims
    if joins := version_1.joins_to_insert(guild, records):
        yield version_1.INSERT_JOIN, joins


def _convert(record: ReadRecord) -> TableRecord:
    """Return the record in the current version."""
    return record.convert() if isinstance(record, RecordV1 | RecordV2) else record


def _parameters(guild: str, record: TableRecord) -> list[Any]:
    return [guild, *(json.dumps(v) if isinstance(v, dict) else v for v in record.values())]


def _describe_imbalance(report: LedgerReport) -> str:
    first, *others = report.discrepancies
    more = f" ({len(others):,} more numbers differ)" if others else ""
    return (
        f"the books do not balance: member {first.user_id} has a {first.field} of {first.found}, "
        f"but the ledger adds up to {first.expected}{more}"
    )
