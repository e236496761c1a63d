"""Commands for squads: ``squads list``, ``create``, ``update``, ``delete``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncclick as click

from .. import Squad, SquadCreate, SquadOperations, SquadUpdate
from . import options, tables
from .database_option import open_database
from .output import print_result, row_to_dict


class _ListByDefault(click.Group):
    """A group whose command ``list`` needs no name."""

    async def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["list", *args]
        return await super().parse_args(ctx, args)


@click.group(
    cls=_ListByDefault,
    epilog=options.format_examples("bytes-squads squads --guild 81384788765712384"),
)
def squads() -> None:
    """Show or change a guild's squads. Without a command: list."""


_squad = click.argument("squad", callback=options.parse_uuid)
_max_members = click.option(
    "--max-members", metavar="N", help="Largest number of members, or none for no limit."
)
_switch_cost = click.option(
    "--switch-cost", metavar="N", callback=options.parse_int, help="Bytes that joining costs."
)


@squads.command(
    "list", epilog=options.format_examples("bytes-squads squads list --guild 81384788765712384")
)
@options.guild
@click.option("--all", "include_inactive", is_flag=True, help="Include inactive squads.")
@options.as_json
@options.database
async def list_command(
    guild: str, include_inactive: bool, as_json: bool, database_url: str | None
) -> None:
    """Show a guild's squads and their member counts."""
    async with open_database(database_url):
        summaries = await SquadOperations().get_guild_squads(
            guild, active_only=not include_inactive
        )
    data = [
        {**row_to_dict(summary.squad), "member_count": summary.member_count}
        for summary in summaries
    ]
    print_result(as_json, data, tables.squads(summaries))


@squads.command(
    epilog=options.format_examples(
        "bytes-squads squads create --guild 81384788765712384 --role-id 31 --name Owls",
    )
)
@options.guild
@click.option(
    "--role-id",
    metavar="ID",
    required=True,
    callback=options.parse_snowflake,
    help="The role of its members.",
)
@click.option("--name", metavar="TEXT", required=True, help="The name, up to 100 characters.")
@click.option("--description", metavar="TEXT", help="Up to 500 characters.")
@_switch_cost
@_max_members
@options.as_json
@options.database
async def create(guild: str, as_json: bool, database_url: str | None, **fields: Any) -> None:
    """Create a squad for a role of the guild."""
    given = _given(fields)
    with options.input_problems():
        data = SquadCreate(guild_id=guild, **given)
    async with open_database(database_url):
        squad = await SquadOperations().create_squad(data)
    _print_squad(squad, "created", as_json)


@squads.command(
    epilog=options.format_examples(
        "bytes-squads squads update --guild 81384788765712 "
        "--closed 0198a7a2-9c4e-7d52-8a33-7d0c51f6b0aa",
    )
)
@options.guild
@_squad
@click.option("--role-id", metavar="ID", callback=options.parse_snowflake, help="The new role.")
@click.option("--name", metavar="TEXT", help="The new name.")
@click.option("--description", metavar="TEXT", help="The new description; empty removes it.")
@_switch_cost
@_max_members
@click.option("--open/--closed", "is_active", default=None, help="Whether members can join.")
@options.as_json
@options.database
async def update(
    guild: str, squad: UUID, as_json: bool, database_url: str | None, **fields: Any
) -> None:
    """Change the given fields of the squad SQUAD (its id); keep the others."""
    given = _given(fields)
    if not given:
        raise click.UsageError("give at least one field to change", click.get_current_context())
    with options.input_problems():
        changes = SquadUpdate(**given)
    async with open_database(database_url):
        changed = await SquadOperations().update_squad(guild, squad, changes)
    _print_squad(changed, "updated", as_json)


@squads.command(
    epilog=options.format_examples(
        "bytes-squads squads delete --guild 81384788765712384 0198a7a2-9c4e-7d52-8a33-7d0c51f6b0aa",
    )
)
@options.guild
@_squad
@options.yes
@options.as_json
@options.database
async def delete(
    guild: str, squad: UUID, yes: bool, as_json: bool, database_url: str | None
) -> None:
    """Delete the squad SQUAD (its id) and its memberships, without a refund."""
    async with open_database(database_url):
        found = await SquadOperations().get_squad(guild, squad)
        members = len(await SquadOperations().get_squad_members(guild, squad))
        options.confirm(f"Delete the squad {found.name!a} with {members:,} members?", yes)
        await SquadOperations().delete_squad(guild, squad)
    _print_squad(found, "deleted", as_json)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are given; ``none`` and an empty description clear theirs."""
    given = {name: value for name, value in fields.items() if value is not None}
    if given.get("description") == "":
        given["description"] = None
    if "max_members" in given:
        limit = given["max_members"]
        given["max_members"] = None if limit == "none" else options.to_int(limit)
    return given


def _print_squad(squad: Squad, done: str, as_json: bool) -> None:
    print_result(as_json, row_to_dict(squad), f"{done} squad {squad.name}: {squad.id}")
