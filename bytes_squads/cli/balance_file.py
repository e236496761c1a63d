"""The command ``import-balances``: set the balances of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncclick as click

from .. import BytesOperations, InvalidInputError, RefusedError, in_transaction
from ..domain import validation
from ..domain.rules import MAX_BYTES
from . import options
from .database_option import open_database
from .output import print_result, show_progress

COLUMNS = ["user_id", "balance", "username"]


@dataclass(frozen=True)
class _Line:
    number: int
    user_id: str
    balance: int
    username: str


@click.command(
    "import-balances",
    epilog=options.format_examples(
        "bytes-squads import-balances balances.csv --guild 81384788765712384"
    ),
)
@click.argument("file", type=click.Path())
@options.guild
@click.option(
    "--reason",
    metavar="TEXT",
    default="balance imported",
    show_default=True,
    help="The reason in the ledger, up to 200 characters.",
)
@options.as_json
@options.database
async def import_balances(
    file: str, guild: str, reason: str, as_json: bool, database_url: str | None
) -> None:
    """Set the balances of members, who may be new, from the CSV file FILE, all or nothing.

    Each line has a user id, a balance and optionally a username; the first may be the header
    user_id,balance,username. Members who are not in the file keep their balance.
    """
    lines, changed = _read_file(file), 0
    async with open_database(database_url):
        with show_progress("Importing") as on_progress:
            async with in_transaction():
                for done, line in enumerate(lines, 1):
                    changed += await _set_balance(guild, line, reason)
                    on_progress(done, len(lines))
    print_result(
        as_json,
        {"members": len(lines), "changed": changed},
        f"imported {len(lines):,} balances into guild {guild}, {changed:,} of them changed",
    )


async def _set_balance(guild: str, line: _Line, reason: str) -> bool:
    try:
        row = await BytesOperations().set_balance(
            guild, line.user_id, line.balance, username=line.username, reason=reason
        )
    except (InvalidInputError, RefusedError) as error:
        raise click.ClickException(f"line {line.number}: {error}") from error
    return row is not None


def _read_file(file: str) -> list[_Line]:
    try:
        with Path(file).open("rb") as source:
            return _read(source)
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from None


def _read(source: Iterable[bytes]) -> list[_Line]:
    """Return the lines of a file, checked.

    Raises:
        click.ClickException: A line is invalid; the message begins with its number.
    """
    lines: dict[str, _Line] = {}
    rows = csv.reader(_decode(source), strict=True)
    number = 1
    try:
        for cells in rows:
            stripped = [cell.strip() for cell in cells]
            is_header = number == 1 and stripped in (COLUMNS, COLUMNS[:2])
            if stripped and not is_header:
                line = _parse(number, stripped)
                if line.user_id in lines:
                    first = lines[line.user_id].number
                    raise click.ClickException(f"{line.user_id} is in line {first} already")
                lines[line.user_id] = line
            number = rows.line_num + 1
    except csv.Error as error:
        raise click.ClickException(f"line {number}: not CSV: {error}") from None
    except click.BadParameter as error:
        raise click.ClickException(f"line {number}: {error.message}") from None
    except (InvalidInputError, UnicodeDecodeError, click.ClickException) as error:
        raise click.ClickException(f"line {number}: {error}") from None
    if not lines:
        raise click.ClickException("line 1: the file has no balances")
    return list(lines.values())


def _decode(source: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(source):
        yield line.decode("utf-8-sig" if number == 0 else "utf-8")


def _parse(number: int, cells: list[str]) -> _Line:
    if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)):
        raise click.ClickException(f"{len(cells)} columns, expected user_id,balance,username")
    username = validation.username(cells[-1] if len(cells) == len(COLUMNS) else "")
    balance = options.to_int(cells[1])
    if not 0 <= balance <= MAX_BYTES:
        raise click.ClickException(f"{balance} is not a balance")
    return _Line(number, validation.snowflake(cells[0]), balance, username)
