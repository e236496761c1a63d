"""Packets that reach PostgreSQL after the operation has ended change nothing.

A relay holds the packet, the client's connection breaks, the operation ends somehow; then the
packet is delivered to the server process that still waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD
from helpers.citus import ON_CITUS
from helpers.engine_settings import set_timeout
from helpers.operations_table import KNOWN, OPERATIONS, Member, World, create_world
from helpers.outcomes import DONE, FAILED, UNKNOWN, open_through_relay, outcome_of
from helpers.postgres_relay import Link, PostgresRelay

from bytes_squads import (
    BytesOperations,
    SquadOperations,
    in_transaction,
)

pytestmark = pytest.mark.postgres

REHEARSALS = KNOWN[:3]
ARRIVAL = 0.3
"""Seconds in which a server executes a packet that has been delivered."""
COMMIT = b"COMMIT;"
"""What a packet with a COMMIT contains; BEGIN names READ COMMITTED."""
LONG = 60.0 if ON_CITUS else 20.0
"""Seconds after which an operation hangs."""


@dataclass
class RelayedGuild:
    """A guild behind a relay, and a connection to its database beside the relay."""

    relay: PostgresRelay
    direct: asyncpg.Connection[Any]
    guild: World

    async def count_entries(self) -> int:
        """Return the number of ledger rows."""
        return int(await self.direct.fetchval("SELECT count(*) FROM bytes_transactions"))


@pytest.fixture
def hides_pids() -> bool:
    """Return whether the relay shows other process ids than the server's."""
    return False


through_pooler = pytest.mark.parametrize("hides_pids", [True])


@pytest.fixture
async def relayed(
    copied_url: str, hides_pids: bool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RelayedGuild]:
    """Open the database through a relay, with the guild of the table of operations."""
    set_timeout(monkeypatch, "retry_deadline", 12.0 if ON_CITUS else 1.0)
    options = f"&command_timeout={8 if ON_CITUS else 0.5}"
    async with open_through_relay(copied_url, options, hides_pids=hides_pids) as relay:
        direct = await asyncpg.connect(copied_url)
        guild = await create_world(BytesOperations(), SquadOperations())
        yield RelayedGuild(relay, direct, guild)
        await direct.close()


LEDGER_OPERATIONS = [name for name, item in OPERATIONS.items() if item.writes_ledger]
WAITING = [
    name for name in LEDGER_OPERATIONS if "bytes_balances" in (OPERATIONS[name].writes or {})
]
"""Operations that wait for the lock of a member's balance."""


async def rehearse(relayed: RelayedGuild, name: str, member: Member, key: str | None = None) -> int:
    """Prepare an operation's statements, and all that the member needs for it.

    Returns:
        How many ledger rows the operation writes.
    """
    operation = OPERATIONS[name]
    for rehearsal in REHEARSALS:
        await operation.get_ready(relayed.guild, rehearsal)
        await operation.run(relayed.guild, rehearsal, key and f"rehearsal {rehearsal}")
    await operation.get_ready(relayed.guild, member)
    return (operation.writes or {})["bytes_transactions"]


async def lose_request(
    relayed: RelayedGuild, work: Awaitable[Any], containing: bytes
) -> Link | None:
    """Start the work; hold a packet of it and break its client's connection.

    Returns:
        The connection whose packet is held; None when the work ended without such a packet.
    """
    caught = relayed.relay.hold_requests(containing)
    task = asyncio.ensure_future(work)
    await asyncio.wait([caught, task], return_when=asyncio.FIRST_COMPLETED)
    if not caught.done():
        relayed.relay.pass_all()
        return None
    link = caught.result()
    link.break_client()
    return link


async def arrive(link: Link | None) -> None:
    """Deliver the packet that was held, and give the server time to execute it."""
    if link is not None:
        await link.deliver()
        await asyncio.sleep(ARRIVAL)


async def fail_and_deliver(relayed: RelayedGuild, name: str) -> tuple[str, float]:
    """Lose the first packet of an operation on Alice's row, which is locked.

    The lock delays other attempts until the packet is delivered.

    Returns:
        The caller's result, and how often the operation has happened in the end.
    """
    written = await rehearse(relayed, name, ALICE)
    before = await relayed.count_entries()
    lock = relayed.direct.transaction()
    await lock.start()
    await relayed.direct.execute(
        "SELECT 1 FROM bytes_balances WHERE guild_id = $1 AND user_id = $2 FOR UPDATE",
        str(GUILD),
        str(ALICE),
    )
    work = asyncio.ensure_future(OPERATIONS[name].run(relayed.guild, ALICE))
    link = await lose_request(relayed, work, b"")
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await lock.rollback()
    await arrive(link)
    return outcome, (await relayed.count_entries() - before) / written


