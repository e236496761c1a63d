"""The options that commands share, and what their values may be."""

from __future__ import annotations

import re
from uuid import UUID

import asyncclick as click

from ..domain import validation as inputs
from ..domain.errors import InvalidSnowflakeError

URL_HELP = (
    "postgres://user:password@host/database, or sqlite:// and a path. "
    "Without it: DATABASE_URL, or sqlite://bytes_squads.db."
)

_MOST_DIGITS = 20
"""Digits of the largest number that any option takes; Python would go on to thousands."""


def snowflake(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A Discord id as it is stored."""
    try:
        return None if value is None else inputs.snowflake(value)
    except InvalidSnowflakeError as error:
        raise click.BadParameter(str(error)) from None


def whole(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A whole number in ASCII digits; how large it may be is for the operation to say."""
    return None if value is None else number(value)


def numbers(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, int] | None:
    """Numbers by name: ``8=2,16=4``; or ``none``, which is an empty one."""
    if value is None:
        return None
    found: dict[str, int] = {}
    for pair in [] if value == "none" else value.split(","):
        name, _separator, digits = pair.strip().partition("=")
        if name in found:
            raise click.BadParameter(f"{name!a} stands there twice")
        found[name] = number(digits)
    return found


def number(value: str) -> int:
    """A whole number as Python writes it: no leading zeros, plus signs, spaces or underscores."""
    if re.fullmatch(rf"0|-?[1-9][0-9]{{0,{_MOST_DIGITS - 1}}}", value):
        return int(value)
    raise click.BadParameter(f"{value!a} is not a whole number")


def row_id(_: click.Context, __: click.Parameter, value: str | None) -> UUID | None:
    """The id of a ledger row."""
    try:
        return None if value is None else UUID(value)
    except ValueError:
        raise click.BadParameter(f"{value!a} is not the id of a ledger row") from None


def examples(*lines: str) -> str:
    """Examples as they stand below a command's help, line by line."""
    return "\n".join(
        ["\b", "Examples:" if len(lines) > 1 else "Example:", *map("  {}".format, lines)]
    )


database = click.option("--database-url", metavar="URL", help=URL_HELP)
guild = click.option("--guild", metavar="ID", required=True, callback=snowflake, help="The guild.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
limit = click.option(
    "--limit",
    metavar="N",
    callback=whole,
    default="20",
    show_default=True,
    help="How many, 1 to 10,000.",
)
