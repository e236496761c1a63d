"""Somebody changes a table, or makes the database read-only, while the bot runs (PostgreSQL)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD, make_transfer

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    Squad,
    SquadCreate,
    SquadOperations,
    SquadUpdate,
    StorageUnavailableError,
)

pytestmark = pytest.mark.postgres

TABLES = ("bytes_balances", "bytes_transactions", "bytes_configs", "squads", "squad_memberships")
AT_ONCE = 2.0
"""Seconds in which an operation has ended that does not try again and again."""

bytes_ops, squad_ops = BytesOperations(), SquadOperations()


@pytest.fixture
def backend() -> str:
    """Return the database that these faults concern: PostgreSQL."""
    return "postgres"


@dataclass
class World:
    """A guild, and numbers for members that are new each time."""

    squads: list[Squad]
    number: int = 1_000

    def new(self) -> int:
        """Return a member whom nobody knows."""
        self.number += 1
        return self.number


async def open_world() -> World:
    """Make a guild with members and two squads; Bob is in the first."""
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(max_transfer=10**6))
    await bytes_ops.grant_many(GUILD, {ALICE: 10**6, BOB: 10**6})
    squads = [
        await squad_ops.create_squad(
            SquadCreate(guild_id=GUILD, role_id=role, name="Owls", switch_cost=1)
        )
        for role in (7, 8)
    ]
    await squad_ops.join_squad(GUILD, BOB, squads[0].id)
    return World(squads)


async def move_and_back(world: World) -> None:
    """Switch to the other squad and back."""
    await squad_ops.switch_squad(GUILD, BOB, world.squads[1].id)
    await squad_ops.switch_squad(GUILD, BOB, world.squads[0].id)


async def leave_and_come_back(world: World) -> None:
    """Leave the squad and join it again."""
    await squad_ops.leave_squad(GUILD, BOB)
    await squad_ops.join_squad(GUILD, BOB, world.squads[0].id)


async def make_and_delete(world: World) -> None:
    """Make a squad and delete it."""
    squad = await squad_ops.create_squad(SquadCreate(guild_id=GUILD, role_id=9, name="Ants"))
    await squad_ops.delete_squad(GUILD, squad.id)


Act = Callable[[World], Awaitable[Any]]
WRITES: dict[str, Act] = {
    "get_balance of a new member": lambda w: bytes_ops.get_balance(GUILD, w.new()),
    "create_transaction": lambda w: bytes_ops.create_transaction(make_transfer()),
    "create_transaction to a new member": lambda w: bytes_ops.create_transaction(
        make_transfer(ALICE, w.new())
    ),
    "claim_daily": lambda w: bytes_ops.claim_daily(GUILD, w.new()),
    "grant": lambda w: bytes_ops.grant(GUILD, ALICE, 1),
    "grant with a key": lambda w: bytes_ops.grant(GUILD, ALICE, 1, idempotency_key=w.new()),
    "charge": lambda w: bytes_ops.charge(GUILD, ALICE, 1),
    "grant_many": lambda w: bytes_ops.grant_many(GUILD, {ALICE: 1, BOB: 1}),
    "grant_many to a new member": lambda w: bytes_ops.grant_many(GUILD, {ALICE: 1, w.new(): 1}),
    "update_config": lambda w: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=3)),
    "create_squad and delete_squad": make_and_delete,
    "update_squad": lambda w: squad_ops.update_squad(
        GUILD, w.squads[0].id, SquadUpdate(description="Night")
    ),
    "join_squad": lambda w: squad_ops.join_squad(GUILD, w.new(), w.squads[0].id),
    "switch_squad": move_and_back,
    "leave_squad and join_squad": leave_and_come_back,
}
READS: dict[str, Act] = {
    "get_balance": lambda w: bytes_ops.get_balance(GUILD, ALICE),
    "get_leaderboard": lambda w: bytes_ops.get_leaderboard(GUILD),
    "get_rank": lambda w: bytes_ops.get_rank(GUILD, ALICE),
    "get_transaction_history": lambda w: bytes_ops.get_transaction_history(GUILD),
    "get_transaction_history of a member": lambda w: bytes_ops.get_transaction_history(
        GUILD, ALICE
    ),
    "get_earned_roles": lambda w: bytes_ops.get_earned_roles(GUILD, ALICE),
    "get_config": lambda w: bytes_ops.get_config(GUILD),
    "verify": lambda w: bytes_ops.verify(GUILD),
    "get_squad": lambda w: squad_ops.get_squad(GUILD, w.squads[0].id),
    "get_guild_squads": lambda w: squad_ops.get_guild_squads(GUILD),
    "get_user_squad": lambda w: squad_ops.get_user_squad(GUILD, BOB),
    "get_squad_members": lambda w: squad_ops.get_squad_members(GUILD, w.squads[0].id),
    "get_squad_leaderboard": lambda w: squad_ops.get_squad_leaderboard(GUILD),
}


@pytest.fixture
async def direct(migrated_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Connect beside the package to a database that only this test uses."""
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


async def test_operations_work_at_once_after_alter_table(
    migrated_url: str, direct: asyncpg.Connection[Any]
) -> None:
    """Each operation, its statements prepared, works after somebody's ADD COLUMN to each table."""
    await bytes_squads.init(f"{migrated_url}&maxsize=1")
    try:
        world = await open_world()
        failed: dict[str, Exception] = {}
        slow: dict[str, float] = {}
        for number, (name, act) in enumerate({**WRITES, **READS}.items()):
            for _ in range(2):
                await act(world)
            for table in TABLES:
                await direct.execute(f"ALTER TABLE {table} ADD COLUMN host_{number} TEXT")
            started = time.monotonic()
            try:
                await act(world)
            except StorageUnavailableError as error:
                failed[name] = error
            if (took := time.monotonic() - started) > AT_ONCE:
                slow[name] = took
        report = await bytes_ops.verify(GUILD)
    finally:
        await bytes_squads.close()
    assert failed == {}
    assert slow == {}
    assert report.ok


async def test_writes_to_a_read_only_database_fail_at_once(
    migrated_url: str, direct: asyncpg.Connection[Any]
) -> None:
    """Each write to a read-only database is one clear error, not after retries; reads work."""
    await bytes_squads.init(migrated_url)
    name = urlsplit(migrated_url).path.removeprefix("/")
    try:
        world = await open_world()
        await direct.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await bytes_squads.init(migrated_url)
        answers: dict[str, str] = {}
        slow: dict[str, float] = {}
        for operation, act in WRITES.items():
            started = time.monotonic()
            try:
                await act(world)
            except StorageUnavailableError as error:
                answers[operation] = str(error)
            if (took := time.monotonic() - started) > AT_ONCE:
                slow[operation] = took
        for act in READS.values():
            await act(world)
    finally:
        await bytes_squads.close()
    assert answers.keys() == WRITES.keys()
    assert [text for text in answers.values() if "read-only" not in text] == []
    assert slow == {}
