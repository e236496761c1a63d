"""Joining, switching and leaving squads: costs and refusals."""

from __future__ import annotations

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember, MakeSquad, TestData
from helpers.assertions import Check, ReadRows, as_dict, assert_refused, membership_values

from bytes_squads import (
    AlreadyInSquadError,
    BytesBalance,
    BytesTransaction,
    InsufficientBalanceError,
    NotInSquadError,
    SquadFullError,
    SquadInactiveError,
    SquadMembership,
    SquadOperations,
    SquadUpdate,
)


async def balance(ids: Ids, user_id: str) -> int:
    """Return a member's balance."""
    return (await BytesBalance.get(guild_id=ids.guild, user_id=user_id)).balance


# Joining ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("has", "cost", "left"), [(50, 50, 0), (500, 50, 450), (7, 1, 6)])
async def test_join_squad_charges_the_switch_cost(
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    ids: Ids,
    clock: Clock,
    assert_ledger_consistent: Check,
    has: int,
    cost: int,
    left: int,
) -> None:
    """The fee goes to SYSTEM as one ledger row of kind squad, at the time of joining."""
    await make_member(ids.alice, has)
    squad = await make_squad(switch_cost=cost)
    clock.advance(hours=1)
    answer = await squad_ops.join_squad(ids.guild, ids.alice, squad.id, username="alice")
    assert (ids.guild, ids.alice, squad.id, clock.now) == membership_values(answer)
    assert as_dict(answer) == as_dict(await SquadMembership.get())
    row = await BytesTransaction.get(kind="squad")
    assert (ids.alice, "alice", "SYSTEM", "SYSTEM", cost, clock.now) == (
        row.giver_id,
        row.giver_username,
        row.receiver_id,
        row.receiver_username,
        row.amount,
        row.created_at,
    )
    assert left == await balance(ids, ids.alice)
    await assert_ledger_consistent()


async def test_join_squad_for_free_creates_the_member(
    squad_ops: SquadOperations,
    make_squad: MakeSquad,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
) -> None:
    """It writes a membership, the starting row, and a ledger row of 0 bytes."""
    squad = await make_squad(switch_cost=0)
    answer = await squad_ops.join_squad(ids.guild, ids.alice, squad.id)
    after = await read_all_rows()
    assert [answer.id] == [row["id"] for row in after["squad_memberships"]]
    assert [row["balance"] for row in after["bytes_balances"]] == [100]
    starting, joining = after["bytes_transactions"]
    assert (starting["kind"], starting["amount"]) == ("starting", 100)
    assert (joining["kind"], joining["amount"]) == ("squad", 0)
    assert {"action": "join", "squad_id": str(squad.id)} == joining["details"]
    assert (ids.guild, ids.alice, squad.id, clock.now) == membership_values(answer)


