"""The costs of operations: round trips to PostgreSQL, calls on SQLite's thread.

Round trips are counted at the wire, BEGIN and COMMIT included, with statements prepared. A number
that rises here is a slower bot; one that falls is a reason to change this table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

import pytest
from helpers import BOB, GUILD, Clock, make_transfer
from helpers.citus import ON_CITUS
from helpers.operations_table import (
    CASES,
    KEY_CASES,
    KNOWN,
    NEW,
    OPERATIONS,
    READS,
    REFUSALS,
    Member,
    Operation,
    Prepare,
    World,
    create_world,
)
from helpers.postgres_relay import PostgresRelay
from helpers.sqlite_visits import SqliteVisits

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    GuildOperations,
    InvalidInputError,
    RefusedError,
    SquadOperations,
    in_transaction,
)
from bytes_squads.engine.connections import current_client


@dataclass(frozen=True)
class Measurement:
    """A call whose round trips are counted.

    Attributes:
        name: Its name in the table of numbers.
        get_ready: What has to happen before, uncounted.
        run: The call.
        members: With whom.
    """

    name: str
    get_ready: Prepare
    run: Prepare
    members: Sequence[Member] = KNOWN


# What is measured ---------------------------------------------------------------------------------


async def run_with_key(operation: Operation, world: World, member: Member) -> None:
    """Run an operation with the member's id as its key."""
    await operation.run(world, member, str(member))


async def run_once(operation: Operation, world: World, member: Member) -> None:
    """Get ready and run an operation with the member's id as its key."""
    await operation.get_ready(world, member)
    await run_with_key(operation, world, member)


async def set_cooldown(world: World, member: Member) -> None:
    """Set a cooldown of two hours."""
    await world.bytes.update_config(GUILD, BytesConfigUpdate(transfer_cooldown_hours=2))


async def set_limit(world: World, member: Member) -> None:
    """Set a limit of 500 bytes."""
    await world.bytes.update_config(GUILD, BytesConfigUpdate(max_transfer=500))


async def transfer_just_now(world: World, member: Member) -> None:
    """Set a cooldown, and begin it."""
    await set_cooldown(world, member)
    await world.bytes.create_transaction(make_transfer(member, BOB))


async def transfer(world: World, member: Member, amount: int = 1, key: str | None = None) -> None:
    """Transfer bytes to Bob."""
    data = make_transfer(member, BOB, amount, idempotency_key=key)
    await world.bytes.create_transaction(data)


_CALLS = [
    *(Measurement(str(c), c.operation.get_ready, c.operation.run, c.members) for c in CASES),
    *(
        Measurement(
            f"{case}, with a key",
            case.operation.get_ready,
            partial(run_with_key, case.operation),
        )
        for case in KEY_CASES
        if not case.is_new
    ),
    *(
        Measurement(
            f"{case}, repeated",
            partial(run_once, case.operation),
            partial(run_with_key, case.operation),
        )
        for case in KEY_CASES
        if not case.is_new
    ),
    *(Measurement(r.name, r.get_ready, r.run) for r in REFUSALS),
    *(Measurement(r.name, r.get_ready, r.run) for r in (OPERATIONS["get_balance"], *READS)),
    Measurement("create_transaction, with a cooldown", set_cooldown, transfer),
    Measurement("create_transaction, beyond the limit", set_limit, partial(transfer, amount=501)),
    Measurement(
        "create_transaction, in the cooldown, with a key",
        transfer_just_now,
        partial(transfer, key="click"),
    ),
]
MEASUREMENTS = {call.name: call for call in _CALLS}

