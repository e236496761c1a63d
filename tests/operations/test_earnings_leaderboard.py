"""Earnings: who received the most in a week or a month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Clock, MakeMember, make_transfer
from helpers.assertions import MAX_BYTES, ReadRows

from bytes_squads import (
    SYSTEM_ID,
    BytesOperations,
    BytesTransaction,
    GuildOperations,
    InvalidPageError,
    LeaderboardEntry,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=7)
TICK = timedelta(microseconds=1)


async def receive(
    user: str, amount: int, when: datetime, kind: str = "grant", **fields: Any
) -> BytesTransaction:
    """Write a row of the ledger that a member received."""
    values = {
        "guild_id": GUILD,
        "giver_id": SYSTEM_ID,
        "giver_username": SYSTEM_ID,
        "receiver_id": user,
        "receiver_username": "",
    }
    row = values | {"amount": amount, "kind": kind, "created_at": when} | fields
    return await BytesTransaction.create(**row)


async def reverse(row: BytesTransaction, when: datetime) -> None:
    """Write the row that takes another back."""
    parties = {"giver_id": row.receiver_id, "receiver_id": row.giver_id}
    await receive("", row.amount, when, "reversal", reverses_id=row.id, **parties)


def entries(*pairs: tuple[str, int]) -> list[LeaderboardEntry]:
    return [LeaderboardEntry(rank, *pair) for rank, pair in enumerate(pairs, 1)]


@pytest.fixture(autouse=True)
async def members(make_member: MakeMember) -> None:
    """Three members, who received their starting balance in the period."""
    for user in (ALICE, BOB, CAROL):
        await make_member(user, 500)


async def test_get_earnings_leaderboard_counts_transfers_claims_and_grants(
    bytes_ops: BytesOperations, clock: Clock, read_all_rows: ReadRows
) -> None:
    """It adds up received bytes without starting balances, regardless of spending."""
    clock.now = START
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30))
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 5))
    await bytes_ops.claim_daily(GUILD, ALICE)  # 10
    await bytes_ops.grant(GUILD, ALICE, 7)
    await bytes_ops.charge(GUILD, ALICE, 400)
    before = await read_all_rows()
    board = await bytes_ops.get_earnings_leaderboard(GUILD, START, END)
    assert before == await read_all_rows()
    assert entries((BOB, 35), (ALICE, 17)) == board
    assert board == await bytes_ops.get_earnings_leaderboard(int(GUILD), START)
    assert board[:1] == await bytes_ops.get_earnings_leaderboard(GUILD, START, END, 1)
    assert await bytes_ops.get_earnings_leaderboard(OTHER_GUILD, START, END) == []


async def test_get_earnings_leaderboard_is_of_its_period(bytes_ops: BytesOperations) -> None:
    """A period includes its first instant and excludes its end, in any time zone."""
    for amount, when in ((1, START - TICK), (2, START), (4, END - TICK), (8, END)):
        await receive(ALICE, amount, when)
    periods = {
        (START, END): 6,
        (START, None): 14,
        (START - TICK, END): 7,
        (START, END + TICK): 14,
        (START + TICK, END - TICK): 0,
        (END, END + TICK): 8,
    }
    for (since, until), total in periods.items():
        board = await bytes_ops.get_earnings_leaderboard(GUILD, since, until)
        assert (entries((ALICE, total)) if total else []) == board
    berlin = datetime.fromisoformat("2026-03-02T01:00:00+01:00")
    assert entries((ALICE, 14)) == await bytes_ops.get_earnings_leaderboard(GUILD, berlin)


async def test_get_earnings_leaderboard_leaves_out_what_was_reversed(
    bytes_ops: BytesOperations,
) -> None:
    """A reversed row does not count, and neither does a reversal."""
    kept, undone = await receive(ALICE, 5, START), await receive(ALICE, 9, START)
    await reverse(undone, END + timedelta(days=300))
    sent = await receive(BOB, 50, START, "transfer", giver_id=CAROL)
    await reverse(sent, START)
    assert kept.amount == 5
    assert entries((ALICE, 5)) == await bytes_ops.get_earnings_leaderboard(GUILD, START, END)


async def test_get_earnings_leaderboard_orders_ties_by_user_id_as_text(
    bytes_ops: BytesOperations, make_member: MakeMember
) -> None:
    """As the leaderboard of balances does."""
    for user, amount in (("9", 5), ("10", 5), ("100", 5), ("8", 6)):
        await make_member(user, 0)
        await receive(user, amount, START)
    expected = entries(("8", 6), ("10", 5), ("100", 5), ("9", 5))
    assert expected == await bytes_ops.get_earnings_leaderboard(GUILD, START, END)


async def test_get_earnings_leaderboard_leaves_out_members_who_left(
    bytes_ops: BytesOperations, guild_ops: GuildOperations
) -> None:
    """Members who left are not listed; after they come back, they are."""
    await receive(ALICE, 9, START)
    await receive(BOB, 5, START)
    await guild_ops.set_member_left(GUILD, ALICE)
    assert entries((BOB, 5)) == await bytes_ops.get_earnings_leaderboard(GUILD, START)
    await guild_ops.set_member_left(GUILD, ALICE, left=False)
    assert entries((ALICE, 9), (BOB, 5)) == await bytes_ops.get_earnings_leaderboard(GUILD, START)


async def test_get_earnings_leaderboard_adds_up_beyond_64_bits(bytes_ops: BytesOperations) -> None:
    """A sum is a Python int, and large sums are ordered by all of their digits."""
    for amount in (MAX_BYTES, MAX_BYTES, 1):
        await receive(ALICE, amount, START)
    for amount in (MAX_BYTES, MAX_BYTES, 2):
        await receive(BOB, amount, START)
    await receive(CAROL, MAX_BYTES, START)
    expected = entries((BOB, 2 * MAX_BYTES + 2), (ALICE, 2 * MAX_BYTES + 1), (CAROL, MAX_BYTES))
    assert expected == await bytes_ops.get_earnings_leaderboard(GUILD, START)


NAIVE = START.replace(tzinfo=None)
NOT_IN_UTC = datetime.min.replace(tzinfo=datetime.fromisoformat("2026-03-02T01+01").tzinfo)


@pytest.mark.parametrize("bad", [NAIVE, date(2026, 3, 2), "2026-03-02", 0, True, NOT_IN_UTC, None])
async def test_get_earnings_leaderboard_refuses_bad_instants(
    bytes_ops: BytesOperations, bad: Any
) -> None:
    """A naive datetime is not an instant."""
    calls = [(bad, END), *([(START, bad)] if bad is not None else [])]
    for period in calls:
        with pytest.raises(InvalidPageError) as caught:
            await bytes_ops.get_earnings_leaderboard(GUILD, *period)
        assert bad is caught.value.value


@pytest.mark.parametrize("until", [START, START - TICK])
async def test_get_earnings_leaderboard_refuses_a_period_that_ends_before_it_begins(
    bytes_ops: BytesOperations, until: datetime
) -> None:
    """A period whose end is not after its beginning is refused."""
    with pytest.raises(InvalidPageError) as caught:
        await bytes_ops.get_earnings_leaderboard(GUILD, START, until)
    assert until is caught.value.value
