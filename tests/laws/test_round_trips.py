"""What each operation costs: round trips to PostgreSQL, visits to SQLite's thread.

Round trips are counted at the wire, BEGIN and COMMIT included, with statements prepared. A number
that rises here is a slower bot; one that falls is a reason to change this table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from helpers import ALICE, BOB, GUILD, Clock, make_transfer
from helpers.postgres_relay import PostgresRelay
from helpers.sqlite_visits import SqliteVisits

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    RefusedError,
    Squad,
    SquadCreate,
    SquadOperations,
    SquadUpdate,
    in_transaction,
)
from bytes_squads.engine.connections import current_client

# Members of whom nothing is known yet are made before; each call has its own number.
MEMBERS = range(1_000, 1_100)


class World:
    """A guild with members and squads, and what has been counted."""

    def __init__(self, wire: PostgresRelay | None, clock: Clock) -> None:
        self.wire = wire
        self.clock = clock
        self.bytes = BytesOperations(clock=clock)
        self.squads = SquadOperations(clock=clock)
        self.red: Squad
        self.blue: Squad
        self.free: Squad

    async def prepare(self) -> None:
        """Members with bytes, two squads that cost and a free one, limits and rewards."""
        await self.bytes.update_config(
            GUILD, BytesConfigUpdate(max_transfer=500, role_rewards={"5": 50})
        )
        await self.bytes.grant_many(GUILD, dict.fromkeys([*MEMBERS, ALICE, BOB], 10_000))
        squads = [
            await self.squads.create_squad(
                SquadCreate(
                    guild_id=GUILD, role_id=role, name=name, switch_cost=cost, max_members=90
                )
            )
            for role, name, cost in ((1, "Red", 5), (2, "Blue", 5), (3, "Free", 0))
        ]
        self.red, self.blue, self.free = squads

    async def cost(self, act: Callable[[World, int], Awaitable[Any]], before: Any) -> int:
        """What one call costs when the statements are prepared."""
        costs = []
        for number in MEMBERS[:4]:
            self.clock.advance(days=1)
            if before is not None:
                await before(self, number)
            counter = self.wire or SqliteVisits(current_client()._connection)
            start = counter.round_trips
            with suppress(RefusedError):
                await act(self, number)
            costs.append(counter.round_trips - start)
        assert costs[-1] == costs[-2]
        return costs[-1]


async def join_red(world: World, number: int) -> None:
    await world.squads.join_squad(GUILD, number, world.red.id)


async def set_cooldown(world: World, number: int) -> None:
    await world.bytes.update_config(GUILD, BytesConfigUpdate(transfer_cooldown_hours=2))


Act = Callable[[World, int], Awaitable[Any]]


async def use_key(world: World, number: int) -> None:
    await world.bytes.grant(GUILD, number, 1, idempotency_key=number)


async def claim(world: World, number: int) -> None:
    await world.bytes.claim_daily(GUILD, number, idempotency_key=number)


async def join_with_key(world: World, number: int) -> None:
    await world.squads.join_squad(GUILD, number, world.red.id, idempotency_key=number)


async def leave_with_key(world: World, number: int) -> None:
    await join_red(world, number)
    await world.squads.leave_squad(GUILD, number, idempotency_key=number)


async def transfer_just_now(world: World, number: int) -> None:
    await set_cooldown(world, number)
    await world.bytes.create_transaction(make_transfer(ALICE, number))


async def pay_nothing(world: World, number: int) -> None:
    await world.bytes.update_config(GUILD, BytesConfigUpdate(daily_amount=0))


# name: the act, what comes before it, round trips to PostgreSQL, visits on SQLite
BUDGET: dict[str, tuple[Act, Act | None, int, int]] = {
    "get_balance": (lambda w, n: w.bytes.get_balance(GUILD, n), None, 1, 1),
    "get_balance, new": (lambda w, n: w.bytes.get_balance(GUILD, n + 10_000), None, 3, 3),
    "create_transaction": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n)),
        None,
        1,
        1,
    ),
    "create_transaction, with a key": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n, idempotency_key=n)),
        None,
        1,
        1,
    ),
    "create_transaction, with a cooldown": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n)),
        set_cooldown,
        1,
        1,
    ),
    "create_transaction, beyond the limit": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n, amount=501)),
        None,
        1,
        1,
    ),
    "create_transaction, in the cooldown, with a key": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n, idempotency_key=n)),
        transfer_just_now,
        1,
        1,
    ),
    "create_transaction, repeated": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n, idempotency_key=n)),
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n, idempotency_key=n)),
        2,
        2,
    ),
    "create_transaction, to a new member": (
        lambda w, n: w.bytes.create_transaction(make_transfer(ALICE, n + 10_000)),
        None,
        5,
        5,
    ),
    "grant": (lambda w, n: w.bytes.grant(GUILD, n, 1), None, 1, 1),
    "grant, with a key": (
        lambda w, n: w.bytes.grant(GUILD, n, 1, idempotency_key=n, reason="r", actor_id=BOB),
        None,
        1,
        1,
    ),
    "grant, repeated": (
        lambda w, n: w.bytes.grant(GUILD, n, 1, idempotency_key=n),
        use_key,
        2,
        2,
    ),
    "grant, the key of something else": (
        lambda w, n: w.bytes.grant(GUILD, n, 2, idempotency_key=n),
        use_key,
        2,
        2,
    ),
    "grant, beyond the total": (lambda w, n: w.bytes.grant(GUILD, n, 2**63 - 1), None, 1, 1),
    "charge": (lambda w, n: w.bytes.charge(GUILD, n, 1), None, 1, 1),
    "charge, beyond the balance": (
        lambda w, n: w.bytes.charge(GUILD, n, 10**9, idempotency_key=n),
        None,
        1,
        1,
    ),
    "claim_daily": (lambda w, n: w.bytes.claim_daily(GUILD, n), None, 2, 2),
    "claim_daily, with a key": (
        lambda w, n: w.bytes.claim_daily(GUILD, n, idempotency_key=n),
        None,
        2,
        2,
    ),
    "claim_daily, unpaid": (lambda w, n: w.bytes.claim_daily(GUILD, n), pay_nothing, 2, 2),
    "claim_daily, refused": (lambda w, n: w.bytes.claim_daily(GUILD, n), claim, 1, 1),
    "claim_daily, repeated": (claim, claim, 2, 2),
    "claim_daily, of a new member": (
        lambda w, n: w.bytes.claim_daily(GUILD, n + 10_000),
        None,
        6,
        6,
    ),
    "grant_many": (lambda w, n: w.bytes.grant_many(GUILD, {ALICE: n, BOB: n}), None, 1, 1),
    "grant_many, some new": (
        lambda w, n: w.bytes.grant_many(GUILD, {ALICE: n, n + 10_000: n, n + 20_000: n}),
        None,
        5,
        5,
    ),
    "join_squad": (lambda w, n: w.squads.join_squad(GUILD, n, w.red.id), None, 1, 1),
    "join_squad, with a key": (join_with_key, None, 1, 1),
    "join_squad, free": (lambda w, n: w.squads.join_squad(GUILD, n, w.free.id), None, 1, 1),
    "join_squad, refused": (lambda w, n: w.squads.join_squad(GUILD, n, w.blue.id), join_red, 1, 1),
    "join_squad, repeated": (join_with_key, join_with_key, 3, 3),
    "switch_squad": (lambda w, n: w.squads.switch_squad(GUILD, n, w.blue.id), join_red, 1, 1),
    "switch_squad, with a key": (
        lambda w, n: w.squads.switch_squad(GUILD, n, w.blue.id, idempotency_key=n),
        join_red,
        1,
        1,
    ),
    "switch_squad, refused": (
        lambda w, n: w.squads.switch_squad(GUILD, n, w.blue.id),
        None,
        1,
        1,
    ),
    "leave_squad": (lambda w, n: w.squads.leave_squad(GUILD, n), join_red, 1, 1),
    "leave_squad, refused": (lambda w, n: w.squads.leave_squad(GUILD, n), None, 1, 1),
    "leave_squad, repeated": (
        lambda w, n: w.squads.leave_squad(GUILD, n, idempotency_key=n),
        leave_with_key,
        2,
        2,
    ),
    "update_config": (
        lambda w, n: w.bytes.update_config(GUILD, BytesConfigUpdate(daily_amount=n)),
        None,
        1,
        1,
    ),
    "create_squad": (
        lambda w, n: w.squads.create_squad(SquadCreate(guild_id=GUILD, role_id=n, name="New")),
        None,
        1,
        1,
    ),
    "update_squad": (
        lambda w, n: w.squads.update_squad(GUILD, w.red.id, SquadUpdate(name=str(n))),
        None,
        1,
        1,
    ),
    "delete_squad, refused": (lambda w, n: w.squads.delete_squad(GUILD, UUID(int=n)), None, 1, 1),
    "get_leaderboard": (lambda w, n: w.bytes.get_leaderboard(GUILD), None, 1, 1),
    "get_rank": (lambda w, n: w.bytes.get_rank(GUILD, n), None, 1, 1),
    "get_transaction_history": (lambda w, n: w.bytes.get_transaction_history(GUILD), None, 1, 1),
    "get_transaction_history, of a member": (
        lambda w, n: w.bytes.get_transaction_history(GUILD, n),
        None,
        1,
        1,
    ),
    "get_earned_roles": (lambda w, n: w.bytes.get_earned_roles(GUILD, n), None, 1, 1),
    "get_config": (lambda w, n: w.bytes.get_config(GUILD), None, 1, 1),
    "verify": (lambda w, n: w.bytes.verify(GUILD), None, 1, 1),
    "get_squad": (lambda w, n: w.squads.get_squad(GUILD, w.red.id), None, 1, 1),
    "get_guild_squads": (lambda w, n: w.squads.get_guild_squads(GUILD), None, 1, 1),
    "get_squad_leaderboard": (lambda w, n: w.squads.get_squad_leaderboard(GUILD), None, 1, 1),
    "get_user_squad": (lambda w, n: w.squads.get_user_squad(GUILD, n), join_red, 1, 1),
    "get_squad_members": (lambda w, n: w.squads.get_squad_members(GUILD, w.red.id), None, 1, 1),
}


@pytest.fixture
async def world(
    backend: str, migrated_url: str, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A guild with members and squads; on PostgreSQL with a relay in between."""
    if backend == "sqlite":
        await bytes_squads.init(migrated_url)
        world = World(None, clock)
        await world.prepare()
        yield world
        await bytes_squads.close()
    else:
        wire = PostgresRelay(migrated_url)
        async with wire.listening():
            await bytes_squads.init(f"{wire.url}&maxsize=1")
            world = World(wire, clock)
            await world.prepare()
            yield world
            await bytes_squads.close()


@pytest.mark.parametrize("name", BUDGET)
async def test_operation_takes_its_number_of_round_trips(name: str, world: World) -> None:
    """Round trips and locks decide how fast a bot is, so they are counted."""
    act, before, on_postgres, on_sqlite = BUDGET[name]
    assert await world.cost(act, before) == (on_postgres if world.wire else on_sqlite)


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres"])
async def test_block_resets_the_session_of_its_connection(world: World) -> None:
    """What a caller's block sets in its session does not reach whoever has the connection next."""
    async with in_transaction() as db:
        await db.execute_query("SET statement_timeout = 12345")
    shown = await current_client().execute_query_dict("SHOW statement_timeout")
    assert shown == [{"statement_timeout": "0"}]
