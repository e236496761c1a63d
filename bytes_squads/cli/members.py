"""Commands that read members and the ledger: ``leaderboard``, ``balance``, ``history``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import asyncclick as click

from .. import BytesOperations, BytesTransaction
from ..domain.rules import KINDS
from ..operations.read_only import ReadOnlyQueries
from . import options, tables
from .currency import get_currency
from .database_option import open_database
from .output import print_csv, print_result, public_columns, row_to_dict


@click.command(
    epilog=options.format_examples("bytes-squads leaderboard --guild 81384788765712384 --limit 10")
)
@options.guild
@options.limit
@options.offset
@options.as_json
@options.database
async def leaderboard(
    guild: str, limit: int, offset: int, as_json: bool, database_url: str | None
) -> None:
    """Show the members with the most bytes."""
    async with open_database(database_url):
        entries = await BytesOperations().get_leaderboard(guild, limit, offset)
        currency = await get_currency(guild)
    data = [asdict(entry) for entry in entries]
    print_result(as_json, data, tables.leaderboard_page(entries, currency))


@click.command(
    epilog=options.format_examples(
        "bytes-squads balance --guild 81384788765712384 80351110224678912"
    )
)
@options.guild
@click.argument("user", callback=options.parse_snowflake)
@options.as_json
@options.database
async def balance(guild: str, user: str, as_json: bool, database_url: str | None) -> None:
    """Show the balance of the member USER. An unknown member is an error."""
    async with open_database(database_url):
        member = await BytesOperations().find_balance(guild, user)
        entry = await BytesOperations().get_rank(guild, user)
        currency = await get_currency(guild)
    if member is None:
        raise click.ClickException(f"guild {guild} has no member {user}")
    rank = entry.rank if entry else None
    print_result(
        as_json,
        {"rank": rank, **row_to_dict(member)},
        tables.member_summary(member, rank, currency),
    )


@click.command(
    epilog=options.format_examples(
        "bytes-squads history --guild 81384788765712384",
        "bytes-squads history --guild 81384788765712384 --user 80351110224678912 --json",
        "bytes-squads history --guild 81384788765712384 --kind grant --since 2026-03-01 --csv",
    )
)
@options.guild
@click.option(
    "--user",
    metavar="ID",
    callback=options.parse_snowflake,
    help="Only rows that this member gave or received.",
)
@options.limit
@click.option(
    "--before",
    metavar="UUID",
    callback=options.parse_uuid,
    help="Continue after this ledger row, the last one of the previous page.",
)
@click.option("--kind", type=click.Choice(KINDS), help="Only rows of this kind.")
@options.since
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")
@options.as_json
@options.database
async def history(
    guild: str,
    user: str | None,
    limit: int,
    before: UUID | None,
    kind: str | None,
    since: datetime | None,
    as_csv: bool,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Show the ledger, newest rows first."""
    if as_csv and as_json:
        raise click.UsageError("give --csv or --json, not both", click.get_current_context())
    async with open_database(database_url):
        last_seen = None
        if before is not None:
            last_seen = await ReadOnlyQueries().transaction(guild, before)
            if last_seen is None:
                raise click.ClickException(f"the ledger of guild {guild} has no row {before}")
        rows = await BytesOperations().get_transaction_history(
            guild, user, limit, last_seen, kind=kind, since=since
        )
        currency = await get_currency(guild)
    data = [row_to_dict(row) for row in rows]
    if as_csv:
        print_csv(public_columns(BytesTransaction), data)
    else:
        print_result(as_json, data, tables.ledger(rows, user, currency))
