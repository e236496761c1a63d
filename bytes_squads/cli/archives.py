"""Commands that move a guild: ``export``, ``import``."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import asyncclick as click

from ..archive.exporter import export_guild
from ..archive.format import ArchiveReader
from ..archive.importer import import_guild
from ..archive.records import Footer
from . import options
from .database_option import open_database
from .output import print_result, show_progress

STDIO = "-"


@click.command(
    "export",
    epilog=options.format_examples(
        "bytes-squads export --guild 81384788765712384 --output guild.jsonl",
        "bytes-squads export --guild 81384788765712384 | gzip > guild.jsonl.gz",
    ),
)
@options.guild
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    default=STDIO,
    help="Write to this file; an existing file is replaced when the export is complete. "
    "Default: stdout.",
)
@options.database
async def export_command(guild: str, output: str, database_url: str | None) -> None:
    """Write all data of a guild as JSON Lines. The bot can keep running."""
    async with open_database(database_url):
        with _open_target(output) as target, show_progress("Exporting") as on_progress:
            footer = await export_guild(guild, target, on_progress)
    click.echo(f"exported guild {guild}: {_summarize(footer)}", err=True)


@contextmanager
def _open_target(output: str) -> Iterator[BinaryIO]:
    """Open the file or stream to write to. A file is created or replaced once it is complete."""
    path = Path(output)
    try:
        if output == STDIO:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        if path.exists() and not path.is_file():  # a device or a named pipe
            with path.open("wb") as target:
                yield target
            return
        # mkstemp makes it readable by its owner only: it holds members' data.
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as target:
                yield target
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except BrokenPipeError:  # the reader closed the pipe
        raise
    except OSError as error:
        name = "stdout" if output == STDIO else output
        raise click.ClickException(f"cannot write {name}: {error.strerror}") from None


@click.command(
    "import",
    epilog=options.format_examples(
        "bytes-squads import guild.jsonl --database-url postgres://bot:secret@localhost/bot",
        "gunzip < guild.jsonl.gz | bytes-squads import -",
    ),
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--guild",
    metavar="ID",
    callback=options.parse_snowflake,
    help="Fail if the archive is of another guild. An import cannot change the id.",
)
@options.as_json
@options.database
async def import_command(
    file: str, guild: str | None, as_json: bool, database_url: str | None
) -> None:
    """Import an exported guild into a database that has no data of it.

    If a line is invalid or a balance differs from the ledger, nothing is imported. FILE may be -
    for stdin.
    """
    with _open_source(file) as source:
        length = os.fstat(source.fileno()).st_size
        async with open_database(database_url):
            with show_progress("Importing") as on_progress:
                imported, footer = await import_guild(
                    source, guild, lambda read: on_progress(read, length)
                )
    print_result(
        as_json,
        {"guild_id": imported, **footer.model_dump(exclude={"type"})},
        f"imported guild {imported}: {_summarize(footer)}; the books balance",
    )


@contextmanager
def _open_source(file: str) -> Iterator[BinaryIO]:
    """Open the archive as a file; copy a stream into a temporary file first.

    A stream may be slow, and SQLite's other writers wait while an archive is imported. Each line
    is checked before it is copied, so that an endless input such as /dev/zero fails before it
    fills the disk.
    """
    try:
        if file != STDIO and Path(file).is_file():
            with Path(file).open("rb") as source:
                yield source
            return
        with tempfile.TemporaryFile() as copy:
            _spool(file, cast("BinaryIO", copy))
            copy.seek(0)
            yield cast("BinaryIO", copy)
    except OSError as error:
        name = "stdin" if file == STDIO else file
        raise click.ClickException(f"cannot read {name}: {error.strerror}") from None


def _spool(file: str, copy: BinaryIO) -> None:
    # A blocking read delays Python's handler; the default action of SIGINT ends the process at
    # once. Nothing needs to be rolled back yet.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if file == STDIO:
            _copy_archive(sys.stdin.buffer, copy)
        else:
            with Path(file).open("rb") as pipe:
                _copy_archive(pipe, copy)
    finally:
        signal.signal(signal.SIGINT, before)


def _copy_archive(source: BinaryIO, copy: BinaryIO) -> None:
    reader = ArchiveReader(source, copy)
    reader.read_header()
    for _ in reader.read_records():
        pass


def _summarize(footer: Footer) -> str:
    return (
        f"{footer.balances:,} members, {footer.transactions:,} ledger rows, "
        f"{footer.squads:,} squads, {footer.memberships:,} memberships"
    )
