"""Commands that move bytes: ``grant``, ``charge``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncclick as click

from .. import BytesOperations, BytesTransaction
from . import options
from .currency import Currency, get_currency, is_new_guild, warn_of_new_guild
from .database_option import open_database
from .output import print_result, row_to_dict


def _entry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the commands that write ledger rows."""
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
            help="The user who ordered it.",
        ),
        click.option("--reason", metavar="TEXT", help="The reason, up to 200 characters."),
    ):
        command = option(command)
    return command


def _payment_options(amount: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the arguments and options of a command that changes one member's balance.

    Args:
        amount: The name of the argument after the user.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            _entry_options,
            click.option(
                "--username", metavar="NAME", default="", help="The member's name, for the ledger."
            ),
            click.argument(amount, callback=options.parse_int),
            click.argument("user", callback=options.parse_snowflake),
            options.guild,
        ):
            command = option(command)
        return command

    return add


@click.command(
    epilog=options.format_examples(
        "bytes-squads grant --guild 81384788765712384 80351110224678912 50 --reason prize"
    )
)
@_payment_options("amount")
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
    """Create AMOUNT bytes for the member USER, who may be new.

    A guild that has no members yet is a warning.
    """
    async with open_database(database_url):
        new_guild = await is_new_guild(guild)
        row = await BytesOperations().grant(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
        balance, currency = await _read_result(guild, user)
    done = f"granted {currency.format(row.amount)} to member {user}, who has {balance:,} now"
    _print_payment(row, balance, done, as_json)
    if new_guild:
        warn_of_new_guild(guild)


@click.command(
    epilog=options.format_examples(
        "bytes-squads charge --guild 81384788765712384 80351110224678912 50 --key invoice-17"
    )
)
@_payment_options("amount")
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
    """Retire AMOUNT bytes of the member USER; the balance cannot go below zero.

    A guild that has no members yet is a warning.
    """
    async with open_database(database_url):
        new_guild = await is_new_guild(guild)
        row = await BytesOperations().charge(
            guild,
            user,
            amount,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
        balance, currency = await _read_result(guild, user)
    done = f"charged member {user} {currency.format(row.amount)}, who has {balance:,} now"
    _print_payment(row, balance, done, as_json)
    if new_guild:
        warn_of_new_guild(guild)


async def _read_result(guild: str, user: str) -> tuple[int, Currency]:
    """Return the member's balance after the payment, and the guild's currency."""
    member = await BytesOperations().find_balance(guild, user)
    return member.balance if member else 0, await get_currency(guild)


def _print_payment(row: BytesTransaction, balance: int, done: str, as_json: bool) -> None:
    data = {**row_to_dict(row), "balance": balance}
    print_result(as_json, data, f"{done}: ledger row {row.id}")
