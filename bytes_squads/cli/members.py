"""Commands about members and their bytes: looking, granting, charging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import asyncclick as click

from .. import BytesOperations, BytesTransaction
from ..operations.read_only import Lookups
from . import options, tables
from .database_option import opened
from .output import fields, show


@click.command(
    epilog=options.examples("bytes-squads leaderboard --guild 81384788765712384 --limit 10")
)
@options.guild
@options.limit
@click.option(
    "--offset",
    metavar="N",
    callback=options.whole,
    default="0",
    show_default=True,
    help="How many to leave out before them.",
)
@options.as_json
@options.database
async def leaderboard(
    guild: str, limit: int, offset: int, as_json: bool, database_url: str | None
) -> None:
    """Show the members with the most bytes."""
    async with opened(database_url):
        entries = await BytesOperations().get_leaderboard(guild, limit, offset)
    show(as_json, [asdict(entry) for entry in entries], tables.ranking(entries))


@click.command(
    epilog=options.examples("bytes-squads balance --guild 81384788765712384 80351110224678912")
)
@options.guild
@click.argument("user", callback=options.snowflake)
@options.as_json
@options.database
async def balance(guild: str, user: str, as_json: bool, database_url: str | None) -> None:
    """Show what the member USER has. Looking does not make a new member."""
    async with opened(database_url):
        member = await Lookups().balance(guild, user)
        place = await BytesOperations().get_rank(guild, user)
    if member is None or place is None:
        raise click.ClickException(f"guild {guild} has no member {user}")
    show(as_json, {"rank": place.rank, **fields(member)}, tables.member(member, place.rank))


@click.command(
    epilog=options.examples(
        "bytes-squads history --guild 81384788765712384",
        "bytes-squads history --guild 81384788765712384 --user 80351110224678912 --json",
    )
)
@options.guild
@click.option(
    "--user", metavar="ID", callback=options.snowflake, help="Only what this member gave or got."
)
@options.limit
@click.option(
    "--before",
    metavar="UUID",
    callback=options.row_id,
    help="Go on after this ledger row, the last one of the page before.",
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
    async with opened(database_url):
        seen = None
        if before is not None:
            seen = await Lookups().transaction(guild, before)
            if seen is None:
                raise click.ClickException(f"the ledger of guild {guild} has no row {before}")
        rows = await BytesOperations().get_transaction_history(guild, user, limit, seen)
    show(as_json, [fields(row) for row in rows], tables.ledger(rows, user))


def _order(command: Callable[..., Any]) -> Callable[..., Any]:
    """What an order to create or retire bytes takes."""
    for option in (
        options.database,
        options.as_json,
        click.option(
            "--key", metavar="TEXT", help="Idempotency key: the same order again moves nothing."
        ),
        click.option(
            "--actor", metavar="ID", callback=options.snowflake, help="The user who ordered it."
        ),
        click.option("--reason", metavar="TEXT", help="Why, up to 200 characters."),
        click.option(
            "--username", metavar="NAME", default="", help="The member's name, for the ledger."
        ),
        click.argument("amount", callback=options.whole),
        click.argument("user", callback=options.snowflake),
        options.guild,
    ):
        command = option(command)
    return command


@click.command(
    epilog=options.examples(
        "bytes-squads grant --guild 81384788765712384 80351110224678912 50 --reason prize"
    )
)
@_order
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
    async with opened(database_url):
        row = await BytesOperations().grant(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
    _show_order(row, f"granted {row.amount:,} bytes to member {user}", as_json)


@click.command(
    epilog=options.examples(
        "bytes-squads charge --guild 81384788765712384 80351110224678912 50 --key invoice-17"
    )
)
@_order
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
    """Retire AMOUNT bytes of the member USER, never below zero."""
    async with opened(database_url):
        row = await BytesOperations().charge(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
    _show_order(row, f"charged member {user} {row.amount:,} bytes", as_json)


def _show_order(row: BytesTransaction, done: str, as_json: bool) -> None:
    show(as_json, fields(row), f"{done}: ledger row {row.id}")
