"""Options that commands share, and the parsers of their values."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncclick as click

from .._interrupt import exit_at_once
from ..domain import validation
from ..domain.errors import InvalidInputError, InvalidSnowflakeError

URL_HELP = (
    "postgres://user:password@host/database, or sqlite:// and a path. "
    "Default: DATABASE_URL, else sqlite://bytes_squads.db."
)

_MAX_DIGITS = 20
"""No option takes a longer number; Python would parse thousands of digits."""


def parse_snowflake(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return a Discord id in its stored form."""
    try:
        return None if value is None else validation.snowflake(value)
    except InvalidSnowflakeError as error:
        raise click.BadParameter(str(error)) from None


def parse_int(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return a whole number; the operation checks its range."""
    return None if value is None else to_int(value)


def parse_mapping(
    _: click.Context, __: click.Parameter, value: str | None
) -> dict[str, int] | None:
    """Return the numbers by name from ``8=2,16=4``, or an empty dict from ``none``."""
    if value is None:
        return None
    mapping: dict[str, int] = {}
    for pair in [] if value == "none" else value.split(","):
        name, _separator, digits = pair.strip().partition("=")
        if name in mapping:
            raise click.BadParameter(f"{name!a} is given twice")
        mapping[name] = to_int(digits)
    return mapping


def to_int(value: str) -> int:
    """Return a whole number of ASCII digits: no leading zeros, plus sign, spaces or underscores."""
    if re.fullmatch(rf"0|-?[1-9][0-9]{{0,{_MAX_DIGITS - 1}}}", value):
        return int(value)
    raise click.BadParameter(f"{value!a} is not a whole number")


def parse_uuid(_: click.Context, __: click.Parameter, value: str | None) -> UUID | None:
    """Return the id of a ledger row."""
    try:
        return None if value is None else UUID(value)
    except ValueError:
        raise click.BadParameter(f"{value!a} is not the id of a ledger row") from None


def parse_instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Return a time from ISO 8601; a date is its first instant, and UTC the default zone."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!a} is not a date or a time (ISO 8601)") from None


@contextmanager
def input_problems() -> Iterator[None]:
    """Turn a refused input, whose fields are options, into a wrong command line."""
    try:
        yield
    except InvalidInputError as error:
        first = error.problems[0]
        field, *inside = (str(part) for part in first["loc"] if part != "[key]")
        option = f"--{field.replace('_', '-')}"
        problem = ": ".join([*inside, first["msg"]])
        raise click.BadParameter(problem, click.get_current_context(), None, option) from None


def confirm(question: str, yes: bool) -> None:
    """Ask on stderr whether to go on, unless ``--yes`` is given.

    Raises:
        click.ClickException: The answer is not yes, or stdin has no answer.
    """
    if yes:
        return
    # Reading blocks the event loop, which could not cancel the command.
    before = signal.signal(signal.SIGINT, exit_at_once)
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:  # the end of stdin
        click.echo(err=True)
    finally:
        signal.signal(signal.SIGINT, before)
    raise click.ClickException("not confirmed, nothing was changed (--yes confirms)")


def format_examples(*lines: str) -> str:
    """Return the epilog of a command's help, one example per line."""
    return "\n".join(
        ["\b", "Examples:" if len(lines) > 1 else "Example:", *map("  {}".format, lines)]
    )


database = click.option("--database-url", metavar="URL", help=URL_HELP)
guild = click.option(
    "--guild", metavar="ID", required=True, callback=parse_snowflake, help="The guild."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
limit = click.option(
    "--limit",
    metavar="N",
    callback=parse_int,
    default="20",
    show_default=True,
    help="Rows to show, 1 to 10,000.",
)
offset = click.option(
    "--offset",
    metavar="N",
    callback=parse_int,
    default="0",
    show_default=True,
    help="Rows to skip.",
)
since = click.option(
    "--since",
    metavar="TIME",
    callback=parse_instant,
    help="Only rows from this time on, such as 2026-03-01 or 2026-03-01T18:30+01:00. "
    "UTC unless it says otherwise.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask.")
