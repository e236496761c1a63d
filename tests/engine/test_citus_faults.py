"""Nodes of Citus that crash under load: each acknowledged grant is there once.

`BYTES_SQUADS_TEST_CITUS_CONTROL` names a program that crashes and starts nodes. It is called with
``kill`` or ``restart``, and the node's address.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field

import asyncpg
import pytest
from helpers import Database
from helpers.citus import CitusServer

from bytes_squads import BytesOperations, OutcomeUnknownError, StorageUnavailableError

CONTROL_VARIABLE = "BYTES_SQUADS_TEST_CITUS_CONTROL"

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        not os.environ.get(CONTROL_VARIABLE),
        reason=f"without Citus: {CONTROL_VARIABLE} does not say how to crash a node",
    ),
]

GUILDS = range(1, 21)
CLIENTS = 8
GRANTS_BEFORE = 60
SECONDS_DOWN, SECONDS_AFTER = 2.0, 12.0


@pytest.fixture
def backend() -> str:
    """Only PostgreSQL can be distributed."""
    return "postgres"


@dataclass
class Outcomes:
    """The results of grants, by the reason that identifies each."""

    done: set[str] = field(default_factory=set)
    nothing: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    longest: float = 0.0
    ended: bool = False


async def control(action: str, address: str) -> None:
    """Crash or start a node."""
    process = await asyncio.create_subprocess_exec(
        os.environ[CONTROL_VARIABLE], action, address, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def grant_until_ended(client: int, outcomes: Outcomes, bytes_ops: BytesOperations) -> None:
    """Grant one byte after another, to known and to new members, in all guilds."""
    number = 0
    while not outcomes.ended:
        number += 1
        guild = GUILDS[(number * CLIENTS + client) % len(GUILDS)]
        member = 1 + number % 7 if number % 10 else 1_000_000 + number * CLIENTS + client
        mark, begin = f"{client}/{number}", time.monotonic()
        try:
            await bytes_ops.grant(guild, member, 1, reason=mark)
            outcomes.done.add(mark)
        except OutcomeUnknownError:
            outcomes.unknown.add(mark)
        except StorageUnavailableError:
            outcomes.nothing.add(mark)
        outcomes.longest = max(outcomes.longest, time.monotonic() - begin)


@pytest.mark.parametrize("node", ["worker", "coordinator"])
async def test_grants_happen_once_while_a_node_crashes(
    node: str, db: Database, bytes_ops: BytesOperations, postgres_server: CitusServer
) -> None:
    """A node that is killed and restarted loses no acknowledged grant, and adds none."""
    place = postgres_server.workers[0] if node == "worker" else postgres_server.coordinator
    address = "{}:{}".format(*place)
    outcomes = Outcomes()
    work = [
        asyncio.create_task(grant_until_ended(client, outcomes, bytes_ops))
        for client in range(CLIENTS)
    ]
    try:
        while len(outcomes.done) < GRANTS_BEFORE:  # noqa: ASYNC110  # tasks count them
            await asyncio.sleep(0.1)
        before = len(outcomes.done)
        await control("kill", address)
        await asyncio.sleep(SECONDS_DOWN)
        await control("restart", address)
        await asyncio.sleep(SECONDS_AFTER)
    finally:
        outcomes.ended = True
        await asyncio.gather(*work)

    for _ in range(30):  # until the server has recovered what was prepared
        report = await BytesOperations().verify()
        if report.ok:
            break
        await asyncio.sleep(1)
    connection = await asyncpg.connect(db.url)
    rows = await connection.fetch("SELECT reason FROM bytes_transactions WHERE kind = 'grant'")
    await connection.close()
    found = Counter(row["reason"] for row in rows)
    print(
        f"{node}: {before} grants before, {len(outcomes.done)} in all, {len(outcomes.nothing)} did"
        f" not happen, {len(outcomes.unknown)} unknown; longest wait {outcomes.longest:.1f} s"
    )
    assert report.ok
    assert max(found.values()) == 1
    assert outcomes.done - found.keys() == set()
    assert outcomes.nothing & found.keys() == set()
    assert found.keys() - outcomes.done - outcomes.unknown == set()
    assert len(outcomes.done) > before
