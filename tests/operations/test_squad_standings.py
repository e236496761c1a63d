"""Standings: the squads of a guild by the total balance of their members."""

from __future__ import annotations

import pytest
from helpers import Ids, MakeMember, MakeSquad
from helpers.assertions import MAX_BYTES, as_dict

from bytes_squads import (
    BytesBalance,
    InvalidPageError,
    Squad,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.domain.rules import wall_time


async def standing(ids: Ids, squad: Squad, make_member: MakeMember, *balances: int | None) -> None:
    """Fill a squad with new members; None is one without a balance."""
    for balance in balances:
        user = str(5_000 + await SquadMembership.all().count())
        if balance is not None:
            await make_member(user, balance)
        await SquadMembership.create(guild_id=ids.guild, user_id=user, squad_id=squad.id)


async def test_get_squad_leaderboard_orders_by_the_sum_of_balances(
    squad_ops: SquadOperations, make_squad: MakeSquad, make_member: MakeMember, ids: Ids
) -> None:
    """The sums decide, then the names; empty squads are last, inactive ones left out."""
    sums = {
        "Ash": (30, 40),  # 70
        "Elm": (100, 1, 0),  # 101
        "Fir": (70,),  # 70, after Ash by name
        "Oak": (None, 5),  # who has no balance has nothing: 5
        "Yew": (),  # 0
        "Bay": (None,),  # 0, before Yew by name
    }
    for name, balances in sums.items():
        await standing(ids, await make_squad(name=name), make_member, *balances)
    await standing(ids, await make_squad(name="Ivy", is_active=False), make_member, 1000)
    other = await make_squad(ids.other_guild, name="Fig")
    await make_member("5001", 9000, ids.other_guild)
    await SquadMembership.create(guild_id=ids.other_guild, user_id="5001", squad_id=other.id)
    expected = [
        (1, "Elm", 3, 101),
        (2, "Ash", 2, 70),
        (3, "Fir", 1, 70),
        (4, "Oak", 2, 5),
        (5, "Bay", 1, 0),
        (6, "Yew", 0, 0),
    ]
    board = await squad_ops.get_squad_leaderboard(ids.guild)
    assert expected == [
        (row.rank, row.squad.name, row.member_count, row.total_balance) for row in board
    ]
    top = await squad_ops.get_squad_leaderboard(int(ids.guild), limit=2)
    assert expected[:2] == [
        (row.rank, row.squad.name, row.member_count, row.total_balance) for row in top
    ]
    assert as_dict(await Squad.get(name="Elm")) == as_dict(board[0].squad)


async def test_get_squad_leaderboard_leaves_out_members_who_left(
    squad_ops: SquadOperations, make_squad: MakeSquad, make_member: MakeMember, ids: Ids
) -> None:
    """Neither their balances nor they themselves count."""
    await standing(ids, await make_squad(name="Ash"), make_member, MAX_BYTES, 1, 2)
    await standing(ids, await make_squad(name="Elm"), make_member, 2, None)
    await standing(ids, await make_squad(name="Fir"), make_member, 9)
    await BytesBalance.filter(balance__in=(MAX_BYTES, 2, 9)).update(left_at=wall_time())
    board = await squad_ops.get_squad_leaderboard(ids.guild)
    assert [(row.squad.name, row.member_count, row.total_balance) for row in board] == [
        ("Ash", 1, 1),
        ("Elm", 1, 0),
        ("Fir", 0, 0),
    ]


async def test_get_squad_leaderboard_orders_equal_squads_by_id(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids
) -> None:
    """With equal sum and name the order is by id."""
    made = [await make_squad(name="Same") for _ in range(5)]
    board = await squad_ops.get_squad_leaderboard(ids.guild)
    assert sorted(squad.id for squad in made) == [row.squad.id for row in board]


@pytest.mark.parametrize(
    "balances",
    [
        (MAX_BYTES, 1),  # 2⁶³
        (MAX_BYTES, MAX_BYTES),
        (MAX_BYTES, MAX_BYTES, MAX_BYTES, MAX_BYTES, 3),
        (2**62, 2**62),
        (2**32 - 1, 2**32 - 1, 2),  # the lower halves carry over
    ],
    ids=str,
)
async def test_get_squad_leaderboard_adds_beyond_64_bits(
    squad_ops: SquadOperations,
    make_squad: MakeSquad,
    make_member: MakeMember,
    ids: Ids,
    balances: tuple[int, ...],
) -> None:
    """The sum is an exact Python int."""
    await standing(ids, await make_squad(name="A"), make_member, sum(balances) // len(balances))
    await standing(ids, await make_squad(name="B"), make_member, *balances)
    first = (await squad_ops.get_squad_leaderboard(ids.guild))[0]
    assert ("B", int, sum(balances)) == (
        first.squad.name,
        type(first.total_balance),
        first.total_balance,
    )


async def test_get_squad_leaderboard_has_ten_squads_by_default(
    squad_ops: SquadOperations, make_squad: MakeSquad, ids: Ids
) -> None:
    """Of eleven squads ten are shown, or as many as asked for."""
    for n in range(11):
        await make_squad(name=f"{n:02}")
    sizes = [
        len(await squad_ops.get_squad_leaderboard(ids.guild)),
        len(await squad_ops.get_squad_leaderboard(ids.guild, limit=1)),
        len(await squad_ops.get_squad_leaderboard(ids.guild, limit=10_000)),
    ]
    assert sizes == [10, 1, 11]
    with pytest.raises(InvalidPageError):
        await squad_ops.get_squad_leaderboard(ids.guild, limit=0)
