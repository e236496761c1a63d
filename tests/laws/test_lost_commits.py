"""A lost COMMIT during concurrent changes of the same rows: the answer is right, or unknown.

The relay loses the COMMIT, or its answer. Before the engine can look at the database on a new
connection, another task does something that looks like the lost transaction, or undoes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from helpers.citus import ON_CITUS
from helpers.engine_settings import set_timeout
from helpers.outcomes import DONE, FAILED, UNKNOWN, open_through_relay, outcome_of
from helpers.postgres_relay import PostgresRelay

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    GuildOperations,
    Squad,
    SquadCreate,
    SquadOperations,
    SquadUpdate,
    in_transaction,
)

pytestmark = pytest.mark.postgres

GUILD, ALICE, BOB, NEW = 1, 11, 12, 13
REHEARSALS = range(101, 104)
COMMIT = b"COMMIT;"
LONG = 60.0 if ON_CITUS else 20.0
"""Seconds after which an operation hangs."""

bytes_ops, squad_ops, guild_ops = BytesOperations(), SquadOperations(), GuildOperations()


@dataclass
class World:
    """A guild behind a relay, with a table of the caller's, and a connection beside the relay."""

    relay: PostgresRelay
    direct: asyncpg.Connection[Any]
    free: Squad
    other: Squad


