"""Squads: create, update, delete, list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from helpers import Clock, Ids, MakeSquad, TestData
from helpers.assertions import MAX_BYTES, ReadRows, as_dict, assert_refused, naming

from bytes_squads import (
    InvalidInputError,
    Squad,
    SquadCreate,
    SquadMembership,
    SquadNotFoundError,
    SquadOperations,
    SquadRoleTakenError,
    SquadUpdate,
)

# Making -------------------------------------------------------------------------------------------


async def test_create_squad_uses_the_defaults(squad_ops: SquadOperations, ids: Ids) -> None:
    """With guild, role and name only, it costs 50, has no limit and is active."""
    made = await squad_ops.create_squad(SquadCreate(guild_id=ids.guild, role_id="301", name="Red"))
    expected: dict[str, Any] = {
        "guild_id": ids.guild,
        "role_id": "301",
        "name": "Red",
        "description": None,
        "switch_cost": 50,
        "max_members": None,
        "is_active": True,
    }
    assert expected == {name: getattr(made, name) for name in expected}
    assert made.created_at == made.updated_at
    assert as_dict(made) == as_dict(await Squad.get())
    assert made.id.version == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"switch_cost": 0, "max_members": 1, "is_active": False, "description": ""},
        {"switch_cost": MAX_BYTES, "max_members": 2**31 - 1, "description": "🦊" * 500},
        {"name": "🦊" * 100, "role_id": str(2**64 - 1)},
        {"name": "'; DROP TABLE squads; --", "description": '%s $1 ? \\ " \n'},
    ],
    ids=["least", "most", "longest", "sql"],
)
async def test_create_squad_stores_every_field_as_given(
    squad_ops: SquadOperations, ids: Ids, fields: dict[str, Any]
) -> None:
    """Limits, the longest texts and SQL in them are stored unchanged."""
    given = {"guild_id": ids.guild, "role_id": "301", "name": "Red"} | fields
    made = await squad_ops.create_squad(SquadCreate(**given))
    found = await squad_ops.get_squad(ids.guild, made.id)
    assert given == {name: getattr(found, name) for name in given}


async def test_create_squad_with_a_taken_role_is_refused(
    squad_ops: SquadOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A second squad with the role is refused; another guild may have it, int or str."""
    await squad_ops.create_squad(SquadCreate(guild_id=ids.guild, role_id="301", name="Red"))
    for role in ("301", 301):
        async with assert_refused(SquadRoleTakenError, read_all_rows, role_id="301"):
            await squad_ops.create_squad(SquadCreate(guild_id=ids.guild, role_id=role, name="Blue"))
    await squad_ops.create_squad(SquadCreate(guild_id=ids.other_guild, role_id="301", name="Red"))
    assert {(ids.guild, "301"), (ids.other_guild, "301")} == set(
        await Squad.all().values_list("guild_id", "role_id")
    )


# Changing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role_id", "999"),
        ("name", "Crimson"),
        ("description", "the best"),
        ("description", None),
        ("switch_cost", 0),
        ("switch_cost", MAX_BYTES),
        ("max_members", 1),
        ("max_members", None),
        ("is_active", False),
    ],
)
async def test_update_squad_changes_only_the_given_field(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, field: str, value: Any
) -> None:
    """The answer and the stored row differ in that field and in updated_at, nowhere else."""
    made = await make_squad(description="old", max_members=5)
    other = await make_squad(name="Blue")
    answer = await squad_ops.update_squad(ids.guild, made.id, SquadUpdate(**{field: value}))
    stored = await squad_ops.get_squad(ids.guild, made.id)
    expected = as_dict(made) | {field: value, "updated_at": answer.updated_at}
    assert expected == as_dict(answer) == as_dict(stored)
    assert made.updated_at < answer.updated_at
    assert as_dict(other) == as_dict(await squad_ops.get_squad(ids.guild, other.id))


async def test_update_squad_without_fields_changes_nothing(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, read_all_rows: ReadRows
) -> None:
    """No field, no change, not even of updated_at; the answer is the squad."""
    made = await make_squad()
    before = await read_all_rows()
    answer = await squad_ops.update_squad(ids.guild, str(made.id), SquadUpdate())
    assert as_dict(made) == as_dict(answer)
    assert before == await read_all_rows()


