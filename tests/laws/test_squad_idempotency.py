"""A repeated idempotency key of a join or switch returns the first membership."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import Clock, Ids, MakeMember, MakeSquad
from helpers.assertions import Check, ReadRows, as_dict, assert_refused, membership_values

from bytes_squads import (
    BytesOperations,
    IdempotencyConflictError,
    InsufficientBalanceError,
    SquadMembership,
    SquadOperations,
    SquadUpdate,
)

Enter = Callable[..., Awaitable[SquadMembership]]
by_cost = pytest.mark.parametrize("cost", [50, 0], ids=["paid", "free"])
by_method = pytest.mark.parametrize("method", ["join_squad", "switch_squad"])


class Stage:
    """Three squads of one cost; Alice has 500 bytes, and is in Blue when she is to switch."""

    def __init__(self, squad_ops: SquadOperations, ids: Ids, method: str) -> None:
        self.ops, self.ids, self.method = squad_ops, ids, method

    async def set_up(self, make_squad: MakeSquad, make_member: MakeMember, cost: int) -> None:
        self.red = await make_squad(name="Red", switch_cost=cost)
        self.green = await make_squad(name="Green", switch_cost=cost)
        self.blue = await make_squad(name="Blue", switch_cost=0)
        for user in (self.ids.alice, self.ids.bob):
            await make_member(user, 500)
            if self.method == "switch_squad":
                await self.ops.join_squad(self.ids.guild, user, self.blue.id)

    async def enter(self, **keywords: Any) -> SquadMembership:
        """Let Alice enter Red with the key "k", or the given fields."""
        fields: dict[str, Any] = {
            "guild_id": self.ids.guild,
            "user_id": self.ids.alice,
            "squad_id": self.red.id,
            "idempotency_key": "k",
        }
        method: Enter = getattr(self.ops, keywords.pop("method", self.method))
        return await method(**fields | keywords)


@pytest.fixture
def method() -> str:
    """The operation, unless the test's table has another."""
    return "join_squad"


@pytest.fixture
async def squad_scenario(
    squad_ops: SquadOperations,
    make_squad: MakeSquad,
    make_member: MakeMember,
    ids: Ids,
    method: str,
    cost: int,
) -> Stage:
    """See `Stage`."""
    made = Stage(squad_ops, ids, method)
    await made.set_up(make_squad, make_member, cost)
    return made