@pytest.fixture
async def world(copied_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Open the database through a relay; Bob is in one of two free squads, claims pay nothing."""
    set_timeout(monkeypatch, "retry_deadline", 12.0 if ON_CITUS else 2.0)
    direct = await asyncpg.connect(copied_url)
    await direct.execute("CREATE TABLE host_notes (text TEXT)")
    try:
        async with open_through_relay(copied_url) as relay:
            await bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=0))
            await bytes_ops.grant_many(GUILD, dict.fromkeys([ALICE, BOB, *REHEARSALS], 1_000))
            free, other = [
                await squad_ops.create_squad(
                    SquadCreate(guild_id=GUILD, role_id=role, name="Owls", switch_cost=0)
                )
                for role in (7, 8)
            ]
            await squad_ops.join_squad(GUILD, BOB, free.id)
            yield World(relay, direct, free, other)
    finally:
        await direct.execute("DROP TABLE host_notes")
        await direct.close()


Act = Callable[[World], Awaitable[Any]]

LOOK_ALIKES: dict[str, tuple[Act, Act]] = {
    "get_balance": (
        lambda w: bytes_ops.get_balance(GUILD, NEW),
        lambda w: bytes_ops.get_balance(GUILD, NEW),
    ),
    "get_balance, granted by somebody": (
        lambda w: bytes_ops.get_balance(GUILD, NEW),
        lambda w: bytes_ops.grant(GUILD, NEW, 1),
    ),
    "leave_squad": (
        lambda w: squad_ops.leave_squad(GUILD, BOB),
        lambda w: squad_ops.leave_squad(GUILD, BOB),
    ),
    "leave_squad, deleted by somebody": (
        lambda w: squad_ops.leave_squad(GUILD, BOB),
        lambda w: squad_ops.delete_squad(GUILD, w.free.id),
    ),
    "delete_squad": (
        lambda w: squad_ops.delete_squad(GUILD, w.other.id),
        lambda w: squad_ops.delete_squad(GUILD, w.other.id),
    ),
    "claim_daily": (
        lambda w: bytes_ops.claim_daily(GUILD, ALICE),
        lambda w: bytes_ops.claim_daily(GUILD, ALICE),
    ),
    "join_squad": (
        lambda w: squad_ops.join_squad(GUILD, ALICE, w.free.id),
        lambda w: squad_ops.join_squad(GUILD, ALICE, w.free.id),
    ),
    "switch_squad": (
        lambda w: squad_ops.switch_squad(GUILD, BOB, w.other.id),
        lambda w: squad_ops.switch_squad(GUILD, BOB, w.other.id),
    ),
    "update_config": (
        lambda w: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=5)),
        lambda w: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=5)),
    ),
    "set_member_left": (
        lambda w: guild_ops.set_member_left(GUILD, ALICE),
        lambda w: guild_ops.set_member_left(GUILD, ALICE),
    ),
    "set_member_left, in a squad": (
        lambda w: guild_ops.set_member_left(GUILD, BOB),
        lambda w: guild_ops.set_member_left(GUILD, BOB),
    ),
    "update_squad": (
        lambda w: squad_ops.update_squad(GUILD, w.free.id, SquadUpdate(name="Bees")),
        lambda w: squad_ops.update_squad(GUILD, w.free.id, SquadUpdate(name="Bees")),
    ),
    "erase_member": (
        lambda w: guild_ops.erase_member(GUILD, BOB),
        lambda w: guild_ops.erase_member(GUILD, BOB),
    ),
    "delete_guild": (
        lambda w: guild_ops.delete_guild(GUILD),
        lambda w: guild_ops.delete_guild(GUILD),
    ),
}
"""The operation in the lost block, and a concurrent one."""


@pytest.mark.parametrize("name", LOOK_ALIKES)
async def test_block_is_not_committed_by_an_entry_of_another_request(
    name: str, world: World
) -> None:
    """A caller's block that was rolled back is not found to be committed by another row."""
    lost, similar = LOOK_ALIKES[name]

    async def block() -> None:
        async with in_transaction() as db:
            await db.execute_query("INSERT INTO host_notes VALUES ('mine')")
            await lost(world)

    caught = world.relay.hold_requests(COMMIT)
    task = asyncio.create_task(block())
    async with asyncio.timeout(LONG):
        link = await caught
        world.relay.pause_connecting()
        link.cut()
        await similar(world)
        world.relay.resume_connecting()
        outcome = await outcome_of(task)
    notes = await world.direct.fetchval("SELECT count(*) FROM host_notes")
    assert notes == 0
    assert outcome in {FAILED, UNKNOWN}


async def lose_answer(
    world: World, rehearse: Callable[[int], Awaitable[Any]], act: Act, then: Act
) -> str:
    """Do something, lose the answer to its last round trip, and do something else in between.

    Args:
        world: The world.
        rehearse: Does the same for another member, to count the round trips.
        act: What is done, and committed.
        then: The next, concurrent change.

    Returns:
        The caller's result.
    """
    trips = 0
    for rehearsal in REHEARSALS:
        trips = world.relay.round_trips
        await rehearse(rehearsal)
        trips = world.relay.round_trips - trips
    caught = world.relay.hold_answers(trips)
    task = asyncio.create_task(outcome_of(act(world)))
    async with asyncio.timeout(LONG):
        link = await caught
        world.relay.pause_connecting()
        link.cut()
        await then(world)
        world.relay.resume_connecting()
        return await task


async def test_claim_daily_that_pays_nothing_with_a_lost_answer_is_not_refused(
    world: World,
) -> None:
    """An unpaid claim whose answer was lost is not refused as already claimed."""
    outcome = await lose_answer(
        world,
        lambda member: bytes_ops.claim_daily(GUILD, member),
        lambda w: bytes_ops.claim_daily(GUILD, ALICE),
        lambda w: bytes_ops.grant(GUILD, ALICE, 1),
    )
    claimed = await world.direct.fetchval(
        "SELECT count(*) FROM bytes_balances WHERE user_id = $1 AND last_daily IS NOT NULL",
        str(ALICE),
    )
    assert claimed == 1
    assert outcome in {DONE, UNKNOWN}


async def test_join_squad_for_free_is_not_repeated_after_a_leave(world: World) -> None:
    """A join whose answer was lost is not repeated after the member has left."""
    outcome = await lose_answer(
        world,
        lambda member: squad_ops.join_squad(GUILD, member, world.free.id),
        lambda w: squad_ops.join_squad(GUILD, ALICE, w.free.id),
        lambda w: squad_ops.leave_squad(GUILD, ALICE),
    )
    assert await squad_ops.get_user_squad(GUILD, ALICE) is None
    assert outcome in {DONE, UNKNOWN}


async def test_leave_squad_is_not_repeated_after_another_join(world: World) -> None:
    """A leave whose answer was lost is not repeated after the member has joined again."""
    for member in REHEARSALS:
        await squad_ops.join_squad(GUILD, member, world.free.id)
    outcome = await lose_answer(
        world,
        lambda member: squad_ops.leave_squad(GUILD, member),
        lambda w: squad_ops.leave_squad(GUILD, BOB),
        lambda w: squad_ops.join_squad(GUILD, BOB, w.other.id),
    )
    squad = await squad_ops.get_user_squad(GUILD, BOB)
    assert squad is not None
    assert squad.id == world.other.id
    assert outcome in {DONE, UNKNOWN}


async def test_update_config_is_not_repeated_over_a_newer_change(world: World) -> None:
    """A change whose answer was lost is not written over a later one."""
    outcome = await lose_answer(
        world,
        lambda member: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=member)),
        lambda w: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=5)),
        lambda w: bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=7)),
    )
    assert (await bytes_ops.get_config(GUILD)).daily_amount == 7
    assert outcome in {DONE, UNKNOWN}