async def test_update_squad_with_a_taken_role_is_refused(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Another squad's role is refused; its own and another guild's are accepted."""
    red = await make_squad(role_id="301")
    await make_squad(role_id="302", name="Blue")
    await make_squad(ids.other_guild, role_id="303", name="Other")
    async with assert_refused(SquadRoleTakenError, read_all_rows, role_id="302"):
        await squad_ops.update_squad(ids.guild, red.id, SquadUpdate(role_id=302, name="New"))
    for role in ("301", "303"):
        answer = await squad_ops.update_squad(ids.guild, red.id, SquadUpdate(role_id=role))
        assert role == answer.role_id


REFUSED: list[tuple[str, Any]] = [
    *((field, None) for field in ("role_id", "name", "switch_cost", "is_active")),
    *(("role_id", bad) for bad in ("", "0", "-1", "red", True, 2**64, 1.0)),
    *(("name", bad) for bad in ("", "x" * 101, "🦊" * 101, "a\0b", "\ud800", 5, b"Red")),
    *(("description", bad) for bad in ("x" * 501, "a\0b", "\udfff", 5, b"text")),
    *(("switch_cost", bad) for bad in (-1, True, 1.0, "5", 2**63, 10**5000)),
    *(("max_members", bad) for bad in (0, -1, True, 1.0, "5", 2**31, 10**5000)),
    *(("is_active", bad) for bad in (0, 1, "true", "no")),
    ("colour", "red"),
    ("id", "01900000-0000-7000-8000-000000000001"),
]
by_refused = pytest.mark.parametrize(
    ("field", "value"),
    REFUSED,
    ids=[
        f"{field}-{'huge' if value == 10**5000 else ascii(value)[:12]}" for field, value in REFUSED
    ],
)


@by_refused
def test_update_squad_input_refuses_invalid_values(field: str, value: Any) -> None:
    """None for a field without null, unknown fields and invalid values are refused."""
    with pytest.raises(InvalidInputError) as caught:
        SquadUpdate(**{field: value})
    assert str(caught.value).encode()


@by_refused
def test_create_squad_input_refuses_invalid_values(field: str, value: Any) -> None:
    """SquadCreate refuses the same values."""
    with pytest.raises(InvalidInputError) as caught:
        SquadCreate(**{"guild_id": "1", "role_id": "2", "name": "Red", field: value})
    assert str(caught.value).encode()


# Not found ----------------------------------------------------------------------------------------

UNKNOWN = UUID("01900000-0000-7000-8000-000000000002")
CALLS: dict[str, Callable[[SquadOperations, Ids, Any], Awaitable[Any]]] = {
    "get_squad": lambda ops, ids, squad: ops.get_squad(ids.guild, squad),
    "update_squad": lambda ops, ids, squad: ops.update_squad(
        ids.guild, squad, SquadUpdate(name="New", role_id="999")
    ),
    "update_squad to nothing": lambda ops, ids, squad: ops.update_squad(
        ids.guild, squad, SquadUpdate()
    ),
    "delete_squad": lambda ops, ids, squad: ops.delete_squad(ids.guild, squad),
    "join_squad": lambda ops, ids, squad: ops.join_squad(ids.guild, ids.carol, squad),
    "join_squad when in one": lambda ops, ids, squad: ops.join_squad(ids.guild, ids.alice, squad),
    "switch_squad": lambda ops, ids, squad: ops.switch_squad(ids.guild, ids.alice, squad),
    "get_squad_members": lambda ops, ids, squad: ops.get_squad_members(ids.guild, squad),
}


@pytest.mark.parametrize("call", CALLS)
async def test_squad_operations_do_not_find_a_squad_of_another_guild(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows, call: str
) -> None:
    """A squad of another guild is SquadNotFoundError, with its id as UUID or text."""
    other = test_data.other_squad.id
    for squad in (other, str(other)):
        async with assert_refused(SquadNotFoundError, read_all_rows) as caught:
            await CALLS[call](squad_ops, ids, squad)
        assert str(other) == str(caught.value.squad_id)  # type: ignore[attr-defined]


NO_SQUAD: list[Any] = [
    *(UNKNOWN, str(UNKNOWN), UUID(int=0), "", "red", "301", "x" * 5000, "\0", "\ud800"),
    *(None, 5, 1.5, b"0" * 16, True, [], 10**5000),
]


@pytest.mark.parametrize("call", CALLS)
async def test_squad_operations_do_not_find_an_invalid_squad_id(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows, call: str
) -> None:
    """An unknown or invalid UUID is SquadNotFoundError."""
    before = await read_all_rows()
    for squad in NO_SQUAD:
        with naming(squad):
            with pytest.raises(SquadNotFoundError) as caught:
                await CALLS[call](squad_ops, ids, squad)
            named = caught.value.squad_id
            assert named == squad or UUID(squad) == named
            assert str(caught.value).encode()
    assert before == await read_all_rows()


# Deleting -----------------------------------------------------------------------------------------


async def test_delete_squad_removes_its_memberships(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Red and Alice's membership are deleted; Bob's, bytes and the ledger stay."""
    before = await read_all_rows()
    assert await squad_ops.delete_squad(ids.guild, test_data.red.id) is None
    after = await read_all_rows()
    assert test_data.red.id not in {row["id"] for row in after["squads"]}
    assert [ids.bob] == [row["user_id"] for row in after["squad_memberships"]]
    for table in ("bytes_balances", "bytes_transactions", "bytes_configs"):
        assert before[table] == after[table]
    assert await squad_ops.get_user_squad(ids.guild, ids.alice) is None
    async with assert_refused(SquadNotFoundError, read_all_rows, squad_id=test_data.red.id):
        await squad_ops.delete_squad(ids.guild, test_data.red.id)
    await squad_ops.join_squad(ids.guild, ids.alice, test_data.blue.id)


async def test_delete_squad_frees_the_role(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids
) -> None:
    """Its role can be given to a new squad, which is another one."""
    old = await make_squad(role_id="301")
    await squad_ops.delete_squad(ids.guild, old.id)
    new = await make_squad(role_id="301")
    assert old.id != new.id


# Listing ------------------------------------------------------------------------------------------


async def test_get_guild_squads_counts_the_members(
    squad_ops: SquadOperations, test_data: TestData, ids: Ids
) -> None:
    """Squads of this guild by name; inactive ones only with active_only=False."""
    await SquadMembership.create(guild_id=ids.guild, user_id="5", squad_id=test_data.blue.id)
    await SquadMembership.create(guild_id=ids.guild, user_id="6", squad_id=test_data.grey.id)
    active = await squad_ops.get_guild_squads(ids.guild)
    whole = await squad_ops.get_guild_squads(ids.guild, active_only=False)
    expected = [("Blue", 2), ("Grey", 1), ("Red", 1)]
    assert [expected[0], expected[2]] == [(row.squad.name, row.member_count) for row in active]
    assert expected == [(row.squad.name, row.member_count) for row in whole]
    stored = await Squad.filter(guild_id=ids.guild).order_by("name")
    assert [as_dict(squad) for squad in stored] == [as_dict(row.squad) for row in whole]


async def test_get_guild_squads_of_a_guild_without_squads_is_empty(
    squad_ops: SquadOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Both lists are empty, and nothing is created."""
    before = await read_all_rows()
    assert [
        await squad_ops.get_guild_squads(ids.guild, active_only=False),
        await squad_ops.get_squad_leaderboard(ids.guild),
    ] == [[], []]
    assert before == await read_all_rows()


async def test_get_squad_members_orders_by_time_of_joining(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids, clock: Clock
) -> None:
    """The earliest first; with equal times in the order of joining."""
    squad = await make_squad(switch_cost=0)
    assert await squad_ops.get_squad_members(ids.guild, squad.id) == []
    for user in (ids.carol, ids.alice):  # at noon
        await squad_ops.join_squad(ids.guild, user, squad.id)
    clock.advance(hours=-1)
    await squad_ops.join_squad(ids.guild, ids.bob, squad.id)  # at eleven
    members = await squad_ops.get_squad_members(ids.guild, str(squad.id))
    expected = [ids.bob, ids.carol, ids.alice]
    assert expected == [member.user_id for member in members]
    assert {squad.id} == {member.squad_id for member in members}
