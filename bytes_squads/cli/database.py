"""Commands for a database: ``demo``, ``upgrade``, ``distribute``, ``status``, ``verify``."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import asyncclick as click

from .. import BytesOperations, close, init
from .. import distribute as distribute_database
from .. import upgrade as upgrade_database
from ..database import connection_config, pending_migrations
from ..domain.schema_rules import rules_of
from ..engine.connections import current_client, is_sqlite
from ..engine.distribution import get_distribution
from ..operations.read_only import ReadOnlyQueries
from . import options, tables
from .database_option import describe, open_database, resolve_url
from .demo import runner as demo
from .output import create_console, print_result, show_progress

DEMO_FILE = Path("bytes_squads_demo.db")


@click.command("demo")
@click.option(
    "--database-url",
    metavar="URL",
    help=f"Create the guild in this database. Default: a new file ./{DEMO_FILE}. "
    "DATABASE_URL is ignored, so that the demo does not write to a bot's database by accident.",
)
async def demo_command(database_url: str | None) -> None:
    """Simulate two weeks of a guild and show the result."""
    out = create_console()
    guild_id = demo.new_guild_id()
    if database_url is None:
        url = _new_demo_file()
        out.print(f"A new SQLite database: {url.partition('://')[2]}", soft_wrap=True)
    else:
        url = database_url
        out.print(f"A new guild in {describe(url)}", soft_wrap=True)
    await upgrade_database(url)
    await init(url)
    try:
        ok = await demo.run_demo(out, guild_id)
    finally:
        await close()
    out.print(_next_command(guild_id, database_url), soft_wrap=True, markup=False)
    if not ok:
        raise click.exceptions.Exit(1)  # pragma: no cover  # a demo whose ledger is wrong


def _next_command(guild_id: str, url: str | None) -> str:
    """Return the command that shows the guild's ledger; a password is not printed."""
    command = f"bytes-squads history --guild {guild_id} --limit 10"
    if url is None:
        option = f" --database-url sqlite://{DEMO_FILE}"
    elif connection_config(url)["credentials"].get("password"):
        return f"\nNext, with the same --database-url:\n  {command}"
    else:
        option = f" --database-url {shlex.quote(url)}"
    return f"\nNext:\n  {command}{option}"


def _new_demo_file() -> str:
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
    """Apply the pending migrations."""
    url = resolve_url(database_url)
    applied = await upgrade_database(url)
    lines = [f"applied {version}" for version in applied]
    print_result(
        as_json, {"applied": applied}, "\n".join([*lines, f"{describe(url)} is up to date"])
    )


@click.command(
    epilog=options.format_examples(
        "bytes-squads distribute --database-url postgres://bot:secret@coordinator/bot",
    ),
)
@click.option(
    "--shards",
    metavar="N",
    callback=options.parse_int,
    help="Parts of each table. Default: citus.shard_count of the server, which is 32.",
)
@options.as_json
@options.database
async def distribute(shards: int | None, as_json: bool, database_url: str | None) -> None:
    """Distribute the tables over the nodes of Citus, by guild.

    The URL is that of the coordinator. All rows are moved in one transaction, during which
    operations wait. Stop the bot first if there are many rows.
    """
    url = resolve_url(database_url)
    with show_progress("Moving rows") as on_progress:
        distributed = await distribute_database(url, shards=shards, on_progress=on_progress)
    state = "is distributed now" if distributed else "was distributed before"
    print_result(as_json, {"distributed": distributed}, f"{describe(url)} {state}")


@click.command()
@click.option(
    "--guild",
    metavar="ID",
    callback=options.parse_snowflake,
    help="Check only this guild. Default: all.",
)
@options.as_json
@options.database
async def verify(guild: str | None, as_json: bool, database_url: str | None) -> None:
    """Compare every balance with the ledger.

    Exits with 1 if any of them differs.
    """
    async with open_database(database_url):
        report = await BytesOperations().verify(guild)
    print_result(as_json, {"ok": report.ok, **asdict(report)}, tables.ledger_report(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


@click.command(
    epilog=options.format_examples(
        "bytes-squads status --database-url postgres://bot:secret@localhost/bot"
    )
)
@options.as_json
@options.database
async def status(as_json: bool, database_url: str | None) -> None:
    """Show the state of the database: versions, migrations, checks and triggers, pool.

    Exits with 1 if a migration, a check or a trigger is missing.
    """
    url = resolve_url(database_url)
    async with open_database(database_url):
        client, queries = current_client(), ReadOnlyQueries()
        sqlite = is_sqlite(client)
        pending = await pending_migrations()
        expected, present = rules_of(sqlite=sqlite), await queries.rules()
        server = await queries.server_version()
        distribution = await get_distribution(client)
    credentials = connection_config(url)["credentials"]
    found = tables.Status(
        database=describe(url),
        server=f"{'SQLite' if sqlite else 'PostgreSQL'} {server}",
        version=package_version(),
        migrations_missing=pending,
        rules=len(expected),
        rules_missing=sorted(expected - present),
        distribution=(distribution.shards, distribution.nodes) if distribution else None,
        pool=None if sqlite else (credentials["minsize"], credentials["maxsize"]),
    )
    print_result(as_json, asdict(found), tables.status(found))
    if found.migrations_missing or found.rules_missing:
        raise click.exceptions.Exit(1)


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version("bytes_squads")
    except metadata.PackageNotFoundError:  # pragma: no cover  # run from a source folder
        return "(not installed)"
