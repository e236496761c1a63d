"""Commands for members: ``leaderboard``, ``balance``, ``history``, ``grant``, ``charge``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import asyncclick as click

from .. import BytesOperations, BytesTransaction
from ..operations.read_only import ReadOnlyQueries
from . import options, tables
from .database_option import open_database
from .output import print_result, row_to_dict


@click.command(
    epilog=options.format_examples("bytes-squads leaderboard --guild 81384788765712384 --limit 10")
)
@options.guild
@options.limit
@click.option(
    "--offset",
    metavar="N",
    callback=options.parse_int,
    default="0",
    show_default=True,
    help="Members to skip.",
)
@options.as_json
@options.database
async def leaderboard(
    guild: str, limit: int, offset: int, as_json: bool, database_url: str | None
) -> None:
    """Show the members with the most bytes."""
    async with open_database(database_url):
        entries = await BytesOperations().get_leaderboard(guild, limit, offset)
    print_result(as_json, [asdict(entry) for entry in entries], tables.leaderboard_page(entries))


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
    if member is None:
        raise click.ClickException(f"guild {guild} has no member {user}")
    rank = entry.rank if entry else None
    print_result(
        as_json,
        {"rank": rank, **row_to_dict(member)},
        tables.member_summary(member, rank),
    )


@click.command(
    epilog=options.format_examples(
        "bytes-squads history --guild 81384788765712384",
        "bytes-squads history --guild 81384788765712384 --user 80351110224678912 --json",
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
@options.as_json
@options.database
async def history(
    guild: str,
    user: str | None,
    limit: int,
    before: UUID | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Show the ledger, newest rows first."""
    async with open_database(database_url):
        last_seen = None
        if before is not None:
            last_seen = await ReadOnlyQueries().transaction(guild, before)
            if last_seen is None:
                raise click.ClickException(f"the ledger of guild {guild} has no row {before}")
        rows = await BytesOperations().get_transaction_history(guild, user, limit, last_seen)
    print_result(as_json, [row_to_dict(row) for row in rows], tables.ledger(rows, user))


def _payment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of `grant` and `charge`."""
    for option in (
        options.database,
        options.as_json,
        click.option(
            "--key", metavar="TEXT", help="Idempotency key: a repeated command moves nothing."
        ),
        click.option(
            "--actor",
            metavar="ID",
            callback=options.parse_snowflake,
            help="The user who ordered the payment.",
        ),
        click.option("--reason", metavar="TEXT", help="The reason, up to 200 characters."),
        click.option(
            "--username", metavar="NAME", default="", help="The member's name, for the ledger."
        ),
        click.argument("amount", callback=options.parse_int),
        click.argument("user", callback=options.parse_snowflake),
        options.guild,
    ):
        command = option(command)
    return command


@click.command(
    epilog=options.format_examples(
        "bytes-squads grant --guild 81384788765712384 80351110224678912 50 --reason prize"
    )
)
@_payment_options
async def grant(
    guild: str,
    user: str,
    amount: int,
    username: str,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Create AMOUNT bytes for the member USER, who may be new."""
    async with open_database(database_url):
        row = await BytesOperations().grant(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
    _print_payment(row, f"granted {row.amount:,} bytes to member {user}", as_json)


@click.command(
    epilog=options.format_examples(
        "bytes-squads charge --guild 81384788765712384 80351110224678912 50 --key invoice-17"
    )
)
@_payment_options
async def charge(
    guild: str,
    user: str,
    amount: int,
    username: str,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Retire AMOUNT bytes of the member USER; the balance cannot go below zero."""
    async with open_database(database_url):
        row = await BytesOperations().charge(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
    _print_payment(row, f"charged member {user} {row.amount:,} bytes", as_json)


def _print_payment(row: BytesTransaction, done: str, as_json: bool) -> None:
    print_result(as_json, row_to_dict(row), f"{done}: ledger row {row.id}")