async def test_join_squad_charges_a_new_member_after_the_starting_balance(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """100 − 50 = 50."""
    squad = await make_squad()
    await squad_ops.join_squad(ids.guild, ids.alice, squad.id)
    expected = 50
    assert expected == await balance(ids, ids.alice)
    await assert_ledger_consistent()


@pytest.mark.parametrize(
    ("starting", "has", "cost", "balance_told"),
    [(100, 49, 50, 49), (100, 0, 1, 0), (100, None, 101, 100), (0, None, 50, 0)],
)
async def test_join_squad_without_enough_bytes_is_refused(
    squad_ops: SquadOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    make_squad: MakeSquad,
    ids: Ids,
    read_all_rows: ReadRows,
    starting: int,
    has: int | None,
    cost: int,
    balance_told: int,
) -> None:
    """With too few bytes there is no membership, no fee and no new member (None)."""
    await make_config(starting_balance=starting)
    if has is not None:
        await make_member(ids.alice, has)
    squad = await make_squad(switch_cost=cost)
    async with assert_refused(
        InsufficientBalanceError, read_all_rows, balance=balance_told, required=cost
    ):
        await squad_ops.join_squad(ids.guild, ids.alice, squad.id)


@pytest.mark.parametrize("target", ["red", "blue"])
async def test_join_squad_of_a_squad_member_is_refused(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows, target: str
) -> None:
    """Another squad and the same one are refused; the error has Alice's squad."""
    async with assert_refused(AlreadyInSquadError, read_all_rows, squad_id=test_data.red.id):
        await squad_ops.join_squad(ids.guild, ids.alice, getattr(test_data, target).id)


async def test_join_squad_again_of_a_full_squad_names_the_membership(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Joining the own full squad is AlreadyInSquadError, not SquadFullError."""
    await squad_ops.update_squad(ids.guild, test_data.red.id, SquadUpdate(max_members=1))
    for method in (squad_ops.join_squad, squad_ops.switch_squad):
        async with assert_refused(AlreadyInSquadError, read_all_rows, squad_id=test_data.red.id):
            await method(ids.guild, ids.alice, test_data.red.id)


async def test_join_squad_ignores_squads_of_another_guild(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids
) -> None:
    """Alice is in Red here and may be in a squad of another guild too."""
    other = test_data.other_squad
    joined = await squad_ops.join_squad(ids.other_guild, ids.alice, other.id)
    assert (ids.other_guild, other.id) == (joined.guild_id, joined.squad_id)
    here = await squad_ops.get_user_squad(ids.guild, ids.alice)
    assert here is not None
    assert test_data.red.id == here.id


@pytest.mark.parametrize("method", ["join_squad", "switch_squad"])
async def test_join_squad_and_switch_squad_refuse_an_inactive_squad(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows, method: str
) -> None:
    """Carol cannot join Grey, Alice cannot switch to it."""
    user = ids.carol if method == "join_squad" else ids.alice
    async with assert_refused(SquadInactiveError, read_all_rows, squad_id=test_data.grey.id):
        await getattr(squad_ops, method)(ids.guild, user, test_data.grey.id)


@pytest.mark.parametrize("method", ["join_squad", "switch_squad"])
@pytest.mark.parametrize("cost", [0, 5])
async def test_join_squad_and_switch_squad_refuse_a_full_squad_until_it_grows(
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    ids: Ids,
    read_all_rows: ReadRows,
    method: str,
    cost: int,
) -> None:
    """The third member can join with max_members 3, the fourth with None."""
    squad = await make_squad(switch_cost=cost, max_members=2)
    other = await make_squad(name="Blue", switch_cost=0)
    users = ["1", "2", "3", "4"]
    for user in users:
        await make_member(user, cost)
        if method == "switch_squad":
            await squad_ops.join_squad(ids.guild, user, other.id)
    enter = getattr(squad_ops, method)
    for user in users[:2]:
        await enter(ids.guild, user, squad.id)
    for user, places, more in (("3", 2, 3), ("4", 3, None)):
        async with assert_refused(
            SquadFullError, read_all_rows, squad_id=squad.id, max_members=places
        ):
            await enter(ids.guild, user, squad.id)
        await squad_ops.update_squad(ids.guild, squad.id, SquadUpdate(max_members=more))
        await enter(ids.guild, user, squad.id)
    members = await squad_ops.get_squad_members(ids.guild, squad.id)
    assert users == [member.user_id for member in members]


async def test_update_squad_with_fewer_places_removes_nobody(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, read_all_rows: ReadRows
) -> None:
    """With two seats all three members stay; a new one joins once one of the two is free."""
    squad = await make_squad(switch_cost=0)
    for user in ("1", "2", "3"):
        await squad_ops.join_squad(ids.guild, user, squad.id)
    await squad_ops.update_squad(ids.guild, squad.id, SquadUpdate(max_members=2))
    for leaving, free in (("1", False), ("2", True)):
        await squad_ops.leave_squad(ids.guild, leaving)  # 3 − 1 = 2 is full, 2 − 1 = 1 is not
        if free:
            await squad_ops.join_squad(ids.guild, "4", squad.id)
        else:
            async with assert_refused(
                SquadFullError, read_all_rows, squad_id=squad.id, max_members=2
            ):
                await squad_ops.join_squad(ids.guild, "4", squad.id)
    members = await squad_ops.get_squad_members(ids.guild, squad.id)
    assert [member.user_id for member in members] == ["3", "4"]


# Switching ----------------------------------------------------------------------------------------


async def test_switch_squad_charges_the_cost_of_the_new_squad(
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    clock: Clock,
    assert_ledger_consistent: Check,
) -> None:
    """Bob goes from Blue (free) to Red (50): 200 − 50 = 150, in Red since now."""
    clock.advance(hours=1)
    answer = await squad_ops.switch_squad(ids.guild, ids.bob, test_data.red.id, username="bob")
    assert (ids.guild, ids.bob, test_data.red.id, clock.now) == membership_values(answer)
    assert as_dict(answer) == as_dict(await SquadMembership.get(user_id=ids.bob))
    row = await BytesTransaction.get(kind="squad")
    assert (ids.bob, "bob", "SYSTEM", 50) == (
        row.giver_id,
        row.giver_username,
        row.receiver_id,
        row.amount,
    )
    expected = 150
    assert expected == await balance(ids, ids.bob)
    assert await squad_ops.get_squad_members(ids.guild, test_data.blue.id) == []
    await assert_ledger_consistent()


async def test_switch_squad_to_a_free_squad_moves_no_bytes(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, clock: Clock, read_all_rows: ReadRows
) -> None:
    """Alice goes from Red to Blue: her membership changes, with a ledger row of 0 bytes."""
    before = await read_all_rows()
    clock.advance(hours=1)
    answer = await squad_ops.switch_squad(ids.guild, ids.alice, test_data.blue.id)
    after = await read_all_rows()
    for table in ("bytes_balances", "bytes_configs", "squads"):
        assert before[table] == after[table]
    entry = after["bytes_transactions"][-1]
    assert len(before["bytes_transactions"]) + 1 == len(after["bytes_transactions"])
    assert ("squad", 0, ids.alice) == (entry["kind"], entry["amount"], entry["giver_id"])
    assert {"action": "switch", "squad_id": str(test_data.blue.id)} == entry["details"]
    assert (ids.guild, ids.alice, test_data.blue.id, clock.now) == membership_values(answer)
    assert len(before["squad_memberships"]) == len(after["squad_memberships"])


async def test_switch_squad_without_a_squad_is_refused(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Carol is in none; a squad in another guild does not count."""
    await squad_ops.update_squad(
        ids.other_guild, test_data.other_squad.id, SquadUpdate(switch_cost=0)
    )
    await squad_ops.join_squad(ids.other_guild, ids.carol, test_data.other_squad.id)
    async with assert_refused(NotInSquadError, read_all_rows, user_id=ids.carol):
        await squad_ops.switch_squad(ids.guild, int(ids.carol), test_data.red.id)


@pytest.mark.parametrize("cost", [0, 50])
async def test_switch_squad_to_the_same_squad_is_refused(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows, cost: int
) -> None:
    """Switching to the own squad is refused, also at another cost."""
    await squad_ops.update_squad(ids.guild, test_data.red.id, SquadUpdate(switch_cost=cost))
    async with assert_refused(AlreadyInSquadError, read_all_rows, squad_id=test_data.red.id):
        await squad_ops.switch_squad(ids.guild, ids.alice, test_data.red.id)


@pytest.mark.parametrize("known", [True, False], ids=["poor", "without a balance"])
async def test_switch_squad_without_enough_bytes_is_refused(
    squad_ops: SquadOperations,
    make_member: MakeMember,
    test_data: TestData,
    ids: Ids,
    read_all_rows: ReadRows,
    known: bool,
) -> None:
    """With 100 bytes a switch for 101 is refused: seat, time and bytes stay."""
    if known:
        await make_member("7", 100)
    await squad_ops.join_squad(ids.guild, "7", test_data.blue.id)
    await squad_ops.update_squad(ids.guild, test_data.red.id, SquadUpdate(switch_cost=101))
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=100, required=101):
        await squad_ops.switch_squad(ids.guild, "7", test_data.red.id)
    squad = await squad_ops.get_user_squad(ids.guild, "7")
    assert squad is not None
    assert test_data.blue.id == squad.id


# Leaving and looking ------------------------------------------------------------------------------


async def test_leave_squad_moves_no_bytes(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Alice's membership is deleted, no bytes move, and a second call is refused."""
    before = await read_all_rows()
    assert await squad_ops.leave_squad(ids.guild, ids.alice) is None
    after = await read_all_rows()
    for table in ("bytes_balances", "bytes_configs", "squads"):
        assert before[table] == after[table]
    entry = after["bytes_transactions"][-1]
    assert ("squad", 0, ids.alice) == (entry["kind"], entry["amount"], entry["giver_id"])
    assert {"action": "leave", "squad_id": str(test_data.red.id)} == entry["details"]
    assert [ids.bob] == [row["user_id"] for row in after["squad_memberships"]]
    async with assert_refused(NotInSquadError, read_all_rows, user_id=ids.alice):
        await squad_ops.leave_squad(ids.guild, ids.alice)


async def test_leave_squad_leaves_the_squad_of_one_guild(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """It leaves the squad of this guild; without a squad it is refused."""
    for guild, user in ((ids.other_guild, ids.alice), (ids.guild, ids.carol)):
        async with assert_refused(NotInSquadError, read_all_rows, user_id=user):
            await squad_ops.leave_squad(guild, user)


async def test_leave_squad_and_switch_squad_leave_an_inactive_squad(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids
) -> None:
    """A member of an inactive squad may leave it, or switch away."""
    await squad_ops.update_squad(ids.guild, test_data.red.id, SquadUpdate(is_active=False))
    await squad_ops.switch_squad(ids.guild, ids.alice, test_data.blue.id)
    await squad_ops.update_squad(ids.guild, test_data.blue.id, SquadUpdate(is_active=False))
    await squad_ops.leave_squad(ids.guild, ids.alice)
    assert await squad_ops.get_user_squad(ids.guild, ids.alice) is None


async def test_get_user_squad_returns_the_squad_of_the_guild(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Alice has Red here, no squad there; Carol has none; nothing is created."""
    before = await read_all_rows()
    squad = await squad_ops.get_user_squad(ids.guild, ids.alice)
    assert squad is not None
    assert as_dict(test_data.red) == as_dict(squad)
    assert [
        await squad_ops.get_user_squad(ids.other_guild, ids.alice),
        await squad_ops.get_user_squad(ids.guild, ids.carol),
    ] == [None, None]
    assert before == await read_all_rows()
