"""Commands that move a guild: ``export``, ``import``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

import asyncclick as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..archive.exporter import export_guild
from ..archive.format import Sizes
from ..archive.importer import import_guild
from . import options
from .database_option import opened
from .output import show

PIPE = "-"


@click.command(
    "export",
    epilog=options.examples(
        "bytes-squads export --guild 81384788765712384 --output guild.jsonl",
        "bytes-squads export --guild 81384788765712384 | gzip > guild.jsonl.gz",
    ),
)
@options.guild
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    default=PIPE,
    help="Write this file; one that is there is replaced when all is well. Without it: stdout.",
)
@options.database
async def export_command(guild: str, output: str, database_url: str | None) -> None:
    """Write all there is of a guild as JSON Lines. The bot may go on working."""
    async with opened(database_url):
        with _target(output) as target, _progress("Exporting") as watch:
            sizes = await export_guild(guild, target, watch)
    click.echo(f"exported guild {guild}: {_told(sizes)}", err=True)


@contextmanager
def _target(output: str) -> Iterator[BinaryIO]:
    """Where an archive is written to. A file appears, or is replaced, when it is complete."""
    path = Path(output)
    try:
        if output == PIPE:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        if path.exists() and not path.is_file():  # a device, or a pipe with a name
            with path.open("wb") as target:
                yield target
            return
        # Only its owner may read it: it holds what members had, and wrote.
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as target:
                yield target
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except BrokenPipeError:  # whoever read it has seen enough
        raise
    except OSError as error:
        name = "stdout" if output == PIPE else output
        raise click.ClickException(f"cannot write {name}: {error.strerror}") from None


@click.command(
    "import",
    epilog=options.examples(
        "bytes-squads import guild.jsonl --database-url postgres://bot:secret@localhost/bot",
        "gunzip < guild.jsonl.gz | bytes-squads import -",
    ),
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--guild",
    metavar="ID",
    callback=options.snowflake,
    help="Refuse an archive of another guild. A guild cannot be given another id.",
)
@options.as_json
@options.database
async def import_command(
    file: str, guild: str | None, as_json: bool, database_url: str | None
) -> None:
    """Put an exported guild into a database that has nothing of it yet.

    All of it or, when a line is wrong or the books do not balance, nothing. FILE may be - for
    stdin.
    """
    with _source(file) as source:
        length = os.fstat(source.fileno()).st_size
        async with opened(database_url):
            with _progress("Importing") as watch:
                imported, sizes = await import_guild(
                    source, guild, lambda read: watch(read, length)
                )
    show(
        as_json,
        {"guild_id": imported, **sizes.model_dump(exclude={"type"})},
        f"imported guild {imported}: {_told(sizes)}; the books balance",
    )


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    """Where an archive is read from: always a file.

    What comes through a pipe may come slowly, and while an archive is read SQLite's other writers
    wait; so it is copied into a file of its own first.
    """
    try:
        if file != PIPE and Path(file).is_file():
            with Path(file).open("rb") as source:
                yield source
            return
        with tempfile.TemporaryFile() as copy:
            _copy(file, copy)
            copy.seek(0)
            yield cast("BinaryIO", copy)
    except OSError as error:
        name = "stdin" if file == PIPE else file
        raise click.ClickException(f"cannot read {name}: {error.strerror}") from None


def _copy(file: str, copy: IO[bytes]) -> None:
    # Python would hear of a Ctrl-C only when there is nothing more to wait for; the system acts on
    # it at once, and there is nothing yet to be undone.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if file == PIPE:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        else:
            with Path(file).open("rb") as pipe:
                shutil.copyfileobj(pipe, copy)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal; takes how much is done, of how much."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn(what), BarColumn(bar_width=30), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _told(sizes: Sizes) -> str:
    return (
        f"{sizes.balances:,} members, {sizes.transactions:,} ledger rows, "
        f"{sizes.squads:,} squads, {sizes.memberships:,} memberships"
    )
