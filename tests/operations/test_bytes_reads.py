"""Reads: leaderboard, rank, history, earned roles."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember
from helpers.assertions import MAX_BYTES, ReadRows, as_dict

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    InvalidPageError,
    LeaderboardEntry,
)
from bytes_squads.domain.rules import wall_time

# Leaderboard and rank -----------------------------------------------------------------------------

# As text "10" < "100" < "9" < "95"; the ties are told apart by that, not by the number.
MEMBERS = {"9": 50, "10": 50, "100": 50, "95": 50, "3": MAX_BYTES, "4": 0, "5": 51, "6": 49}
ORDER = [
    ("3", MAX_BYTES),
    ("5", 51),
    ("10", 50),
    ("100", 50),
    ("9", 50),
    ("95", 50),
    ("6", 49),
    ("4", 0),
]
RANKED = [LeaderboardEntry(rank, user, balance) for rank, (user, balance) in enumerate(ORDER, 1)]


@pytest.fixture
async def ranked(make_member: MakeMember, ids: Ids) -> None:
    """Eight members with ties, and one of another guild who has more than most."""
    for user, balance in MEMBERS.items():
        await make_member(user, balance)
    await make_member("7", 1000, ids.other_guild)
    await make_member("9", 2000, ids.other_guild)


@pytest.mark.usefixtures("ranked")
@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [
        (10, 0, RANKED),
        (10_000, 0, RANKED),
        (1, 0, RANKED[:1]),
        (3, 0, RANKED[:3]),
        (3, 3, RANKED[3:6]),  # ranks 4, 5, 6, in the middle of the ties
        (3, 6, RANKED[6:]),
        (3, 7, RANKED[7:]),
        (3, 8, []),
        (1, MAX_BYTES, []),
        (10_000, MAX_BYTES, []),
    ],
)
async def test_get_leaderboard_orders_by_balance_then_user_id(
    bytes_ops: BytesOperations, ids: Ids, limit: int, offset: int, expected: list[LeaderboardEntry]
) -> None:
    """By balance descending, then by user id as text; the rank is the position in the whole."""
    assert expected == await bytes_ops.get_leaderboard(ids.guild, limit, offset)


async def test_get_leaderboard_has_ten_entries_by_default(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """Of twelve members the first ten are shown."""
    for n in range(1, 13):
        await make_member(str(100 + n), n)
    board = await bytes_ops.get_leaderboard(ids.guild)
    assert [(n, 13 - n) for n in range(1, 11)] == [(entry.rank, entry.balance) for entry in board]


@pytest.mark.usefixtures("ranked")
@pytest.mark.parametrize("place", range(len(RANKED)))
async def test_get_rank_equals_the_leaderboard_entry(
    bytes_ops: BytesOperations, ids: Ids, place: int
) -> None:
    """The rank of a member is the entry of the leaderboard."""
    assert RANKED[place] == await bytes_ops.get_rank(ids.guild, RANKED[place].user_id)


@pytest.mark.usefixtures("ranked")
async def test_get_rank_of_an_unknown_member_is_none(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Another guild's member has no rank here, and the call creates no member."""
    before = await read_all_rows()
    assert [
        await bytes_ops.get_rank(ids.guild, "7"),
        await bytes_ops.get_rank("12345", "9"),
    ] == [None, None]
    assert LeaderboardEntry(1, "9", 2000) == await bytes_ops.get_rank(ids.other_guild, "9")
    assert before == await read_all_rows()


