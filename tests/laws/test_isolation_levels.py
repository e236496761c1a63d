"""Races of all operations with other default isolation levels than READ COMMITTED.

Each race runs on this package's pool and on a host's own Tortoise pool, which sets nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD, make_transfer, read_rows
from helpers.assertions import naming
from helpers.operations_table import KEY_CASES, count_changes, create_world
from tortoise.context import TortoiseContext, set_global_context

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    SquadCreate,
    SquadOperations,
    in_transaction,
)

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.usefixtures("opened"),
    pytest.mark.parametrize("level", ["repeatable read", "serializable"]),
]

MEMBERS = range(20, 40)
LONG = 30.0
"""Seconds after which a race hangs."""

bytes_ops, squad_ops = BytesOperations(), SquadOperations()


@asynccontextmanager
async def host_pool(url: str) -> AsyncIterator[None]:
    """Open the database with a separate Tortoise config."""
    parts = urlsplit(url)
    credentials = {
        "host": parse_qs(parts.query).get("host", [parts.hostname])[0],
        "port": parts.port or 5432,
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.removeprefix("/"),
        "minsize": 1,
        "maxsize": 10,
    }
    config = {
        "connections": {
            "isolation_host": {
                "engine": "tortoise.backends.asyncpg",
                "credentials": credentials,
            }
        },
        "apps": {
            "bytes_squads": {
                "models": ["bytes_squads.models"],
                "default_connection": "isolation_host",
            }
        },
    }
    async with TortoiseContext() as context:
        await context.init(config=config)
        set_global_context(context)
        yield


@pytest.fixture(params=["own pool", "host's pool"])
async def opened(
    copied_url: str, level: str, request: pytest.FixtureRequest
) -> AsyncIterator[None]:
    """Open the database with this isolation level as its default."""
    name = urlsplit(copied_url).path.removeprefix("/")
    server = await asyncpg.connect(copied_url)
    await server.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    try:
        if request.param == "own pool":
            await bytes_squads.init(copied_url)
            yield
            await bytes_squads.close()
        else:
            async with host_pool(copied_url):
                yield
    finally:
        await server.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
        await server.close()


async def race(calls: Iterable[Awaitable[Any]]) -> Counter[str]:
    """Make the calls concurrently and count the results: ``done``, or the error."""
    async with asyncio.timeout(LONG):
        results = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(
        type(result).__name__ if isinstance(result, BaseException) else "done" for result in results
    )


async def test_in_transaction_names_its_isolation_level() -> None:
    """A block is at READ COMMITTED, and the server ends it when it sends nothing for 30 seconds."""
    async with in_transaction() as db:
        rows = [
            await db.execute_query_dict(f"SHOW {setting}")
            for setting in ("transaction_isolation", "idle_in_transaction_session_timeout")
        ]
    assert [list(row[0].values()) for row in rows] == [["read committed"], ["30s"]]


async def test_join_squad_seats_as_many_as_there_are_seats() -> None:
    """Twenty members at once join a squad with one seat: one is in it."""
    await bytes_ops.grant_many(GUILD, dict.fromkeys(MEMBERS, 1_000))
    squad = await squad_ops.create_squad(
        SquadCreate(guild_id=GUILD, role_id=7, name="Owls", max_members=1)
    )
    outcomes = await race(squad_ops.join_squad(GUILD, member, squad.id) for member in MEMBERS)
    assert len(await squad_ops.get_squad_members(GUILD, squad.id)) == 1
    assert outcomes == {"done": 1, "SquadFullError": len(MEMBERS) - 1}


async def test_switch_squad_seats_as_many_as_there_are_seats() -> None:
    """Twenty members at once switch to a squad with one seat: one is in it."""
    await bytes_ops.grant_many(GUILD, dict.fromkeys(MEMBERS, 1_000))
    old, new = [
        await squad_ops.create_squad(
            SquadCreate(guild_id=GUILD, role_id=role, name="Owls", max_members=seats)
        )
        for role, seats in ((7, None), (8, 1))
    ]
    await race(squad_ops.join_squad(GUILD, member, old.id) for member in MEMBERS)
    outcomes = await race(squad_ops.switch_squad(GUILD, member, new.id) for member in MEMBERS)
    assert len(await squad_ops.get_squad_members(GUILD, new.id)) == 1
    assert outcomes == {"done": 1, "SquadFullError": len(MEMBERS) - 1}


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
async def test_claim_daily_pays_once(known: bool) -> None:
    """Fifty claims at once of one member pay once."""
    if known:
        await bytes_ops.get_balance(GUILD, ALICE)
    outcomes = await race(bytes_ops.claim_daily(GUILD, ALICE) for _ in range(50))
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 110
    assert outcomes == {"done": 1, "DailyAlreadyClaimedError": 49}


async def test_operation_with_one_key_happens_once() -> None:
    """Twenty calls at once with one key are one operation, and all get the same answer."""
    world = await create_world(bytes_ops, squad_ops)
    for number, case in enumerate(KEY_CASES):
        with naming(case):
            member, key = case.members[number], f"click {number}"
            await case.operation.get_ready(world, member)
            before = await read_rows()
            outcomes = await race(case.operation.run(world, member, key) for _ in range(20))
            assert count_changes(before, await read_rows()) == case.writes
            assert outcomes == {"done": 20}


async def test_create_transaction_in_both_directions_all_happen() -> None:
    """Forty transfers at once between two members, in both directions, all happen."""
    await bytes_ops.grant_many(GUILD, {ALICE: 1, BOB: 1})
    outcomes = await race(
        bytes_ops.create_transaction(make_transfer(*pair))
        for pair in [(ALICE, BOB), (BOB, ALICE)] * 20
    )
    assert outcomes == {"done": 40}
    assert (await bytes_ops.verify(GUILD)).ok


async def test_create_transaction_keeps_the_cooldown() -> None:
    """Ten transfers at once of one member under a cooldown are one."""
    await bytes_ops.grant_many(GUILD, dict.fromkeys([ALICE, *MEMBERS], 1))
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(transfer_cooldown_hours=1))
    outcomes = await race(
        bytes_ops.create_transaction(make_transfer(ALICE, member)) for member in MEMBERS[:10]
    )
    assert outcomes == {"done": 1, "TransferCooldownError": 9}


async def test_charge_never_goes_below_zero() -> None:
    """Twenty charges at once of a third of the balance each: three happen."""
    await bytes_ops.get_balance(GUILD, ALICE)
    outcomes = await race(bytes_ops.charge(GUILD, ALICE, 33) for _ in range(20))
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 1
    assert outcomes == {"done": 3, "InsufficientBalanceError": 17}


async def test_grant_many_to_the_same_members_all_happen() -> None:
    """Ten mass grants at once to the same members, known and new, all happen."""
    await bytes_ops.get_balance(GUILD, ALICE)
    outcomes = await race(
        bytes_ops.grant_many(GUILD, dict.fromkeys([ALICE, *MEMBERS], 1)) for _ in range(10)
    )
    assert (await bytes_ops.get_balance(GUILD, MEMBERS[0])).balance == 110
    assert outcomes == {"done": 10}
    assert (await bytes_ops.verify(GUILD)).ok


async def test_get_balance_creates_a_member_once() -> None:
    """Twenty concurrent calls for a new member pay the starting balance once."""
    outcomes = await race(bytes_ops.get_balance(GUILD, ALICE) for _ in range(20))
    history = await bytes_ops.get_transaction_history(GUILD, ALICE)
    assert outcomes == {"done": 20}
    assert [row.kind for row in history] == ["starting"]
