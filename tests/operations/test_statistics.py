"""Statistics: balances, and movements by kind and by date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Clock, MakeMember, make_transfer
from helpers.assertions import MAX_BYTES, ReadRows

from bytes_squads import (
    SYSTEM_ID,
    BytesBalance,
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    EconomyStatistics,
    GuildOperations,
    InvalidPageError,
    StorageError,
)
from bytes_squads.schemas import DayTotal, KindTotal

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


async def put(giver: str, receiver: str, amount: int, when: datetime, kind: str = "grant") -> None:
    """Write a row of the ledger."""
    parties = {"giver_id": giver, "giver_username": "", "receiver_id": receiver}
    rest = {"receiver_username": "", "amount": amount, "kind": kind, "created_at": when}
    await BytesTransaction.create(guild_id=GUILD, **parties, **rest)


async def test_get_statistics_of_a_week(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, clock: Clock, read_all_rows: ReadRows
) -> None:
    """Created and retired bytes follow from the parties."""
    clock.now = START
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30))  # 100 each
    await bytes_ops.claim_daily(GUILD, ALICE)
    clock.now += DAY
    await bytes_ops.charge(GUILD, BOB, 50)
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=0))
    await bytes_ops.claim_daily(GUILD, BOB)
    clock.now += 2 * DAY
    await bytes_ops.grant(GUILD, CAROL, 400)  # and 100
    await bytes_ops.grant(OTHER_GUILD, ALICE, 5000)
    await BytesTransaction.create(
        guild_id=GUILD,
        giver_id=CAROL,
        giver_username="",
        receiver_id=SYSTEM_ID,
        receiver_username=SYSTEM_ID,
        amount=400,
        kind="reversal",
        reverses_id=(await BytesTransaction.filter(guild_id=GUILD, amount=400).get()).id,
        created_at=clock.now,
    )
    before = await read_all_rows()
    week = await guild_ops.get_statistics(GUILD)
    assert before == await read_all_rows()
    expected = EconomyStatistics(
        members=3,
        circulation=80 + 80 + 500,
        richest_tenth_share=500 / 660,
        created=200 + 10 + 500,
        retired=50 + 400,
        transferred=30,
        kinds={
            "charge": KindTotal(1, 50),
            "daily": KindTotal(2, 10),
            "grant": KindTotal(1, 400),
            "reversal": KindTotal(1, 400),
            "starting": KindTotal(3, 300),
            "transfer": KindTotal(1, 30),
        },
        days=[
            DayTotal(date(2026, 3, 2), 210, 0, 30, 2),
            DayTotal(date(2026, 3, 3), 0, 50, 0, 1),
            DayTotal(date(2026, 3, 5), 500, 400, 0, 1),
        ],
    )
    assert expected == week
    assert week == await guild_ops.get_statistics(int(GUILD), START, START + 7 * DAY)


async def test_get_statistics_of_a_guild_without_rows(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, read_all_rows: ReadRows
) -> None:
    """All numbers are 0, and nothing is created."""
    await bytes_ops.get_balance(OTHER_GUILD, ALICE)
    before = await read_all_rows()
    nothing = EconomyStatistics(0, 0, 0.0, 0, 0, 0, {}, [])
    assert nothing == await guild_ops.get_statistics(GUILD)
    assert nothing == await guild_ops.get_statistics(GUILD, START, START + DAY)
    assert before == await read_all_rows()


async def test_get_statistics_is_of_its_period(guild_ops: GuildOperations) -> None:
    """A period includes its first instant and excludes its end; balances are present ones."""
    for amount, when in ((1, START - TICK), (2, START), (4, START + DAY - TICK), (8, START + DAY)):
        await put(SYSTEM_ID, ALICE, amount, when)
    periods: list[tuple[Any, Any, int]] = [
        (START, START + DAY, 6),
        (START, None, 14),
        (None, START + DAY, 7),
        (None, START, 1),
        (None, None, 15),
        (START + TICK, START + DAY - TICK, 0),
        (START + 9 * DAY, None, 0),
    ]
    for since, until, created in periods:
        found = await guild_ops.get_statistics(GUILD, since, until)
        assert created == found.created == sum(day.created for day in found.days)


@pytest.mark.parametrize(
    ("zone", "instants", "expected"),
    [
        ("Asia/Kathmandu", ["03-01T18:14:59.999999", "03-01T18:15"], ["03-01", "03-02"]),
        ("Pacific/Kiritimati", ["03-01T09:59:59", "03-01T10:00"], ["03-01", "03-02"]),
        # Clocks go forward on 8 March and back on 1 November: days of 23 and 25 hours.
        ("America/New_York", ["03-08T04:59", "03-08T05:00", "03-09T03:59", "03-09T04:00"],
         ["03-07", "03-08", "03-09"]),
        ("America/New_York", ["11-01T03:59", "11-01T04:00", "11-02T04:59", "11-02T05:00"],
         ["10-31", "11-01", "11-02"]),
        ("Africa/Cairo", ["04-23T21:59:59", "04-23T22:00"], ["04-23", "04-24"]),  # over midnight
    ],
)  # fmt: skip
async def test_get_statistics_has_the_dates_of_the_guild(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    zone: str,
    instants: list[str],
    expected: list[str],
) -> None:
    """A date begins at midnight in the guild's time zone, or when clocks jump over it."""
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(timezone=zone))
    for instant in instants:
        await put(SYSTEM_ID, ALICE, 1, datetime.fromisoformat(f"2026-{instant}+00:00"))
    found = await guild_ops.get_statistics(GUILD)
    assert [f"2026-{day}" for day in expected] == [day.date.isoformat() for day in found.days]
    assert len(instants) == sum(day.created for day in found.days)


