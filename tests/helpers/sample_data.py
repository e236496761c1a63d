"""Guilds, members and squads for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bytes_squads import (
    BytesBalance,
    BytesConfig,
    BytesTransaction,
    BytesTransactionCreate,
    Squad,
    SquadMembership,
)

from .backends import MODELS, primary_key

GUILD = "100000000000000001"
OTHER_GUILD = "100000000000000002"
ALICE = "200000000000000001"
BOB = "200000000000000002"
CAROL = "200000000000000003"
NAMES: dict[int | str, str] = {ALICE: "alice", BOB: "bob", CAROL: "carol"}

MakeMember = Callable[..., Awaitable[BytesBalance]]
MakeSquad = Callable[..., Awaitable[Squad]]
MakeConfig = Callable[..., Awaitable[BytesConfig]]
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Ids:
    """The ids of the tests' guilds and members."""

    guild: str = GUILD
    other_guild: str = OTHER_GUILD
    alice: str = ALICE
    bob: str = BOB
    carol: str = CAROL


@dataclass(frozen=True)
class TestData:
    """Two guilds with configs, members and squads.

    The first guild: Alice has 500 bytes and is in Red, Bob has 200 and is in Blue, Carol has 0.
    Red costs 50 and takes five members, Blue is free, Grey is not active.
    The second guild has the same Alice, with 70 bytes, and one squad.
    """

    __test__ = False

    guild: str
    other_guild: str
    red: Squad
    blue: Squad
    grey: Squad
    other_squad: Squad


async def create_member(
    now: datetime, user_id: str = ALICE, balance: int = 100, guild_id: str = GUILD
) -> BytesBalance:
    """Create a member and the ledger row that accounts for the balance.

    Args:
        now: When the ledger row was written; an aware datetime.
        user_id: The member.
        balance: In whole bytes.
        guild_id: The member's guild.
    """
    if balance:
        await BytesTransaction.create(
            guild_id=guild_id,
            giver_id="SYSTEM",
            giver_username="SYSTEM",
            receiver_id=user_id,
            receiver_username="",
            amount=balance,
            kind="starting",
            created_at=now,
        )
    return await BytesBalance.create(
        guild_id=guild_id, user_id=user_id, balance=balance, total_received=balance
    )


def make_transfer(
    giver: int | str = ALICE, receiver: int | str = BOB, amount: int = 1, **fields: Any
) -> BytesTransactionCreate:
    """Return the input of a transfer; by default Alice gives Bob one byte.

    Args:
        giver: Who gives.
        receiver: Who receives.
        amount: In whole bytes.
        fields: More fields, or others than the default ones.
    """
    values = {
        "guild_id": GUILD,
        "giver_id": giver,
        "giver_username": NAMES.get(giver, ""),
        "receiver_id": receiver,
        "receiver_username": NAMES.get(receiver, ""),
        "amount": amount,
    }
    return BytesTransactionCreate(**values | fields)


async def create_test_data(make_squad: MakeSquad, now: datetime) -> TestData:
    """Create the two guilds of `TestData`."""
    await BytesConfig.create(guild_id=GUILD)
    await BytesConfig.create(
        guild_id=OTHER_GUILD, starting_balance=5, daily_amount=3, max_transfer=10
    )
    await create_member(now, ALICE, 500)
    await create_member(now, BOB, 200)
    await create_member(now, CAROL, 0)
    await create_member(now, ALICE, 70, OTHER_GUILD)
    red = await make_squad(name="Red", max_members=5)
    blue = await make_squad(name="Blue", switch_cost=0)
    grey = await make_squad(name="Grey", is_active=False)
    other_squad = await make_squad(OTHER_GUILD, name="Other")
    for user, squad in ((ALICE, red), (BOB, blue)):
        await SquadMembership.create(guild_id=GUILD, user_id=user, squad_id=squad.id, joined_at=now)
    return TestData(GUILD, OTHER_GUILD, red, blue, grey, other_squad)


async def read_rows() -> Rows:
    """Read every row of the package's tables, by table."""
    return {
        model._meta.db_table: [
            dict(row) for row in await model.all().order_by(primary_key(model)).values()
        ]
        for model in MODELS
    }