@pytest.mark.usefixtures("ranked")
async def test_get_leaderboard_and_rank_leave_out_members_who_left(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """Members who left have no rank, and those below move up."""
    gone = ["3", "100", "4"]
    await BytesBalance.filter(guild_id=ids.guild, user_id__in=gone).update(left_at=wall_time())
    left = [entry for entry in ORDER if entry[0] not in gone]
    expected = [LeaderboardEntry(rank, *entry) for rank, entry in enumerate(left, 1)]
    ranks = [await bytes_ops.get_rank(ids.guild, user) for user, _ in left]
    assert [await bytes_ops.get_rank(ids.guild, user) for user in gone] == [None] * len(gone)
    assert expected == ranks == await bytes_ops.get_leaderboard(ids.guild)
    assert expected[2:] == await bytes_ops.get_leaderboard(ids.guild, offset=2)


async def test_find_balance_creates_no_member(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """An unknown member is None, here and there; a known one is the stored row."""
    row = await make_member(ids.alice, 30)
    before = await read_all_rows()
    for guild, user in ((ids.guild, ids.bob), (ids.other_guild, ids.alice)):
        assert await bytes_ops.find_balance(guild, user) is None
    found = await bytes_ops.find_balance(int(ids.guild), int(ids.alice))
    assert before == await read_all_rows()
    assert as_dict(await BytesBalance.get(id=row.id)) == as_dict(found)


@pytest.mark.usefixtures("ranked")
async def test_count_members_counts_the_leaderboard(bytes_ops: BytesOperations, ids: Ids) -> None:
    """It counts one guild without members who left; 0 for an unknown guild."""
    assert len(MEMBERS) == await bytes_ops.count_members(ids.guild)
    await BytesBalance.filter(guild_id=ids.guild, user_id="3").update(left_at=wall_time())
    board = await bytes_ops.get_leaderboard(ids.guild)
    assert len(MEMBERS) - 1 == len(board) == await bytes_ops.count_members(ids.guild)
    assert await bytes_ops.count_members("999") == 0
    left = await bytes_ops.find_balance(ids.guild, "3")
    assert left is not None
    assert left.left_at is not None


async def test_get_leaderboard_of_a_guild_without_members_is_empty(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The list is empty, and nothing is created."""
    before = await read_all_rows()
    assert await bytes_ops.get_leaderboard(ids.guild) == []
    assert before == await read_all_rows()


# History ------------------------------------------------------------------------------------------


async def put(
    ids: Ids,
    giver: str,
    receiver: str,
    clock: Clock,
    id_: UUID | None = None,
    kind: str = "transfer",
) -> None:
    """A row in the ledger."""
    more = {"id": id_} if id_ else {}
    await BytesTransaction.create(
        guild_id=ids.guild,
        giver_id=giver,
        giver_username="",
        receiver_id=receiver,
        receiver_username="",
        amount=1,
        kind=kind,
        created_at=clock.now,
        **more,
    )


async def test_get_transaction_history_is_newest_first(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """The latest row comes first; the rows are those that the operations returned."""
    await make_member(ids.alice, 100)
    answers = []
    for minutes in range(1, 4):
        clock.advance(minutes=minutes)
        answers.append(await bytes_ops.grant(ids.guild, ids.alice, minutes))
    history = await bytes_ops.get_transaction_history(ids.guild, limit=3)
    assert [as_dict(row) for row in reversed(answers)] == [as_dict(row) for row in history]


async def test_get_transaction_history_orders_by_time_before_id(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """With the clock set back an hour, a later row sorts as earlier."""
    await make_member(ids.alice, 0)
    await bytes_ops.grant(ids.guild, ids.alice, 1)
    clock.advance(hours=-1)
    await bytes_ops.grant(ids.guild, ids.alice, 2)
    history = await bytes_ops.get_transaction_history(ids.guild)
    assert [row.amount for row in history] == [1, 2]


async def test_get_transaction_history_orders_equal_times_by_id(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """Of rows with the same time the larger id is the newer one."""
    drawn = [UUID(int=(7 << 76) + (2 << 62) + (n << 80)) for n in (3, 1, 11, 2, 255)]
    for id_ in drawn:
        await put(ids, ids.alice, ids.bob, clock, id_)
    history = await bytes_ops.get_transaction_history(ids.guild)
    assert sorted(drawn, reverse=True) == [row.id for row in history]


@pytest.mark.parametrize("method", ["grant", "charge", "claim_daily", "grant_many"])
async def test_get_transaction_history_ends_with_the_starting_balance(
    bytes_ops: BytesOperations, ids: Ids, method: str
) -> None:
    """At the same time, the starting row has a smaller id than the row that follows it."""
    if method == "claim_daily":
        await bytes_ops.claim_daily(ids.guild, ids.alice)
    elif method == "grant_many":
        await bytes_ops.grant_many(ids.guild, {ids.alice: 30})
    else:
        await getattr(bytes_ops, method)(ids.guild, ids.alice, 30)
    history = await bytes_ops.get_transaction_history(ids.guild, ids.alice)
    assert history[-1].kind == "starting"


async def test_get_transaction_history_of_a_member_has_both_sides(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """Rows with the member as giver or as receiver, and no others."""
    for giver, receiver in (
        (ids.alice, ids.bob),
        (ids.bob, ids.carol),
        ("SYSTEM", ids.alice),
        (ids.carol, ids.alice),
        (ids.bob, "SYSTEM"),
    ):
        clock.advance(minutes=1)
        await put(ids, giver, receiver, clock)
    history = await bytes_ops.get_transaction_history(ids.guild, ids.alice)
    expected = [(ids.carol, ids.alice), ("SYSTEM", ids.alice), (ids.alice, ids.bob)]
    assert expected == [(row.giver_id, row.receiver_id) for row in history]
    whole = await bytes_ops.get_transaction_history(ids.guild)
    assert [ids.bob, ids.carol, "SYSTEM", ids.bob, ids.alice] == [row.giver_id for row in whole]


async def test_get_transaction_history_shows_one_guild(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Another guild's rows are not shown, and reading creates nothing."""
    await bytes_ops.grant(ids.other_guild, ids.alice, 5)
    before = await read_all_rows()
    assert [
        await bytes_ops.get_transaction_history(ids.guild),
        await bytes_ops.get_transaction_history(ids.guild, ids.alice),
    ] == [[], []]
    assert before == await read_all_rows()


async def test_get_transaction_history_has_twenty_rows_by_default(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """Of 22 rows the newest 20 are shown, or as many as asked for."""
    for _ in range(22):
        await put(ids, ids.alice, ids.bob, clock)
    sizes = [
        len(await bytes_ops.get_transaction_history(ids.guild)),
        len(await bytes_ops.get_transaction_history(ids.guild, limit=1)),
        len(await bytes_ops.get_transaction_history(ids.guild, limit=10_000)),
    ]
    assert sizes == [20, 1, 22]


@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=1)], ids=["ties", "apart"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 11])
@pytest.mark.parametrize("whose", ["guild", "member"])
async def test_get_transaction_history_pages_skip_and_repeat_nothing(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, step: timedelta, size: int, whose: str
) -> None:
    """All pages are the whole history, although a new row is inserted before each page."""
    for n in range(10):
        parties = (ids.alice, ids.bob) if n % 2 else (ids.bob, ids.alice)
        await put(ids, *parties, clock)
        clock.now += step
    user = ids.alice if whose == "member" else None
    expected = [row.id for row in await bytes_ops.get_transaction_history(ids.guild, user)]
    seen: list[UUID] = []
    last = None
    for _ in range(len(expected) + 1):  # at one row a page the last one is empty
        page = await bytes_ops.get_transaction_history(ids.guild, user, limit=size, before=last)
        assert len(page) <= size
        seen += [row.id for row in page]
        if not page:
            break
        last = page[-1]
        await put(ids, ids.alice, ids.bob, clock)
    assert expected == seen


KINDS = ("transfer", "starting", "daily", "grant", "charge", "squad")


@pytest.mark.parametrize("whose", ["guild", "member"])
async def test_get_transaction_history_of_one_kind_and_since_an_instant(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, whose: str
) -> None:
    """All pages equal the filtered history; the instant is included."""
    instants = []
    for n in range(24):
        await put(ids, ids.alice, ids.bob, clock, kind=KINDS[n % 4])
        instants.append(clock.now)
        clock.now += timedelta(microseconds=n % 3)
    user = ids.bob if whose == "member" else None
    whole = await bytes_ops.get_transaction_history(ids.guild, user, limit=100)
    for kind in (None, *KINDS):
        for since in (None, instants[0], instants[9], instants[10], clock.now + timedelta(1)):
            expected = [
                row.id
                for row in whole
                if kind in {None, row.kind} and (since is None or row.created_at >= since)
            ]
            seen: list[UUID] = []
            last = None
            for _ in range(len(expected) + 1):
                page = await bytes_ops.get_transaction_history(
                    ids.guild, user, 3, last, kind=kind, since=since
                )
                seen += [row.id for row in page]
                last = page[-1] if page else last
            assert expected == seen


@pytest.mark.parametrize("bad", ["", "Transfer", "transfers", "SYSTEM", b"daily", 1, ("daily",)])
async def test_get_transaction_history_refuses_an_unknown_kind(
    bytes_ops: BytesOperations, ids: Ids, bad: Any
) -> None:
    """A misspelled kind is a mistake in the call, not an empty history."""
    with pytest.raises(InvalidPageError) as caught:
        await bytes_ops.get_transaction_history(ids.guild, kind=bad)
    assert bad is caught.value.value


@pytest.mark.parametrize(
    "bad", [Clock().now.replace(tzinfo=None), date(2026, 3, 2), "2026-03-02", 0]
)
async def test_get_transaction_history_refuses_a_bad_instant(
    bytes_ops: BytesOperations, ids: Ids, bad: Any
) -> None:
    """Only a timezone-aware datetime is an instant."""
    with pytest.raises(InvalidPageError) as caught:
        await bytes_ops.get_transaction_history(ids.guild, since=bad)
    assert bad is caught.value.value


# Earned roles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "spent", "expected"),
    [
        (99, 0, set()),
        (100, 0, {"301"}),
        (1000, 0, {"301", "302", "303"}),
        (1000, 1000, {"301", "302", "303"}),  # what was received counts, not what is left
    ],
)
async def test_get_earned_roles_compares_total_received(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    received: int,
    spent: int,
    expected: set[str],
) -> None:
    """Each role whose threshold ≤ total_received, regardless of the balance."""
    await make_config(role_rewards={"303": 1000, "301": 100, "302": 1000, "304": 1001})
    await make_member(ids.alice, received)
    if spent:
        await bytes_ops.charge(ids.guild, ids.alice, spent)
    assert expected == await bytes_ops.get_earned_roles(ids.guild, ids.alice)


async def test_get_earned_roles_of_an_unknown_member_is_empty(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
) -> None:
    """Without a balance, a config or rewards there is no role, and nothing is created."""
    await make_config(role_rewards={"301": 1})
    await make_member(ids.alice, 100, ids.other_guild)
    before = await read_all_rows()
    assert [set(), set()] == [
        await bytes_ops.get_earned_roles(ids.guild, ids.alice),
        await bytes_ops.get_earned_roles(ids.other_guild, ids.alice),
    ]
    assert before == await read_all_rows()
