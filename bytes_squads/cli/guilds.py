"""Commands for guilds: ``config show``, ``config set``, ``guilds``, ``stats``, ``guild delete``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import asyncclick as click

from .. import (
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    EconomyStatistics,
    GuildOperations,
)
from ..operations.read_only import ReadOnlyQueries
from . import options, tables
from .currency import get_currency
from .database_option import open_database
from .output import print_result, row_to_dict


@click.group()
def config() -> None:
    """Show or change a guild's settings."""


@config.command(
    "show", epilog=options.format_examples("bytes-squads config show --guild 81384788765712384")
)
@options.guild
@options.as_json
@options.database
async def config_show(guild: str, as_json: bool, database_url: str | None) -> None:
    """Show a guild's settings, or the defaults if none are stored."""
    async with open_database(database_url):
        found = await BytesOperations().get_config(guild)
    _print_config(found, as_json, stored=found.created_at is not None)


@config.command(
    "set",
    epilog=options.format_examples(
        "bytes-squads config set --guild 81384788765712384 --daily-amount 25",
        "bytes-squads config set --guild 81384788765712384 --streak-bonuses 7=2,30=5",
        "bytes-squads config set --guild 81384788765712384 --role-rewards none",
        "bytes-squads config set --guild 81384788765712384 --timezone Europe/Berlin",
    ),
)
@options.guild
@click.option(
    "--starting-balance",
    metavar="N",
    callback=options.parse_int,
    help="Bytes that a new member receives.",
)
@click.option(
    "--daily-amount", metavar="N", callback=options.parse_int, help="Bytes that a daily claim pays."
)
@click.option(
    "--streak-bonuses",
    metavar="DAYS=FACTOR,…",
    callback=options.parse_mapping,
    help="From a streak of DAYS on, a daily claim pays FACTOR times the amount. "
    "Replaces all bonuses: 8=2,16=4, or none.",
)
@click.option(
    "--max-transfer",
    metavar="N",
    callback=options.parse_int,
    help="Largest transfer in bytes; 0 forbids transfers.",
)
@click.option(
    "--transfer-cooldown-hours",
    metavar="N",
    callback=options.parse_int,
    help="Hours between two transfers of a giver.",
)
@click.option(
    "--role-rewards",
    metavar="ROLE=BYTES,…",
    callback=options.parse_mapping,
    help="ROLE (an id) is earned once a member has received BYTES in total. "
    "Replaces all rewards, or none.",
)
@click.option(
    "--timezone",
    metavar="NAME",
    help="IANA time zone of the dates of daily claims, such as Europe/Berlin.",
)
@click.option(
    "--streak-grace-days",
    metavar="N",
    callback=options.parse_int,
    help="Days without a claim that do not end a streak.",
)
@click.option("--currency-name", metavar="TEXT", help="Name of the guild's currency.")
@click.option("--currency-emoji", metavar="TEXT", help="Emoji shown with amounts, or none.")
@options.as_json
@options.database
async def config_set(
    guild: str,
    as_json: bool,
    database_url: str | None,
    **settings: int | str | dict[str, int] | None,
) -> None:
    """Change the given settings; keep the others."""
    given = {name: value for name, value in settings.items() if value is not None}
    if not given:
        raise click.UsageError("give at least one setting to change", click.get_current_context())
    changes = _build_update(given)
    async with open_database(database_url):
        changed = await BytesOperations().update_config(guild, changes)
    _print_config(changed, as_json, stored=True)


def _build_update(given: dict[str, Any]) -> BytesConfigUpdate:
    bonuses = given.get("streak_bonuses")
    if bonuses is not None:
        given["streak_bonuses"] = {options.to_int(days): bonuses[days] for days in bonuses}
    if given.get("currency_emoji") == "none":
        given["currency_emoji"] = None
    with options.input_problems():
        return BytesConfigUpdate(**given)


def _print_config(row: BytesConfig, as_json: bool, *, stored: bool) -> None:
    """Print a config; the defaults have no timestamps."""
    data = {**row_to_dict(row), **({} if stored else {"created_at": None, "updated_at": None})}
    print_result(as_json, data, tables.config(row, stored))


@click.command(epilog=options.format_examples("bytes-squads guilds --limit 50"))
@options.limit
@options.offset
@options.as_json
@options.database
async def guilds(limit: int, offset: int, as_json: bool, database_url: str | None) -> None:
    """Show the guilds of the database, those with the most members first."""
    async with open_database(database_url):
        summaries = await ReadOnlyQueries().list_guilds(limit, offset)
    print_result(as_json, [asdict(each) for each in summaries], tables.guilds(summaries))


@click.command(
    epilog=options.format_examples(
        "bytes-squads stats --guild 81384788765712384",
        "bytes-squads stats --guild 81384788765712384 --since 2026-03-01 --until 2026-04-01",
        "bytes-squads stats --guild 81384788765712384 --chart economy.png",
    )
)
@options.guild
@options.since
@click.option(
    "--until",
    metavar="TIME",
    callback=options.parse_instant,
    help="Only rows before this time.",
)
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Also draw circulation and flows to this file, .png or .svg (needs matplotlib).",
)
@options.as_json
@options.database
async def stats(
    guild: str,
    since: datetime | None,
    until: datetime | None,
    chart: Path | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Show a guild's economy: present balances, and movements in a period."""
    async with open_database(database_url):
        found = await GuildOperations().get_statistics(guild, since, until)
        currency = await get_currency(guild)
        if chart is not None:
            name = (await BytesOperations().get_config(guild)).currency_name
            _draw_chart(chart, found, name)
    print_result(as_json, asdict(found), tables.statistics(found, currency))


def _draw_chart(file: Path, statistics: EconomyStatistics, currency: str) -> None:
    """Write the chart of the statistics to a file, in the format of its suffix."""
    formats: dict[str, Literal["png", "svg"]] = {".png": "png", ".svg": "svg"}
    image_format = formats.get(file.suffix.lower())
    if image_format is None:
        raise click.BadParameter("the file has to end in .png or .svg", param_hint="--chart")
    try:
        from ..charts import draw_economy  # noqa: PLC0415  # takes a second; needs matplotlib
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    try:
        file.write_bytes(draw_economy(statistics, currency=currency, image_format=image_format))
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from None


@click.group()
def guild() -> None:
    """Delete a guild."""


@guild.command(
    epilog=options.format_examples("bytes-squads guild delete --guild 81384788765712384")
)
@options.guild
@options.yes
@options.as_json
@options.database
async def delete(guild: str, yes: bool, as_json: bool, database_url: str | None) -> None:
    """Delete all rows of a guild: members, ledger, squads and settings.

    Asks for confirmation: it cannot be undone. An export is a copy that can be imported again.
    """
    async with open_database(database_url):
        members = await BytesOperations().count_members(guild)
        options.confirm(f"Delete guild {guild} with its {members:,} members and its ledger?", yes)
        await GuildOperations().delete_guild(guild)
    print_result(as_json, {"deleted": guild}, f"deleted guild {guild}")
