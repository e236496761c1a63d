"""Commands that move bytes: ``grant``, ``charge``, ``set-balance``, ``reset``, ``reverse``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncclick as click

from .. import BytesOperations, BytesTransaction
from . import options
from .currency import Currency, currency_of, get_currency, is_new_guild, warn_of_new_guild
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


@click.command(
    "set-balance",
    epilog=options.format_examples(
        "bytes-squads set-balance --guild 81384788765712384 80351110224678912 500"
    ),
)
@_payment_options("balance")
async def set_balance(
    guild: str,
    user: str,
    balance: int,
    username: str,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Set the balance of the member USER to BALANCE, by a grant or a charge of the difference."""
    async with open_database(database_url):
        new_guild = await is_new_guild(guild)
        row = await BytesOperations().set_balance(
            guild,
            user,
            balance,
            username=username,
            reason=reason,
            actor_id=actor,
            idempotency_key=key,
        )
        now, currency = await _read_result(guild, user)
    done = f"member {user} has {currency.format(now)} now"
    if row is None:
        data = {"id": None, "balance": now}
        print_result(as_json, data, f"{done}: that was the balance before, nothing was changed")
    else:
        _print_payment(row, now, done, as_json)
    if new_guild:
        warn_of_new_guild(guild)


@click.command(
    epilog=options.format_examples(
        "bytes-squads reset --guild 81384788765712384 --reason season --yes",
        "bytes-squads reset --guild 81384788765712384 --balance 0",
    )
)
@options.guild
@click.option(
    "--balance",
    metavar="N",
    callback=options.parse_int,
    help="The new balance. Default: the guild's starting balance.",
)
@options.yes
@_entry_options
async def reset(
    guild: str,
    balance: int | None,
    yes: bool,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Set the balance of every member of a guild, all or nothing. Asks for confirmation."""
    async with open_database(database_url):
        config = await BytesOperations().get_config(guild)
        shown = currency_of(config).format(config.starting_balance if balance is None else balance)
        members = await BytesOperations().count_members(guild)
        options.confirm(
            f"Set the balance of all {members:,} members of guild {guild} to {shown}?", yes
        )
        changed = await BytesOperations().reset_balances(
            guild, balance, reason=reason, actor_id=actor, idempotency_key=key
        )
    print_result(as_json, {"changed": changed}, f"changed {changed:,} balances to {shown}")


@click.command(
    epilog=options.format_examples(
        "bytes-squads reverse --guild 8138478876571 0198a7a2-9c4e-7d52-8a33-7d0c51f6b0aa"
    )
)
@options.guild
@click.argument("row", callback=options.parse_uuid)
@_entry_options
async def reverse(
    guild: str,
    row: UUID,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Reverse the ledger row ROW (its id), once: the bytes go from its receiver to its giver."""
    async with open_database(database_url):
        reversal = await BytesOperations().reverse_transaction(
            guild, row, reason=reason, actor_id=actor, idempotency_key=key
        )
        currency = await get_currency(guild)
    done = f"took back {currency.format(reversal.amount)}"
    parties = f"from {reversal.giver_id} to {reversal.receiver_id}"
    print_result(as_json, row_to_dict(reversal), f"{done} {parties}: ledger row {reversal.id}")


async def _read_result(guild: str, user: str) -> tuple[int, Currency]:
    """Return the member's balance after the payment, and the guild's currency."""
    member = await BytesOperations().find_balance(guild, user)
    return member.balance if member else 0, await get_currency(guild)


def _print_payment(row: BytesTransaction, balance: int, done: str, as_json: bool) -> None:
    data = {**row_to_dict(row), "balance": balance}
    print_result(as_json, data, f"{done}: ledger row {row.id}")