async def test_update_squad_is_not_repeated_over_a_newer_change(world: World) -> None:
    """A squad's change whose answer was lost is not written over a later one."""
    outcome = await lose_answer(
        world,
        lambda member: squad_ops.update_squad(GUILD, world.free.id, SquadUpdate(name=str(member))),
        lambda w: squad_ops.update_squad(GUILD, w.free.id, SquadUpdate(name="Mine")),
        lambda w: squad_ops.update_squad(GUILD, w.free.id, SquadUpdate(name="Theirs")),
    )
    assert (await squad_ops.get_squad(GUILD, world.free.id)).name == "Theirs"
    assert outcome in {DONE, UNKNOWN}


async def test_delete_squad_with_a_lost_answer_is_not_refused(world: World) -> None:
    """A deletion whose answer was lost does not end in SquadNotFoundError."""
    squads = iter(
        [
            await squad_ops.create_squad(SquadCreate(guild_id=GUILD, role_id=role, name="Ants"))
            for role in REHEARSALS
        ]
    )
    outcome = await lose_answer(
        world,
        lambda member: squad_ops.delete_squad(GUILD, next(squads).id),
        lambda w: squad_ops.delete_squad(GUILD, w.other.id),
        lambda w: squad_ops.create_squad(SquadCreate(guild_id=GUILD, role_id=8, name="New")),
    )
    assert outcome in {DONE, UNKNOWN}


async def test_delete_guild_is_not_repeated_over_a_new_guild(world: World) -> None:
    """A deletion whose answer was lost does not delete a guild that was begun since."""
    for member in REHEARSALS:
        await bytes_ops.grant(member, ALICE, 1)
    outcome = await lose_answer(
        world,
        guild_ops.delete_guild,
        lambda w: guild_ops.delete_guild(GUILD),
        lambda w: bytes_ops.grant(GUILD, NEW, 7),
    )
    assert await world.direct.fetch("SELECT user_id, balance FROM bytes_balances") == [
        (str(NEW), 107)
    ]
    assert outcome == DONE


async def test_delete_guild_of_squads_only_has_an_unknown_outcome(world: World) -> None:
    """A missing squad may have been deleted alone, so the outcome is unknown."""
    for guild in (*REHEARSALS, NEW):
        await squad_ops.create_squad(SquadCreate(guild_id=guild, role_id=7, name="Ants"))
    outcome = await lose_answer(
        world,
        guild_ops.delete_guild,
        lambda w: guild_ops.delete_guild(NEW),
        lambda w: squad_ops.create_squad(SquadCreate(guild_id=NEW, role_id=7, name="Bees")),
    )
    assert await world.direct.fetchval("SELECT name FROM squads WHERE guild_id = $1", str(NEW))
    assert outcome == UNKNOWN


@pytest.mark.parametrize("new", [ALICE, NEW])
async def test_erase_member_is_not_repeated_over_a_new_member(world: World, new: int) -> None:
    """A member who comes back after the lost answer stays; the pseudonym is the stored one."""
    answers = []
    outcome = await lose_answer(
        world,
        lambda member: guild_ops.erase_member(GUILD, member),
        lambda w: note(answers, guild_ops.erase_member(GUILD, ALICE)),
        lambda w: bytes_ops.grant(GUILD, new, 7),
    )
    balances = dict(await world.direct.fetch("SELECT user_id, balance FROM bytes_balances"))
    assert balances[str(new)] == 107
    assert [balances.get(answer) for answer in answers] == [0]
    assert outcome == DONE


async def note(answers: list[Any], work: Awaitable[Any]) -> None:
    """Append the result of the work to a list."""
    answers.append(await work)
