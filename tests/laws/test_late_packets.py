"""Packets that reach PostgreSQL after their sender has given up: what was answered stays true.

A relay holds the packet, the client's connection breaks, the operation ends somehow; then the
packet is delivered to the server process that still waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD, make_transfer
from helpers.engine_settings import set_timeout
from helpers.outcomes import DONE, FAILED, UNKNOWN, open_through_relay, outcome_of
from helpers.postgres_relay import Link, PostgresRelay

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    Squad,
    SquadCreate,
    SquadOperations,
    in_transaction,
)

pytestmark = pytest.mark.postgres

REHEARSALS = range(101, 104)
ARRIVAL = 0.3
"""Seconds in which a server executes a packet that has been delivered."""
COMMIT = b"COMMIT;"
"""What a packet with a COMMIT contains; BEGIN names READ COMMITTED."""
LONG = 20.0
"""Seconds after which an operation hangs."""


@pytest.fixture
def backend() -> str:
    """Return the database that has a network: PostgreSQL."""
    return "postgres"


@dataclass
class World:
    """A guild behind a relay, and a connection to its database beside the relay."""

    relay: PostgresRelay
    direct: asyncpg.Connection[Any]
    squad: Squad

    async def count_entries(self) -> int:
        """Return the number of ledger rows."""
        return int(await self.direct.fetchval("SELECT count(*) FROM bytes_transactions"))


@pytest.fixture
def hides_pids() -> bool:
    """Return whether the relay shows other process ids than the server's."""
    return False


through_pooler = pytest.mark.parametrize("hides_pids", [True])


