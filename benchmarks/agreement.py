"""Whether a peer does what the package does. A contest between different things says nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

_LEDGER = """
    SELECT amount, kind, giver_id = '{user}' AS gave, giver_username, receiver_username
    FROM bytes_transactions WHERE guild_id = '{guild}' AND '{user}' IN (giver_id, receiver_id)
    ORDER BY created_at, id
"""
_BALANCE = """
    SELECT balance, total_received, total_sent, streak_count, last_daily
    FROM bytes_balances WHERE guild_id = '{guild}' AND user_id = '{user}'
"""
_SQUAD = """
    SELECT squad_id FROM squad_memberships WHERE guild_id = '{guild}' AND user_id = '{user}'
"""

Query = Callable[[str], Awaitable[list[tuple[Any, ...]]]]
Account = dict[str, Any]
Transfer = Callable[[str, str, str, int], Awaitable[object]]


class DisagreementError(AssertionError):
    """A peer did something else than the package."""


def on_postgres(connection: asyncpg.Connection) -> Query:
    """Queries on PostgreSQL."""

    async def query(text: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.fetch(text)]

    return query


def on_sqlite(path: str) -> Query:
    """Queries on a SQLite file."""

    async def query(text: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()

    return query


async def account(query: Query, guild: str, user: str) -> Account:
    """What the database says of a member, apart from who it is.

    Returns:
        The row of balances, the ledger's rows in their order, and the squad.
    """
    names = {"guild": guild, "user": user}
    return {
        "balance": await query(_BALANCE.format(**names)),
        "ledger": await query(_LEDGER.format(**names)),
        "squad": await query(_SQUAD.format(**names)),
    }


async def change(query: Query, guild: str, user: str, act: Awaitable[object]) -> Account:
    """What an action changes for a member.

    Returns:
        The change of balance and totals, streak and date if they changed, the squad afterwards, and
        the ledger's new rows.
    """
    before = await account(query, guild, user)
    await act
    after = await account(query, guild, user)
    old, new = before["balance"][0], after["balance"][0]
    return {
        "moved": [new[place] - old[place] for place in range(3)],
        "streak": "as before" if new[3:] == old[3:] else new[3:],
        "squad": after["squad"],
        "ledger": after["ledger"][len(before["ledger"]) :],
    }


async def same_transfers(
    query: Query, guild: str, users: list[str], transfers: dict[str, Transfer]
) -> None:
    """Make sure that everybody moves the same bytes, and refuses to move too many.

    Args:
        query: To look.
        guild: The guild.
        users: Two members for each contestant.
        transfers: By contestant.

    Raises:
        DisagreementError: Somebody does not.
    """
    pairs = zip(users[::2], users[1::2], strict=False)
    seen: dict[str, Any] = {}
    for (name, transfer), (giver, receiver) in zip(transfers.items(), pairs, strict=False):
        gives = change(query, guild, giver, transfer(guild, giver, receiver, 7))
        gave = await gives
        gets = change(query, guild, receiver, transfer(guild, giver, receiver, 5))
        seen[name] = (gave, await gets)
        has = (await account(query, guild, giver))["balance"][0][0]
        await _refuses(query, guild, giver, receiver, has + 1, name, transfer)
    all_same("transfers", seen)


async def same_cooldowns(
    query: Query, guild: str, users: list[str], transfers: dict[str, Transfer]
) -> None:
    """Make sure that everybody moves the same bytes once, and refuses the giver's next transfer.

    Args:
        query: To look.
        guild: A guild with a cooldown.
        users: Two members for each contestant.
        transfers: By contestant.

    Raises:
        DisagreementError: Somebody does not.
    """
    pairs = zip(users[::2], users[1::2], strict=False)
    seen: dict[str, Any] = {}
    for (name, transfer), (giver, receiver) in zip(transfers.items(), pairs, strict=False):
        act = transfer(guild, giver, receiver, 7)
        seen[name] = await change(query, guild, giver, act)
        await _refuses(query, guild, giver, receiver, 1, name, transfer)
    all_same("transfers with a cooldown", seen)


async def _refuses(
    query: Query,
    guild: str,
    giver: str,
    receiver: str,
    amount: int,
    name: str,
    transfer: Transfer,
) -> None:
    """Make sure that a transfer is refused and changes nothing.

    Raises:
        DisagreementError: It is not.
    """
    parties = (giver, receiver)
    before = [await account(query, guild, user) for user in parties]
    try:
        await transfer(guild, giver, receiver, amount)
    except Exception:  # noqa: BLE001  # everybody has an error of their own
        refused = True
    else:
        refused = False
    after = [await account(query, guild, user) for user in parties]
    if not refused or before != after:
        raise DisagreementError(f"{name} carries out what is to be refused")


def all_same(what: str, seen: dict[str, Any]) -> None:
    """Make sure that everybody's outcome is the first one's.

    Raises:
        DisagreementError: It is not.
    """
    first, *others = seen
    for other in others:
        if seen[first] != seen[other]:
            raise DisagreementError(
                f"{what}: {first} and {other} differ:\n{seen[first]}\n{seen[other]}"
            )
