"""Commands about a whole database: ``demo``, ``upgrade``, ``verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import asyncclick as click

from .. import BytesOperations, close, init
from .. import upgrade as upgrade_database
from . import options, tables
from .database_option import opened, place, url_of
from .demo import play as demo
from .output import console, show

DEMO_FILE = Path("bytes_squads_demo.db")


@click.command("demo")
@click.option(
    "--database-url",
    metavar="URL",
    help=f"Play in a new guild of this database. Without it: a new file ./{DEMO_FILE}; "
    "DATABASE_URL is not looked at, a demo has no business in a bot's database unasked.",
)
async def demo_command(database_url: str | None) -> None:
    """Play two weeks of a guild, and show what came of it."""
    out = console()
    if database_url is None:
        database_url = _fresh_file()
        out.print(f"A new SQLite database: {database_url.partition('://')[2]}", soft_wrap=True)
    else:
        out.print(f"A new guild in {place(database_url)}", soft_wrap=True, highlight=False)
    await upgrade_database(database_url)
    await init(database_url)
    try:
        ok = await demo.play(out)
    finally:
        await close()
    if not ok:
        raise click.exceptions.Exit(1)  # pragma: no cover  # a demo whose books do not balance


def _fresh_file() -> str:
    try:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{DEMO_FILE}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot replace {DEMO_FILE}: {error.strerror}") from None
    return f"sqlite://{DEMO_FILE.resolve()}"


@click.command()
@options.as_json
@options.database
async def upgrade(as_json: bool, database_url: str | None) -> None:
    """Apply the migrations that the database lacks."""
    url = url_of(database_url)
    applied = await upgrade_database(url)
    lines = [f"applied {version}" for version in applied]
    show(as_json, {"applied": applied}, "\n".join([*lines, f"{place(url)} is up to date"]))


@click.command()
@click.option(
    "--guild", metavar="ID", callback=options.snowflake, help="Only this guild; otherwise all."
)
@options.as_json
@options.database
async def verify(guild: str | None, as_json: bool, database_url: str | None) -> None:
    """Compare every balance with the ledger.

    Exits with 1 when one of them is off.
    """
    async with opened(database_url):
        report = await BytesOperations().verify(guild)
    show(as_json, {"ok": report.ok, **asdict(report)}, tables.report(report))
    if not report.ok:
        raise click.exceptions.Exit(1)
