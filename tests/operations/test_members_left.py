"""Members who left the Discord guild, and come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from helpers import (
    ALICE,
    BOB,
    GUILD,
    OTHER_GUILD,
    Clock,
    MakeMember,
    MakeSquad,
    TestData,
    make_transfer,
)
from helpers.assertions import Check, ReadRows

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    GuildOperations,
    SquadMembership,
    SquadOperations,
    in_transaction,
)
from bytes_squads.operations import ledger


async def left_at(user: str = ALICE, guild: str = GUILD) -> Any:
    return (await BytesBalance.get(guild_id=guild, user_id=user)).left_at


async def test_set_member_left_keeps_balance_and_ledger(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    clock: Clock,
    assert_ledger_consistent: Check,
) -> None:
    """Only leaderboard, ranks and the count leave the member out."""
    await make_member(ALICE, 30)
    await make_member(BOB, 20)
    await make_member(ALICE, 10, OTHER_GUILD)
    before = await BytesBalance.get(guild_id=GUILD, user_id=ALICE)
    clock.advance(hours=1)
    assert await guild_ops.set_member_left(GUILD, ALICE) is True
    after = await BytesBalance.get(guild_id=GUILD, user_id=ALICE)
    assert clock() == after.left_at
    assert before.updated_at < after.updated_at
    assert (after.balance, after.total_received, after.total_sent) == (30, 30, 0)
    assert [entry.user_id for entry in await bytes_ops.get_leaderboard(GUILD)] == [BOB]
    assert await bytes_ops.get_rank(GUILD, ALICE) is None
    assert len(await bytes_ops.get_transaction_history(GUILD)) == 2
    assert await left_at(guild=OTHER_GUILD) is None
    assert await left_at(BOB) is None
    await assert_ledger_consistent()


async def test_set_member_left_gives_up_the_seat(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    clock: Clock,
    assert_ledger_consistent: Check,
) -> None:
    """It writes a row of 0 bytes as leave_squad does, and the seat is free."""
    red = await make_squad(max_members=1, switch_cost=5)
    other = await make_squad(OTHER_GUILD, switch_cost=0)
    await make_member(ALICE, 30)
    await make_member(BOB, 20)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    await squad_ops.join_squad(OTHER_GUILD, ALICE, other.id)
    clock.advance(hours=1)
    assert await guild_ops.set_member_left(GUILD, ALICE)
    (row, *_) = await BytesTransaction.filter(guild_id=GUILD).order_by("-id")
    assert clock() == await left_at() == row.created_at
    assert (row.kind, row.amount, row.giver_id, row.receiver_id) == ("squad", 0, ALICE, "SYSTEM")
    assert {"action": "leave", "squad_id": str(red.id)} == row.details
    assert [seat.guild_id for seat in await SquadMembership.all()] == [OTHER_GUILD]
    await squad_ops.join_squad(GUILD, BOB, red.id)
    await assert_ledger_consistent()


async def test_set_member_left_repeated_changes_nothing(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    clock: Clock,
    read_all_rows: ReadRows,
) -> None:
    """A repetition writes no row and keeps the time, in both directions."""
    red = await make_squad(switch_cost=0)
    await make_member(ALICE, 30)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    for left in (True, False):
        assert await guild_ops.set_member_left(GUILD, ALICE, left)
        rows = await read_all_rows()
        clock.advance(hours=1)
        assert await guild_ops.set_member_left(GUILD, ALICE, left)
        assert rows == await read_all_rows()


async def test_set_member_left_of_an_unknown_member_writes_nothing(
    guild_ops: GuildOperations, make_member: MakeMember, read_all_rows: ReadRows
) -> None:
    """A member without a balance stays unknown, also if another guild knows them."""
    await make_member(ALICE, 30, OTHER_GUILD)
    before = await read_all_rows()
    for left in (True, False):
        assert await guild_ops.set_member_left(GUILD, ALICE, left) is False
    assert before == await read_all_rows()


async def test_set_member_left_undone_restores_all_but_the_seat(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
) -> None:
    """Balance, rank and totals are as before; the seat is not restored."""
    red = await make_squad(switch_cost=0)
    await make_member(ALICE, 30)
    await make_member(BOB, 20)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    board = await bytes_ops.get_leaderboard(GUILD)
    await guild_ops.set_member_left(GUILD, ALICE)
    assert await guild_ops.set_member_left(GUILD, ALICE, left=False) is True
    assert await left_at() is None
    assert board == await bytes_ops.get_leaderboard(GUILD)
    assert await squad_ops.get_user_squad(GUILD, ALICE) is None


async def test_set_member_left_is_not_undone_by_other_operations(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    clock: Clock,
    assert_ledger_consistent: Check,
) -> None:
    """Bytes move as usual, and the next call gives up a seat taken since."""
    red = await make_squad(switch_cost=5)
    await make_member(ALICE, 30)
    await make_member(BOB, 20)
    await guild_ops.set_member_left(GUILD, ALICE)
    first = await left_at()
    clock.advance(hours=1)
    await bytes_ops.create_transaction(make_transfer(BOB, ALICE, 1))
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 2))
    await bytes_ops.claim_daily(GUILD, ALICE)
    await bytes_ops.grant(GUILD, ALICE, 3)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    assert first == await left_at()
    assert [entry.user_id for entry in await bytes_ops.get_leaderboard(GUILD)] == [BOB]
    assert [each.member_count for each in await squad_ops.get_squad_leaderboard(GUILD)] == [0]
    assert await guild_ops.set_member_left(GUILD, ALICE)
    assert first == await left_at()
    assert await SquadMembership.all().count() == 0
    await assert_ledger_consistent()


async def test_set_member_left_at_the_same_time_gives_up_the_seat_once(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    assert_ledger_consistent: Check,
) -> None:
    """Of two concurrent calls one gives up the seat, and both return True."""
    red = await make_squad(switch_cost=0)
    await make_member(ALICE, 30)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    answers = await asyncio.gather(*(guild_ops.set_member_left(GUILD, ALICE) for _ in range(8)))
    rows = await BytesTransaction.filter(kind="squad").order_by("id")
    assert answers == [True] * 8
    assert [row.details["action"] for row in rows if row.details] == ["join", "leave"]
    assert await SquadMembership.all().count() == 0
    await assert_ledger_consistent()


@pytest.mark.parametrize("left", [True, False])
async def test_set_member_left_in_a_block_is_undone_with_it(
    guild_ops: GuildOperations, make_member: MakeMember, left: bool, read_all_rows: ReadRows
) -> None:
    """The outer rollback undoes the mark; the member is known inside the block already."""
    await make_member(ALICE, 30)
    if not left:
        await guild_ops.set_member_left(GUILD, ALICE)
    before = await read_all_rows()
    with pytest.raises(ZeroDivisionError):
        async with in_transaction():
            assert await guild_ops.set_member_left(GUILD, ALICE, left)
            assert (await left_at() is not None) is left
            raise ZeroDivisionError
    assert before == await read_all_rows()


async def test_set_member_left_gives_up_a_seat_that_is_taken_meanwhile(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member who joins a squad after the look for a seat is marked without that seat."""
    await SquadMembership.filter(user_id=BOB).delete()
    post = ledger.post

    async def post_early(*arguments: Any) -> Any:
        monkeypatch.undo()
        verdict = await post(*arguments)
        await squad_ops.join_squad(GUILD, BOB, test_data.red.id)
        return verdict

    monkeypatch.setattr(ledger, "post", post_early)
    assert await guild_ops.set_member_left(GUILD, BOB)
    assert await left_at(BOB) is not None
    assert not await SquadMembership.filter(user_id=BOB).exists()