async def test_get_statistics_joins_a_date_that_comes_twice(
    guild_ops: GuildOperations, bytes_ops: BytesOperations
) -> None:
    """At St. John's clocks went back from 00:01 to 23:01 of the date before."""
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(timezone="America/St_Johns"))
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    for amount, minutes in ((1, -1), (2, 0), (4, 1), (8, 59), (16, 60)):
        await put(SYSTEM_ID, ALICE, amount, midnight + timedelta(minutes=minutes))
    found = await guild_ops.get_statistics(GUILD)
    assert [
        DayTotal(date(2010, 11, 6), 1 + 4 + 8, 0, 0, 1),
        DayTotal(date(2010, 11, 7), 2 + 16, 0, 0, 1),
    ] == found.days


async def test_get_statistics_counts_a_member_once_on_a_date(guild_ops: GuildOperations) -> None:
    """As giver or as receiver, in however many rows; SYSTEM is no member."""
    for giver, receiver in ((ALICE, BOB), (BOB, ALICE), (ALICE, BOB), (SYSTEM_ID, CAROL)):
        await put(giver, receiver, 1, START, "transfer")
    await put(BOB, SYSTEM_ID, 1, START + DAY, "charge")
    found = await guild_ops.get_statistics(GUILD)
    assert [day.active_members for day in found.days] == [3, 1]


async def test_get_statistics_has_rows_at_the_ends_of_the_calendar(
    guild_ops: GuildOperations, bytes_ops: BytesOperations
) -> None:
    """At the ends of the calendar the date is that of UTC."""
    await bytes_ops.update_config(GUILD, BytesConfigUpdate(timezone="Pacific/Kiritimati"))
    await put(SYSTEM_ID, ALICE, 1, datetime(9999, 12, 31, 23, tzinfo=UTC))
    found = await guild_ops.get_statistics(GUILD)
    assert [date(9999, 12, 31)] == [day.date for day in found.days]


@pytest.mark.parametrize(("members", "richest"), [(1, 1), (9, 1), (10, 1), (11, 2), (20, 2)])
async def test_get_statistics_rounds_the_richest_tenth_up(
    guild_ops: GuildOperations, make_member: MakeMember, members: int, richest: int
) -> None:
    """Of eleven members two are a tenth."""
    for number in range(1, members + 1):
        await make_member(str(number), number)
    top = sum(range(members - richest + 1, members + 1))
    found = await guild_ops.get_statistics(GUILD)
    assert (members, sum(range(members + 1))) == (found.members, found.circulation)
    assert top / found.circulation == found.richest_tenth_share


async def test_get_statistics_counts_the_bytes_of_members_who_left(
    guild_ops: GuildOperations, make_member: MakeMember
) -> None:
    """Their bytes are in circulation; they are no members, and not the richest."""
    for user, balance in ((ALICE, 700), (BOB, 60), (CAROL, 40)):
        await make_member(user, balance)
    await guild_ops.set_member_left(GUILD, ALICE)
    found = await guild_ops.get_statistics(GUILD)
    assert (found.members, found.circulation, found.richest_tenth_share) == (2, 800, 0.6)


async def test_get_statistics_of_members_without_bytes(
    guild_ops: GuildOperations, make_member: MakeMember
) -> None:
    """The share is 0 if all balances are 0."""
    await make_member(ALICE, 0)
    found = await guild_ops.get_statistics(GUILD)
    assert (found.members, found.circulation, found.richest_tenth_share) == (1, 0, 0.0)


async def test_get_statistics_adds_up_beyond_64_bits(guild_ops: GuildOperations) -> None:
    """Sums are Python ints."""
    for user in range(1, 21):
        await BytesBalance.create(
            guild_id=GUILD, user_id=str(user), balance=MAX_BYTES, total_received=MAX_BYTES
        )
        await put(SYSTEM_ID, str(user), MAX_BYTES, START)
    found = await guild_ops.get_statistics(GUILD)
    total = 20 * MAX_BYTES
    assert (total, total, 0.1) == (found.circulation, found.created, found.richest_tenth_share)
    assert {"grant": KindTotal(20, total)} == found.kinds


async def test_get_statistics_without_data_of_the_zone_is_an_error(
    guild_ops: GuildOperations,
) -> None:
    """No other zone is used instead."""
    await BytesConfig.create(guild_id=GUILD, timezone="Mars/Olympus")
    with pytest.raises(StorageError, match="Mars/Olympus"):
        await guild_ops.get_statistics(GUILD)


async def test_get_statistics_in_a_zone_that_the_database_does_not_know(
    guild_ops: GuildOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates are computed in Python, not in the database."""
    zone = datetime.fromisoformat("2026-03-02T00:00+05:30").tzinfo
    monkeypatch.setattr("bytes_squads.domain.validation.find_timezone", lambda name: zone)
    await BytesConfig.create(guild_id=GUILD, timezone="Mars/Olympus")
    for minutes in (-331, -330):
        await put(SYSTEM_ID, ALICE, 1, START + timedelta(minutes=minutes))
    found = await guild_ops.get_statistics(GUILD)
    assert [date(2026, 3, 1), date(2026, 3, 2)] == [day.date for day in found.days]


@pytest.mark.parametrize("bad", [START.replace(tzinfo=None), date(2026, 3, 2), "2026-03-02", 0])
async def test_get_statistics_refuses_bad_instants(guild_ops: GuildOperations, bad: Any) -> None:
    """Only a timezone-aware datetime is an instant, and a period does not end before it begins."""
    for period in ((bad, None), (None, bad)):
        with pytest.raises(InvalidPageError) as caught:
            await guild_ops.get_statistics(GUILD, *period)
        assert bad is caught.value.value
    with pytest.raises(InvalidPageError):
        await guild_ops.get_statistics(GUILD, START, START)
