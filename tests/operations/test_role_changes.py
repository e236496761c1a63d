"""Role changes: the roles to add to a member and to remove."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, OTHER_GUILD, Ids, MakeConfig, MakeMember, MakeSquad
from helpers.assertions import ReadRows

from bytes_squads import (
    BytesOperations,
    GuildOperations,
    InvalidSnowflakeError,
    RoleChanges,
    SquadMembership,
    SquadOperations,
    SquadUpdate,
)

REWARDS = {"51": 100, "52": 150, "53": 151}
OTHERS = {"7", GUILD}
"""Roles that are no reward and no squad's; @everyone has the guild's id."""


def changes(add: set[str], remove: set[str]) -> RoleChanges:
    return RoleChanges(frozenset(add), frozenset(remove))


async def test_get_role_changes_adds_what_is_due_and_removes_what_is_not(
    guild_ops: GuildOperations, make_config: MakeConfig, make_member: MakeMember
) -> None:
    """A threshold includes its number of bytes; other roles stay."""
    await make_config(role_rewards=REWARDS)
    await make_member(ALICE, 150)
    table: list[tuple[set[str], set[str], set[str]]] = [
        (set(), {"51", "52"}, set()),
        ({"51"}, {"52"}, set()),
        ({"51", "52"}, set(), set()),
        ({"52", "53"}, {"51"}, {"53"}),
        ({"51", "52", "53"}, set(), {"53"}),
    ]
    for current, add, remove in table:
        answer = await guild_ops.get_role_changes(GUILD, ALICE, current | OTHERS)
        assert changes(add, remove) == answer


async def test_get_role_changes_follows_the_squad(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
) -> None:
    """The squad's role is due, those of other squads are not, inactive or not."""
    await make_member(ALICE, 150)
    red = await make_squad(name="Red", role_id="61", switch_cost=0)
    blue = await make_squad(name="Blue", role_id="62", switch_cost=0)
    await make_squad(name="Grey", role_id="63", is_active=False)
    every = {"61", "62", "63"} | OTHERS
    assert changes(set(), {"61", "62", "63"}) == await guild_ops.get_role_changes(
        GUILD, ALICE, every
    )
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    assert changes({"61"}, {"62"}) == await guild_ops.get_role_changes(GUILD, ALICE, {"62"})
    await squad_ops.update_squad(GUILD, red.id, SquadUpdate(is_active=False))
    assert changes({"61"}, set()) == await guild_ops.get_role_changes(GUILD, ALICE, OTHERS)
    await squad_ops.switch_squad(GUILD, ALICE, blue.id)
    assert changes({"62"}, {"61", "63"}) == await guild_ops.get_role_changes(
        GUILD, ALICE, {"61", "63"}
    )


async def test_get_role_changes_keeps_a_squad_role_that_is_also_a_reward(
    guild_ops: GuildOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    make_squad: MakeSquad,
) -> None:
    """A role that is due for either reason stays."""
    await make_config(role_rewards={"61": 100, "62": 1000})
    await make_member(ALICE, 150)
    await make_squad(name="Red", role_id="61")
    blue = await make_squad(name="Blue", role_id="62")
    await SquadMembership.create(guild_id=GUILD, user_id=ALICE, squad_id=blue.id)
    assert changes(set(), set()) == await guild_ops.get_role_changes(GUILD, ALICE, ["61", "62"])


async def test_get_role_changes_of_an_unknown_member_creates_no_member(
    guild_ops: GuildOperations, make_config: MakeConfig, read_all_rows: ReadRows
) -> None:
    """No role is due, and rewards are removed."""
    assert changes(set(), set()) == await guild_ops.get_role_changes(GUILD, BOB, ["51"])
    await make_config(role_rewards=REWARDS)
    before = await read_all_rows()
    assert changes(set(), {"51"}) == await guild_ops.get_role_changes(GUILD, BOB, ["51", "7"])
    assert before == await read_all_rows()


async def test_get_role_changes_is_of_one_guild(
    guild_ops: GuildOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    make_squad: MakeSquad,
) -> None:
    """Rewards, squads, totals and memberships of another guild do not count."""
    await make_config(role_rewards={"51": 100})
    await make_config(OTHER_GUILD, role_rewards={"52": 1})
    await make_member(ALICE, 99)
    await make_member(ALICE, 500, OTHER_GUILD)
    other = await make_squad(OTHER_GUILD, role_id="61")
    await SquadMembership.create(guild_id=OTHER_GUILD, user_id=ALICE, squad_id=other.id)
    current = ["51", "52", "61"]
    assert changes(set(), {"51"}) == await guild_ops.get_role_changes(GUILD, ALICE, current)
    assert changes(set(), set()) == await guild_ops.get_role_changes(
        OTHER_GUILD, ALICE, ["52", "61"]
    )


async def test_get_role_changes_takes_ids_in_any_form(
    guild_ops: GuildOperations, make_config: MakeConfig, make_member: MakeMember, ids: Ids
) -> None:
    """Ints, text, any iterable; the answer is text."""
    await make_config(role_rewards=REWARDS)
    await make_member(ALICE, 100)
    roles = (role for role in (53, "52", 53))
    answer = await guild_ops.get_role_changes(int(GUILD), int(ALICE), roles)
    assert changes({"51"}, {"52", "53"}) == answer


@pytest.mark.parametrize("bad", [["51", -1], [None], "51", b"51", 51, None, [True]])
async def test_get_role_changes_refuses_bad_role_ids(guild_ops: GuildOperations, bad: Any) -> None:
    """A single id is not a collection of ids."""
    with pytest.raises(InvalidSnowflakeError):
        await guild_ops.get_role_changes(GUILD, ALICE, bad)


async def test_get_role_changes_agrees_with_get_earned_roles(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, make_config: MakeConfig
) -> None:
    """Without a squad, the due roles are the earned ones."""
    await make_config(role_rewards=REWARDS)
    await bytes_ops.grant(GUILD, ALICE, 50)
    answer = await guild_ops.get_role_changes(GUILD, ALICE, [])
    assert await bytes_ops.get_earned_roles(GUILD, ALICE) == answer.add == {"51", "52"}