@by_method
@by_cost
async def test_join_squad_and_switch_squad_repeated_move_nothing(
    squad_scenario: Stage,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """An hour later, with another username and ids as int, it is the same membership."""
    first = await squad_scenario.enter(username="alice")
    before = await read_all_rows()
    clock.advance(hours=1)
    again = await squad_scenario.enter(
        guild_id=int(ids.guild),
        user_id=int(ids.alice),
        squad_id=str(squad_scenario.red.id),
        username="renamed",
    )
    assert as_dict(first) == as_dict(again)
    assert before == await read_all_rows()
    await assert_ledger_consistent()


@by_method
@pytest.mark.parametrize("time_passes", [True, False], ids=["later", "at once"])
@pytest.mark.parametrize(
    ("cost", "meanwhile"),
    [(50, what) for what in ("left", "switched", "switched with a key", "came back", "deleted")]
    + [(50, "inactive"), (0, "inactive")],
)
async def test_join_squad_and_switch_squad_repeated_later_return_the_first_membership(
    squad_scenario: Stage,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    meanwhile: str,
    time_passes: bool,
) -> None:
    """After a leave or switch, the repetition moves no one and returns the first membership."""
    first = await squad_scenario.enter()
    if time_passes:
        clock.advance(hours=1)
    ops, red, green = squad_scenario.ops, squad_scenario.red.id, squad_scenario.green.id
    if meanwhile == "left":
        await ops.leave_squad(ids.guild, ids.alice)
    elif meanwhile == "switched":
        await ops.switch_squad(ids.guild, ids.alice, green)
    elif meanwhile == "switched with a key":
        await ops.switch_squad(ids.guild, ids.alice, green, idempotency_key="other")
    elif meanwhile == "came back":
        await ops.leave_squad(ids.guild, ids.alice)
        await ops.join_squad(ids.guild, ids.alice, red)
    elif meanwhile == "inactive":
        await ops.update_squad(ids.guild, red, SquadUpdate(is_active=False, switch_cost=9))
    else:
        await ops.delete_squad(ids.guild, red)
    before = await read_all_rows()
    again = await squad_scenario.enter()
    assert before == await read_all_rows()
    assert membership_values(first) == membership_values(again)


@by_method
@pytest.mark.parametrize(
    ("cost", "left"),
    [(50, False), (50, True), (0, False)],
    ids=["paid", "paid, after leaving", "free"],
)
async def test_join_squad_and_switch_squad_key_conflicts_elsewhere(
    squad_scenario: Stage,
    bytes_ops: BytesOperations,
    ids: Ids,
    method: str,
    read_all_rows: ReadRows,
    cost: int,
    left: bool,
) -> None:
    """Another squad, another member, another operation conflicts."""
    await squad_scenario.enter()
    if left:
        await squad_scenario.ops.leave_squad(ids.guild, ids.alice)
    keywords: dict[str, Any] = {"idempotency_key": "k"}
    others: list[Callable[[], Awaitable[Any]]] = [
        lambda: squad_scenario.enter(squad_id=squad_scenario.green.id),
        lambda: squad_scenario.enter(user_id=ids.bob),
        lambda: bytes_ops.grant(ids.guild, ids.alice, 50, **keywords),
        lambda: bytes_ops.charge(ids.guild, ids.alice, 50, reason="Red", **keywords),
        lambda: bytes_ops.grant_many(ids.guild, {ids.alice: 50}, **keywords),
        lambda: bytes_ops.claim_daily(ids.guild, ids.alice, **keywords),
    ]
    other_way = "join_squad" if method == "switch_squad" else "switch_squad"
    others.append(lambda: squad_scenario.enter(method=other_way))
    for other in others:
        async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
            await other()


@by_method
@by_cost
async def test_join_squad_key_outlasts_the_membership(
    squad_scenario: Stage, ids: Ids, read_all_rows: ReadRows
) -> None:
    """After a switch, the repeated key returns the first result and moves no one."""
    first = await squad_scenario.enter()
    await squad_scenario.ops.switch_squad(ids.guild, ids.alice, squad_scenario.green.id)
    before = await read_all_rows()
    again = await squad_scenario.enter()
    assert (first.squad_id, first.joined_at) == (again.squad_id, again.joined_at)
    assert before == await read_all_rows()


@by_method
@by_cost
async def test_join_squad_and_switch_squad_with_the_key_of_charge_conflict(
    squad_scenario: Stage, bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A key that was used for a charge of the same amount conflicts."""
    await bytes_ops.charge(ids.guild, ids.alice, 50, reason="Red", idempotency_key="k")
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await squad_scenario.enter()


@by_method
@pytest.mark.parametrize("cost", [501])
async def test_join_squad_and_switch_squad_refused_leave_the_key_free(
    squad_scenario: Stage,
    bytes_ops: BytesOperations,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
) -> None:
    """Refused at 500 of 501 bytes; with one byte more the same key succeeds."""
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=500, required=501):
        await squad_scenario.enter()
    await bytes_ops.grant(ids.guild, ids.alice, 1)
    assert (ids.guild, ids.alice, squad_scenario.red.id, clock.now) == membership_values(
        await squad_scenario.enter()
    )


@by_cost
async def test_join_squad_key_is_separate_in_each_guild(
    squad_scenario: Stage, make_squad: MakeSquad, ids: Ids, cost: int
) -> None:
    """The same key joins a squad of another guild as well."""
    await squad_scenario.enter()
    other = await make_squad(ids.other_guild, switch_cost=cost)
    there = await squad_scenario.enter(guild_id=ids.other_guild, squad_id=other.id)
    assert (ids.other_guild, other.id) == (there.guild_id, there.squad_id)


@by_cost
async def test_join_squad_repeated_is_answered_by_a_full_squad(
    squad_scenario: Stage, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A repeated join of a squad that is full by now returns the first result."""
    await squad_scenario.ops.update_squad(
        ids.guild, squad_scenario.red.id, SquadUpdate(max_members=1)
    )
    first = await squad_scenario.enter()
    before = await read_all_rows()
    assert as_dict(first) == as_dict(await squad_scenario.enter())
    assert before == await read_all_rows()
