"""The operator's command line: ``bytes-squads``.

Exit codes: 0 when all is well, 1 when the database or an operation refuses or `verify` finds
something off, 2 for a wrong command line.
"""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import asyncclick as click
from rich.console import Console

from . import BytesOperations, BytesSquadsError, close, demo, init, tables, upgrade
from .database import connection_config, database_url, place
from .inputs import snowflake

DEMO_FILE = Path("bytes_squads_demo.db")
INTERRUPTED = 130

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

EXAMPLES = """\b
Examples:
  bytes-squads demo
  bytes-squads upgrade --database-url postgres://bot:secret@localhost/bot
  DATABASE_URL=sqlite://bot.db bytes-squads verify --guild 81384788765712384

\b
Exit codes:
  0  all is well
  1  refused: the database, or an operation; or verify found something off
  2  wrong command line
"""

URL_HELP = (
    "postgres://user:password@host/database, or sqlite:// and a path. "
    "Without it: DATABASE_URL, or sqlite://bytes_squads.db."
)


class _Commands(click.Group):
    """Tells an error of the package in one line."""

    async def invoke(self, ctx: click.Context) -> Any:
        try:
            return await super().invoke(ctx)
        except BytesSquadsError as error:
            raise click.ClickException(" ".join(str(error).split())) from error


def _version() -> str:
    try:
        return metadata.version("bytes_squads")
    except metadata.PackageNotFoundError:  # pragma: no cover  # run from a folder of sources
        return "(not installed)"


def _guild(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else snowflake(value)
    except BytesSquadsError as error:
        raise click.BadParameter(str(error)) from None


database_option = click.option("--database-url", metavar="URL", help=URL_HELP)


@click.group(cls=_Commands, context_settings=HELP, epilog=EXAMPLES)
@click.version_option(_version(), prog_name="bytes-squads")
def commands() -> None:
    """Guild currencies and squads for Discord bots: migrate, check, and see it at work."""


@commands.command("demo")
@click.option(
    "--database-url",
    metavar="URL",
    help=f"Play in a new guild of this database. Without it: a new file ./{DEMO_FILE}; "
    "DATABASE_URL is not looked at, a demo has no business in a bot's database unasked.",
)
async def demo_command(database_url: str | None) -> None:
    """Play two weeks of a guild, and show what came of it."""
    console = _console()
    if database_url is None:
        database_url = _fresh_file()
        console.print(f"A new SQLite database: {database_url.partition('://')[2]}", soft_wrap=True)
    else:
        console.print(f"A new guild in {_place(database_url)}", soft_wrap=True, highlight=False)
    await upgrade(database_url)
    async with _opened(database_url):
        ok = await demo.play(console)
    if not ok:
        raise click.exceptions.Exit(1)  # pragma: no cover  # a demo whose books do not balance


def _fresh_file() -> str:
    try:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{DEMO_FILE}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot replace {DEMO_FILE}: {error.strerror}") from None
    return f"sqlite://{DEMO_FILE.resolve()}"


@commands.command("upgrade")
@database_option
async def upgrade_command(database_url: str | None) -> None:
    """Apply the migrations that the database lacks."""
    url = _url(database_url)
    for version in await upgrade(url):
        click.echo(f"applied {version}")
    click.echo(f"{_place(url)} is up to date")


@commands.command("verify")
@click.option("--guild", metavar="ID", callback=_guild, help="Only this guild; otherwise all.")
@database_option
async def verify_command(guild: str | None, database_url: str | None) -> None:
    """Compare every balance with the ledger."""
    url = _url(database_url)
    _refuse_missing_file(url)
    async with _opened(url):
        report = await BytesOperations().verify(guild)
    _console().print(tables.report(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _refuse_missing_file(url: str) -> None:
    """Opening a SQLite file that is not there would make one."""
    file = connection_config(url)["credentials"].get("file_path")
    if file not in {None, ":memory:"} and not Path(file).exists():
        raise click.ClickException(f"there is no file {file}")


def _url(given: str | None) -> str:
    return given or database_url()


def _place(url: str) -> str:
    return place(connection_config(url))


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[None]:
    await init(url)
    try:
        yield
    finally:
        await close()


def _console() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a pipe on Windows may know few characters
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        commands(prog_name="bytes-squads")
    except KeyboardInterrupt:  # pragma: no cover  # tested with a signal, which ends the measuring
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