@pytest.mark.parametrize("name", WAITING)
async def test_operation_that_failed_never_happens_later(name: str, relayed: RelayedGuild) -> None:
    """An operation that ends with StorageUnavailableError has no effect when its packet arrives."""
    assert await fail_and_deliver(relayed, name) == (FAILED, 0)


@through_pooler
@pytest.mark.parametrize("name", ["grant", "join_squad"])
async def test_operation_through_a_pooler_has_an_unknown_outcome(
    name: str, relayed: RelayedGuild
) -> None:
    """If the server's process is unknown, the operation ends in OutcomeUnknownError."""
    outcome, happened = await fail_and_deliver(relayed, name)
    assert (outcome, happened) in {(FAILED, 0), (UNKNOWN, 0), (UNKNOWN, 1)}


@pytest.mark.parametrize("packet", [b"", COMMIT], ids=["first packet", "COMMIT"])
@pytest.mark.parametrize("name", LEDGER_OPERATIONS)
async def test_operation_whose_packet_arrives_late_happens_once(
    name: str, packet: bytes, relayed: RelayedGuild
) -> None:
    """An operation is retried after its packet was lost, and the late packet has no effect."""
    written = await rehearse(relayed, name, ALICE)
    before = await relayed.count_entries()
    work = asyncio.ensure_future(OPERATIONS[name].run(relayed.guild, ALICE))
    link = await lose_request(relayed, work, packet)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    answered = (await relayed.count_entries() - before) / written
    await arrive(link)
    happened = (await relayed.count_entries() - before) / written
    assert (outcome, answered, happened) == (DONE, 1, 1)


@through_pooler
@pytest.mark.parametrize("packet", [b"", COMMIT], ids=["first packet", "COMMIT"])
@pytest.mark.parametrize("name", ["grant", "join_squad"])
async def test_operation_through_a_pooler_is_repeated_by_its_key(
    name: str, packet: bytes, relayed: RelayedGuild
) -> None:
    """An operation repeated with its key happens once, whenever its packet arrives."""
    written = await rehearse(relayed, name, ALICE, "click")
    before = await relayed.count_entries()
    work = asyncio.ensure_future(OPERATIONS[name].run(relayed.guild, ALICE, "click"))
    link = await lose_request(relayed, work, packet)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await arrive(link)
    happened = (await relayed.count_entries() - before) / written
    await OPERATIONS[name].run(relayed.guild, ALICE, "click")
    assert (outcome, happened) in {(FAILED, 0), (DONE, 1), (UNKNOWN, 0), (UNKNOWN, 1)}
    assert (await relayed.count_entries() - before) / written == 1


async def lose_commit_of_a_block(relayed: RelayedGuild) -> tuple[str, int]:
    """Lose the COMMIT of a caller's block with two grants, and deliver it afterwards.

    Returns:
        The caller's result, and the number of grants in the end.
    """

    async def block() -> None:
        async with in_transaction():
            await BytesOperations().grant(GUILD, ALICE, 1)
            await BytesOperations().grant(GUILD, BOB, 1)

    before = await relayed.count_entries()
    work = asyncio.ensure_future(block())
    link = await lose_request(relayed, work, COMMIT)
    async with asyncio.timeout(LONG):
        outcome = await outcome_of(work)
    await arrive(link)
    return outcome, await relayed.count_entries() - before


async def test_block_whose_commit_arrives_late_stays_undone(relayed: RelayedGuild) -> None:
    """A caller's block that failed is not committed by a COMMIT that arrives later."""
    assert await lose_commit_of_a_block(relayed) == (FAILED, 0)


@through_pooler
async def test_block_through_a_pooler_has_an_unknown_outcome(relayed: RelayedGuild) -> None:
    """If the server's process is unknown, a lost COMMIT is OutcomeUnknownError."""
    outcome, _ = await lose_commit_of_a_block(relayed)
    assert outcome == UNKNOWN