KINDS = ("", ", new member", ", with a key", ", repeated", ", refused", ", used key")
COSTS: dict[str, tuple[int | None, ...]] = {
    # known, new member, with a key, repeated, refused, the key of another operation
    "get_balance": (1, 3, None, None, 0, None),
    "update_config": (1, None, None, None, 0, None),
    "create_transaction": (1, 5, 1, 2, 1, 2),
    "claim_daily": (2, 6, 2, 2, 1, 2),
    "claim_daily, unpaid": (2, 6, 2, 2, None, 2),
    "grant": (1, 5, 1, 2, 1, 2),
    "charge": (1, 5, 1, 2, 1, 2),
    "grant_many": (1, 5, 1, 2, 1, 2),
    "set_balance": (2, 6, 2, 3, 2, 3),
    "set_balance, lower": (2, 6, 2, 3, None, 3),
    "reset_balances": (2, None, 2, 3, 2, 3),
    "reverse_transaction": (2, None, 2, 3, 2, 3),
    "reverse_transaction, transfer": (2, None, 2, 3, 1, 3),
    "create_squad": (1, None, None, None, 1, None),
    "update_squad": (1, None, None, None, 1, None),
    "delete_squad": (1, None, None, None, 1, None),
    "join_squad": (1, 5, 1, 3, 1, 2),
    "join_squad, free": (1, 5, 1, 3, 1, 2),
    "switch_squad": (1, None, 1, 3, 1, 2),
    "switch_squad, free": (1, None, 1, 3, 1, 2),
    "leave_squad": (1, None, 1, 2, 1, 2),
    "set_member_left": (2, None, None, None, 0, None),
    "set_member_left, in a squad": (1, None, None, None, None, None),
    "set_member_left, back": (1, None, None, None, None, None),
    "erase_member": (9, None, None, None, 0, None),
    "erase_member, in a squad": (10, None, None, None, None, None),
    "delete_guild": (9, None, None, None, 0, None),
}
"""Round trips of each operation that writes, by kind of call."""
LIMIT_COSTS = {
    "create_transaction, with a cooldown": 1,
    "create_transaction, beyond the limit": 1,
    "create_transaction, in the cooldown, with a key": 1,
}
ROUND_TRIPS = {
    **dict.fromkeys((operation.name for operation in READS), 1),
    "get_statistics": 2,
    **LIMIT_COSTS,
    **{
        name + kind: cost
        for name, costs in COSTS.items()
        for kind, cost in zip(KINDS, costs, strict=True)
        if cost is not None
    },
}
GROUPS = {
    "reads": [operation.name for operation in READS],
    "transfer limits": [*LIMIT_COSTS],
}


# Measuring ----------------------------------------------------------------------------------------


class Counted:
    """A guild, and what counts the round trips to its database."""

    def __init__(self, world: World, clock: Clock, counter: PostgresRelay | SqliteVisits) -> None:
        self.world, self.clock, self.counter = world, clock, counter
        self._members: dict[Sequence[Member], Iterator[Member]] = {
            members: cycle(members) for members in (KNOWN, NEW)
        }

    async def count(self, measurement: Measurement) -> int:
        """Return the round trips of one call when its statements are prepared."""
        counts = []
        for member in islice(self._members[measurement.members], 4):
            self.clock.advance(days=1)
            await measurement.get_ready(self.world, member)
            start = self.counter.round_trips
            with suppress(RefusedError, InvalidInputError):
                await measurement.run(self.world, member)
            counts.append(self.counter.round_trips - start)
        assert counts[-1] == counts[-2]
        return counts[-1]


@pytest.fixture
async def counted(
    backend: str, copied_url: str, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[Counted]:
    """Open a guild; on PostgreSQL with a relay in between."""
    operations = (
        BytesOperations(clock=clock),
        SquadOperations(clock=clock),
        GuildOperations(clock=clock),
    )
    if backend == "sqlite":
        await bytes_squads.init(copied_url)
        yield Counted(await create_world(*operations), clock, SqliteVisits())
        await bytes_squads.close()
    else:
        relay = PostgresRelay(copied_url)
        async with relay.listening():
            await bytes_squads.init(f"{relay.url}&maxsize=1")
            yield Counted(await create_world(*operations), clock, relay)
            await bytes_squads.close()


@pytest.mark.parametrize("name", [*COSTS, "reads", "transfer limits"])
async def test_operation_takes_its_number_of_round_trips(name: str, counted: Counted) -> None:
    """Each operation takes its number of round trips and locks."""
    if ON_CITUS and name != "reads":
        pytest.skip("on Citus a posting is a block of several statements")
    names = GROUPS.get(name) or [name + kind for kind in KINDS if name + kind in ROUND_TRIPS]
    assert {item: await counted.count(MEASUREMENTS[item]) for item in names} == {
        item: ROUND_TRIPS[item] for item in names
    }


def test_table_has_every_measurement() -> None:
    """No call is left out of the table of numbers, and none is there that is not made."""
    assert ROUND_TRIPS.keys() == MEASUREMENTS.keys()


@pytest.mark.postgres
async def test_block_resets_the_session_of_its_connection(counted: Counted) -> None:
    """Session settings of a caller's block are reset when its connection is returned."""
    async with in_transaction() as db:
        await db.execute_query("SET statement_timeout = 12345")
    shown = await current_client().execute_query_dict("SHOW statement_timeout")
    assert shown == [{"statement_timeout": "0"}]