@pytest.fixture
async def world(
    copied_url: str, hides_pids: bool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Open the database through a relay; members and a squad that costs 5 are there."""
    set_timeout(monkeypatch, "retry_deadline", 1.0)
    options = "&command_timeout=0.5"
    async with open_through_relay(copied_url, options, hides_pids=hides_pids) as relay:
        direct = await asyncpg.connect(copied_url)
        await BytesOperations().update_config(GUILD, BytesConfigUpdate(max_transfer=10**6))
        members = [ALICE, BOB, *REHEARSALS]
        await BytesOperations().grant_many(GUILD, dict.fromkeys(members, 1_000))
        squad = await SquadOperations().create_squad(
            SquadCreate(guild_id=GUILD, role_id=7, name="Owls", switch_cost=5)
        )
        yield World(relay, direct, squad)
        await direct.close()


Act = Callable[[World, int, str | None], Awaitable[Any]]
ACTS: dict[str, tuple[Act, int]] = {
    "grant": (lambda w, who, key: BytesOperations().grant(GUILD, who, 1, idempotency_key=key), 1),
    "charge": (lambda w, who, key: BytesOperations().charge(GUILD, who, 1, idempotency_key=key), 1),
    "create_transaction": (
        lambda w, who, key: BytesOperations().create_transaction(
            make_transfer(who, idempotency_key=key)
        ),
        1,
    ),
    "claim_daily": (
        lambda w, who, key: BytesOperations().claim_daily(GUILD, who, idempotency_key=key),
        1,
    ),
    "grant_many": (
        lambda w, who, key: BytesOperations().grant_many(
            GUILD, {who: 1, BOB: 1}, idempotency_key=key
        ),
        2,
    ),
    "join_squad": (
        lambda w, who, key: SquadOperations().join_squad(
            GUILD, who, w.squad.id, idempotency_key=key
        ),
        1,
    ),
}
"""What is done by whom, with which key, and how many ledger rows it writes."""


async def lose_request(world: World, work: Awaitable[Any], containing: bytes) -> Link | None:
    """Start the work; hold a packet of it and break its client's connection.

    Returns:
        The connection whose packet is held; None when the work ended without such a packet.
    """
    caught = world.relay.hold_requests(containing)
    task = asyncio.ensure_future(work)
    await asyncio.wait([caught, task], return_when=asyncio.FIRST_COMPLETED)
    if not caught.done():
        world.relay.pass_all()
        return None
    link = caught.result()
    link.break_client()
    return link


async def arrive(link: Link | None) -> None:
    """Deliver the packet that was held, and give the server time to execute it."""
    if link is not None:
        await link.deliver()
        await asyncio.sleep(ARRIVAL)


async def fail_and_deliver(world: World, name: str) -> tuple[str, float]:
    """Lose the first packet of an operation on Alice's row, which somebody else has locked.

    Because of the lock no other attempt succeeds before the packet is delivered.

    Returns:
        What the caller was told, and how often the operation has happened in the end.
    """
    act, written = ACTS[name]
    for rehearsal in REHEARSALS:
        await act(world, rehearsal, None)
    before = await world.count_entries()
    lock = world.direct.transaction()
    await lock.start()
    await world.direct.execute(
        "SELECT 1 FROM bytes_balances WHERE guild_id = $1 AND user_id = $2 FOR UPDATE",
        str(GUILD),
        str(ALICE),
    )
    work = asyncio.ensure_future(act(world, ALICE, None))
    link = await lose_request(world, work, b"")
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await lock.rollback()
    await arrive(link)
    return outcome, (await world.count_entries() - before) / written


@pytest.mark.parametrize("name", ACTS)
async def test_operation_that_failed_never_happens_later(name: str, world: World) -> None:
    """An operation that ends with StorageUnavailableError has no effect when its packet arrives."""
    assert await fail_and_deliver(world, name) == (FAILED, 0)


@through_pooler
@pytest.mark.parametrize("name", ["grant", "join_squad"])
async def test_operation_through_a_pooler_never_guesses(name: str, world: World) -> None:
    """Where the server's process is unknown, an operation is not said to have failed for good."""
    outcome, happened = await fail_and_deliver(world, name)
    assert (outcome, happened) in {(FAILED, 0), (UNKNOWN, 0), (UNKNOWN, 1)}


@pytest.mark.parametrize("packet", [b"", COMMIT], ids=["first packet", "COMMIT"])
@pytest.mark.parametrize("name", ACTS)
async def test_operation_whose_packet_arrives_late_happens_once(
    name: str, packet: bytes, world: World
) -> None:
    """An operation is tried again after its packet was lost, and the late packet does nothing."""
    act, written = ACTS[name]
    for rehearsal in REHEARSALS:
        await act(world, rehearsal, None)
    before = await world.count_entries()
    work = asyncio.ensure_future(act(world, ALICE, None))
    link = await lose_request(world, work, packet)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    answered = (await world.count_entries() - before) / written
    await arrive(link)
    happened = (await world.count_entries() - before) / written
    assert (outcome, answered, happened) == (DONE, 1, 1)


@through_pooler
@pytest.mark.parametrize("packet", [b"", COMMIT], ids=["first packet", "COMMIT"])
@pytest.mark.parametrize("name", ["grant", "join_squad"])
async def test_operation_through_a_pooler_is_repeated_by_its_key(
    name: str, packet: bytes, world: World
) -> None:
    """Whatever was said of an operation with a key, and whenever its packet arrives, it is once."""
    act, written = ACTS[name]
    for rehearsal in REHEARSALS:
        await act(world, rehearsal, f"rehearsal {rehearsal}")
    before = await world.count_entries()
    work = asyncio.ensure_future(act(world, ALICE, "click"))
    link = await lose_request(world, work, packet)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await arrive(link)
    happened = (await world.count_entries() - before) / written
    await act(world, ALICE, "click")
    assert (outcome, happened) in {(FAILED, 0), (DONE, 1), (UNKNOWN, 0), (UNKNOWN, 1)}
    assert (await world.count_entries() - before) / written == 1


async def lose_commit_of_a_block(world: World) -> tuple[str, int]:
    """Lose the COMMIT of a caller's block with two grants, and deliver it afterwards.

    Returns:
        What the caller was told, and how many grants there are in the end.
    """

    async def block() -> None:
        async with in_transaction():
            await BytesOperations().grant(GUILD, ALICE, 1)
            await BytesOperations().grant(GUILD, BOB, 1)

    before = await world.count_entries()
    work = asyncio.ensure_future(block())
    link = await lose_request(world, work, COMMIT)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await arrive(link)
    return outcome, await world.count_entries() - before


async def test_block_whose_commit_arrives_late_stays_undone(world: World) -> None:
    """A caller's block that failed is not committed by a COMMIT that arrives later."""
    assert await lose_commit_of_a_block(world) == (FAILED, 0)


@through_pooler
async def test_block_through_a_pooler_never_guesses(world: World) -> None:
    """Where the server's process is unknown, the outcome of a lost COMMIT is unknown as well."""
    outcome, _ = await lose_commit_of_a_block(world)
    assert outcome == UNKNOWN
