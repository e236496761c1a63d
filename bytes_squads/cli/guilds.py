"""Commands about a guild's settings and squads: ``config show``, ``config set``, ``squads``."""

from __future__ import annotations

from typing import Any

import asyncclick as click

from .. import (
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    InvalidInputError,
    SquadOperations,
)
from ..operations.read_only import Lookups
from . import options, tables
from .database_option import opened
from .output import fields, show


@click.group()
def config() -> None:
    """Show or change a guild's settings."""


@config.command(
    "show", epilog=options.examples("bytes-squads config show --guild 81384788765712384")
)
@options.guild
@options.as_json
@options.database
async def config_show(guild: str, as_json: bool, database_url: str | None) -> None:
    """Show a guild's settings; where none are stored, the defaults."""
    async with opened(database_url):
        found = await Lookups().config(guild)
    _show(found or BytesConfig(guild_id=guild), as_json, stored=found is not None)


@config.command(
    "set",
    epilog=options.examples(
        "bytes-squads config set --guild 81384788765712384 --daily-amount 25",
        "bytes-squads config set --guild 81384788765712384 --streak-bonuses 7=2,30=5",
        "bytes-squads config set --guild 81384788765712384 --role-rewards none",
    ),
)
@options.guild
@click.option(
    "--starting-balance", metavar="N", callback=options.whole, help="What a new member receives."
)
@click.option(
    "--daily-amount", metavar="N", callback=options.whole, help="What a daily claim pays."
)
@click.option(
    "--streak-bonuses",
    metavar="DAYS=FACTOR,…",
    callback=options.numbers,
    help="From so many days in a row on, a claim pays so many times as much. "
    "All of them at once: 8=2,16=4; or none.",
)
@click.option(
    "--max-transfer",
    metavar="N",
    callback=options.whole,
    help="The largest transfer; 0 forbids transfers.",
)
@click.option(
    "--transfer-cooldown-hours",
    metavar="N",
    callback=options.whole,
    help="Hours between a giver's transfers.",
)
@click.option(
    "--role-rewards",
    metavar="ROLE=BYTES,…",
    callback=options.numbers,
    help="The role (its id) that is earned by having received so many bytes in all. "
    "All of them at once; or none.",
)
@options.as_json
@options.database
async def config_set(
    guild: str, as_json: bool, database_url: str | None, **settings: int | dict[str, int] | None
) -> None:
    """Change the settings that are given; the others stay."""
    given = {name: value for name, value in settings.items() if value is not None}
    if not given:
        raise click.UsageError("give at least one setting to change", click.get_current_context())
    changes = _changes(given)
    async with opened(database_url):
        changed = await BytesOperations().update_config(guild, changes)
    _show(changed, as_json, stored=True)


def _changes(given: dict[str, Any]) -> BytesConfigUpdate:
    bonuses = given.get("streak_bonuses")
    if bonuses is not None:
        given["streak_bonuses"] = {options.number(days): bonuses[days] for days in bonuses}
    try:
        return BytesConfigUpdate(**given)
    except InvalidInputError as error:
        first = error.problems[0]
        field, *inside = (str(part) for part in first["loc"] if part != "[key]")
        option = f"--{field.replace('_', '-')}"
        problem = ": ".join([*inside, first["msg"]])
        raise click.BadParameter(problem, click.get_current_context(), None, option) from None


def _show(row: BytesConfig, as_json: bool, *, stored: bool) -> None:
    """Print a config; one that is not stored has no times."""
    found = {**fields(row), **({} if stored else {"created_at": None, "updated_at": None})}
    show(as_json, found, tables.config(row, stored))


@click.command(epilog=options.examples("bytes-squads squads --guild 81384788765712384 --all"))
@options.guild
@click.option("--all", "everyone", is_flag=True, help="Also squads that take no members.")
@options.as_json
@options.database
async def squads(guild: str, everyone: bool, as_json: bool, database_url: str | None) -> None:
    """Show a guild's squads and how many members each has."""
    async with opened(database_url):
        found = await SquadOperations().get_guild_squads(guild, active_only=not everyone)
    data = [{**fields(each.squad), "member_count": each.member_count} for each in found]
    show(as_json, data, tables.squads(found))
