"""Commands for one person's data: ``members left``, ``members export``, ``members erase``."""

from __future__ import annotations

import json

import asyncclick as click

from .. import BytesOperations, GuildOperations
from . import options
from .currency import get_currency
from .database_option import open_database
from .output import print_result

_user = click.argument("user", callback=options.parse_snowflake)


@click.group()
def members() -> None:
    """Record that a member left; export or erase the stored data of a person."""


@members.command(
    epilog=options.format_examples(
        "bytes-squads members left --guild 81384788765712384 80351110224678912",
    )
)
@options.guild
@_user
@click.option("--back", is_flag=True, help="The member is there again.")
@options.as_json
@options.database
async def left(guild: str, user: str, back: bool, as_json: bool, database_url: str | None) -> None:
    """Record that the member USER left the Discord guild.

    The member keeps balance and ledger, gives up the seat in a squad, and is in no leaderboard.
    """
    async with open_database(database_url):
        known = await GuildOperations().set_member_left(guild, user, not back)
    if not known:
        raise click.ClickException(f"guild {guild} has no member {user}")
    done = "is in" if back else "has left"
    print_result(as_json, {"left": not back}, f"member {user} {done} guild {guild}")


@members.command(
    epilog=options.format_examples(
        "bytes-squads members export --guild 8138478876571 80351110224678912 > member.json",
    )
)
@options.guild
@_user
@options.as_json
@options.database
async def export(guild: str, user: str, as_json: bool, database_url: str | None) -> None:
    """Print all stored data of the person USER as JSON, without the names of others.

    With --json it is in one line.
    """
    async with open_database(database_url):
        found = await GuildOperations().export_member(guild, user)
    data = found.model_dump(mode="json")
    if as_json:
        print_result(as_json, data, "")
    else:
        click.echo(json.dumps(data, indent=2))


@members.command(
    epilog=options.format_examples(
        "bytes-squads members erase --guild 81384788765712384 80351110224678912",
    )
)
@options.guild
@_user
@options.yes
@options.as_json
@options.database
async def erase(guild: str, user: str, yes: bool, as_json: bool, database_url: str | None) -> None:
    """Replace the person USER by a pseudonym everywhere in the guild, and retire their bytes.

    Asks for confirmation: it cannot be undone.
    """
    async with open_database(database_url):
        member = await BytesOperations().find_balance(guild, user)
        currency = await get_currency(guild)
        who = f"has {currency.format(member.balance)}" if member else "is not a member"
        options.confirm(f"Erase {user}, who {who}, from guild {guild}?", yes)
        pseudonym = await GuildOperations().erase_member(guild, user)
    print_result(as_json, {"pseudonym": pseudonym}, f"erased {user}, who is {pseudonym} now")
