"""Daily claims: dates of the guild's zone, streaks, multipliers, and claims of 0 bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember
from helpers.assertions import MAX_BYTES, Check, ReadRows, assert_refused

from bytes_squads import (
    BalanceOverflowError,
    BytesBalance,
    BytesConfig,
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    DailyAlreadyClaimedError,
    DailyClaim,
    IdempotencyConflictError,
    OutcomeUnknownError,
    StorageError,
    StorageUnavailableError,
)


async def test_claim_daily_of_a_new_member_adds_to_the_starting_balance(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, assert_ledger_consistent: Check
) -> None:
    """100 starting bytes and 10 × 1 for the first day make 110."""
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice, "alice")
    row = await BytesTransaction.get(kind="daily")
    assert DailyClaim(10, 1, 1, date(2026, 3, 2), 110, row.id) == claim
    assert ("SYSTEM", "SYSTEM", ids.alice, "alice", 10, clock.now) == (
        row.giver_id,
        row.giver_username,
        row.receiver_id,
        row.receiver_username,
        row.amount,
        row.created_at,
    )
    member = await BytesBalance.get()
    assert (110, 110, 0, clock.today, 1) == (
        member.balance,
        member.total_received,
        member.total_sent,
        member.last_daily,
        member.streak_count,
    )
    await assert_ledger_consistent()


@pytest.mark.parametrize(
    ("streak", "expected_streak", "multiplier", "pay"),
    [
        (6, 7, 1, 10),  # 10 × 1
        (7, 8, 2, 20),  # 10 × 2 from day 8
        (8, 9, 2, 20),
        (14, 15, 2, 20),
        (15, 16, 4, 40),  # 10 × 4 from day 16
        (30, 31, 4, 40),
        (31, 32, 8, 80),  # 10 × 8 from day 32
        (62, 63, 8, 80),
        (63, 64, 16, 160),  # 10 × 16 from day 64
        (999, 1000, 16, 160),
    ],
)
async def test_claim_daily_multiplies_by_the_streak(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    clock: Clock,
    streak: int,
    expected_streak: int,
    multiplier: int,
    pay: int,
) -> None:
    """A claim on the next day makes the streak a day longer, and pays its multiplier."""
    await make_member(ids.alice, 50)
    yesterday = clock.today - timedelta(days=1)
    await BytesBalance.filter(user_id=ids.alice).update(last_daily=yesterday, streak_count=streak)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert (pay, multiplier, expected_streak, 50 + pay) == (
        claim.amount,
        claim.multiplier,
        claim.streak,
        claim.balance,
    )


@pytest.mark.parametrize(
    ("streak", "multiplier"),
    [(2, 1), (3, 9), (4, 9), (9, 9), (10, 2), (11, 2)],
)
async def test_claim_daily_uses_the_highest_threshold_reached(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    clock: Clock,
    streak: int,
    multiplier: int,
) -> None:
    """With nine times from day 3 and twice from day 10, day 10 pays twice."""
    await make_config(streak_bonuses={10: 2, 3: 9})
    await make_member(ids.alice)
    yesterday = clock.today - timedelta(days=1)
    await BytesBalance.all().update(last_daily=yesterday, streak_count=streak - 1)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert (multiplier, 10 * multiplier) == (claim.multiplier, claim.amount)


@pytest.mark.parametrize(
    ("days", "streaks"),
    [
        ([0, 1, 2, 3], [1, 2, 3, 4]),
        ([0, 2], [1, 1]),  # a day missed
        ([0, 1, 3, 4], [1, 2, 1, 2]),
        ([0, 365], [1, 1]),
    ],
)
async def test_claim_daily_after_a_missed_day_restarts_the_streak(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, days: list[int], streaks: list[int]
) -> None:
    """Days in a row count up; after a day without a claim the count is 1 again."""
    start = clock.now
    actual = []
    for day in days:
        clock.now = start + timedelta(days=day)
        actual.append((await bytes_ops.claim_daily(ids.guild, ids.alice)).streak)
    assert streaks == actual


@pytest.mark.parametrize("hour", [0, 11, 12, 23])
async def test_claim_daily_twice_on_a_date_is_refused(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, read_all_rows: ReadRows, hour: int
) -> None:
    """At any hour of the date a second claim is refused until midnight."""
    await bytes_ops.claim_daily(ids.guild, ids.alice)
    clock.now = clock.now.replace(hour=hour, minute=59)
    async with assert_refused(
        DailyAlreadyClaimedError,
        read_all_rows,
        claimed_on=date(2026, 3, 2),
        next_claim_at=datetime(2026, 3, 3, tzinfo=UTC),
    ):
        await bytes_ops.claim_daily(ids.guild, ids.alice)


async def test_claim_daily_can_be_repeated_after_midnight_utc(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """A microsecond before midnight and midnight are two dates in a row."""
    clock.now = datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    first = await bytes_ops.claim_daily(ids.guild, ids.alice)
    clock.advance(microseconds=1)
    second = await bytes_ops.claim_daily(ids.guild, ids.alice)
    expected = [(date(2026, 3, 2), 1), (date(2026, 3, 3), 2)]
    assert expected == [(claim.claimed_on, claim.streak) for claim in (first, second)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 01:00 in a place 2 hours ahead is 23:00 UTC of the day before
        (datetime(2026, 3, 2, 1, tzinfo=timezone(timedelta(hours=2))), date(2026, 3, 1)),
        # 23:00 in a place 5 hours behind is 04:00 UTC of the day after
        (datetime(2026, 3, 2, 23, tzinfo=timezone(timedelta(hours=-5))), date(2026, 3, 3)),
    ],
)
async def test_claim_daily_converts_the_clock_to_utc(
    ids: Ids, bytes_ops: BytesOperations, clock: Clock, now: datetime, expected: date
) -> None:
    """With a clock of another time zone the date is that of UTC."""
    clock.now = now
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert expected == claim.claimed_on
    row = await BytesTransaction.get(kind="daily")
    assert now == row.created_at


async def test_claim_daily_with_the_clock_set_back_is_refused(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock, read_all_rows: ReadRows
) -> None:
    """Claimed on 2 March; on 27 February by the clock nothing is paid until 3 March."""
    await bytes_ops.claim_daily(ids.guild, ids.alice)
    clock.now = datetime(2026, 2, 27, 12, tzinfo=UTC)
    async with assert_refused(
        DailyAlreadyClaimedError,
        read_all_rows,
        claimed_on=date(2026, 3, 2),
        next_claim_at=datetime(2026, 3, 3, tzinfo=UTC),
    ):
        await bytes_ops.claim_daily(ids.guild, ids.alice)


async def test_claim_daily_is_separate_for_each_member_and_guild(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """Bob's claim, and Alice's in another guild, are not Alice's here."""
    claims = [
        await bytes_ops.claim_daily(ids.guild, ids.alice),
        await bytes_ops.claim_daily(ids.guild, ids.bob),
        await bytes_ops.claim_daily(ids.other_guild, ids.alice),
    ]
    assert [(claim.amount, claim.balance) for claim in claims] == [(10, 110)] * 3


# Time zones and grace days ------------------------------------------------------------------------

# When a claim is tried (UTC): the streak that it makes, or since when another is possible.
Tries = list[tuple[str, int | str]]
CALENDARS: dict[str, tuple[str, Tries]] = {
    "half an hour": (
        "Asia/Kolkata",
        [
            ("2026-03-02 18:29:59.999999", 1),
            ("2026-03-02 18:30", 2),
            ("2026-03-03 18:29:59.999999", "2026-03-03 18:30"),
        ],
    ),
    "a year's end": (
        "Pacific/Auckland",
        [
            ("2025-12-31 10:59", 1),
            ("2025-12-31 11:00", 2),
            ("2026-01-01 10:59", "2026-01-01 11:00"),
        ],
    ),
    "spring": (  # a date of 23 hours
        "Europe/Berlin",
        [
            ("2026-03-28 22:59", 1),
            ("2026-03-28 23:00", 2),
            ("2026-03-29 21:59", "2026-03-29 22:00"),
            ("2026-03-29 22:00", 3),
        ],
    ),
    "autumn": (  # a date of 25 hours
        "Europe/Berlin",
        [
            ("2026-10-24 21:59", 1),
            ("2026-10-24 22:00", 2),
            ("2026-10-25 22:59", "2026-10-25 23:00"),
            ("2026-10-25 23:00", 3),
        ],
    ),
    "no midnight": (
        "Africa/Cairo",
        [
            ("2024-04-25 21:59", 1),
            ("2024-04-25 21:59:59", "2024-04-25 22:00"),
            ("2024-04-25 22:00", 2),
        ],
    ),
    "a date that comes back": (
        "America/St_Johns",
        [
            ("2006-10-29 02:29", 1),
            ("2006-10-29 02:30:30", 2),
            ("2006-10-29 02:31:30", "2006-10-30 03:30"),
            ("2006-10-29 03:30", "2006-10-30 03:30"),
        ],
    ),
    "a date left out": (  # two days later by the calendar
        "Pacific/Apia",
        [
            ("2011-12-30 09:59", 1),
            ("2011-12-30 09:59:59", "2011-12-30 10:00"),
            ("2011-12-30 10:00", 1),
        ],
    ),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("what", CALENDARS)
async def test_claim_daily_counts_dates_of_the_guilds_zone(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    what: str,
) -> None:
    """Dates are those of the zone, and the refusal has the start of the next one."""
    zone, tries = CALENDARS[what]
    await make_config(timezone=zone)
    for now, expected in tries:
        clock.now = utc(now)
        if isinstance(expected, str):
            async with assert_refused(
                DailyAlreadyClaimedError, read_all_rows, next_claim_at=utc(expected)
            ):
                await bytes_ops.claim_daily(ids.guild, ids.alice)
        else:
            claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
            assert expected == claim.streak
            row = await BytesBalance.get(user_id=ids.alice)
            assert (row.last_daily, row.streak_count) == (claim.claimed_on, expected)


@pytest.mark.parametrize(
    ("first", "then", "claimed_on", "next_claim_at"),
    [
        # 2 March 12:00 UTC is 2 March 02:00 in Honolulu, 3 March 01:00 in Auckland.
        ("Pacific/Auckland", "Pacific/Honolulu", date(2026, 3, 3), "2026-03-04 10:00"),
        ("Pacific/Auckland", "UTC", date(2026, 3, 3), "2026-03-04 00:00"),
        ("UTC", "Pacific/Honolulu", date(2026, 3, 2), "2026-03-03 10:00"),
        ("Asia/Kolkata", "Europe/Berlin", date(2026, 3, 2), "2026-03-02 23:00"),
    ],
)
async def test_claim_daily_after_a_move_west_waits_for_a_date_without_a_claim(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    first: str,
    then: str,
    claimed_on: date,
    next_claim_at: str,
) -> None:
    """A date that was claimed in one zone is not paid again in another one."""
    await make_config(timezone=first)
    assert (await bytes_ops.claim_daily(ids.guild, ids.alice)).claimed_on == claimed_on
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(timezone=then))
    expected = {"claimed_on": claimed_on, "next_claim_at": utc(next_claim_at)}
    for now in (clock.now, utc(next_claim_at) - timedelta(microseconds=1)):
        clock.now = now
        async with assert_refused(DailyAlreadyClaimedError, read_all_rows, **expected):
            await bytes_ops.claim_daily(ids.guild, ids.alice)
    clock.advance(microseconds=1)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert (claim.claimed_on, claim.streak) == (claimed_on + timedelta(days=1), 2)


async def test_claim_daily_after_a_move_east_is_of_the_next_date(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The date there is the next one: it is paid once, and back in the west it is refused."""
    await make_config(timezone="Pacific/Honolulu")
    dates = [(await bytes_ops.claim_daily(ids.guild, ids.alice)).claimed_on]
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(timezone="Pacific/Auckland"))
    dates.append((await bytes_ops.claim_daily(ids.guild, ids.alice)).claimed_on)
    for zone in ("Pacific/Auckland", "Pacific/Honolulu", "Pacific/Kiritimati"):
        await bytes_ops.update_config(ids.guild, BytesConfigUpdate(timezone=zone))
        async with assert_refused(
            DailyAlreadyClaimedError, read_all_rows, claimed_on=date(2026, 3, 3)
        ):
            await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert dates == [date(2026, 3, 2), date(2026, 3, 3)]


async def test_claim_daily_repeated_with_its_key_after_a_move_returns_the_first_claim(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids
) -> None:
    """The first date stays, whatever the zone is now."""
    await make_config(timezone="Pacific/Auckland")
    first = await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(timezone="Pacific/Honolulu"))
    assert first == await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")


@pytest.mark.parametrize(
    ("grace_days", "days", "streaks"),
    [
        (0, [0, 1, 3], [1, 2, 1]),
        (1, [0, 2, 4, 5, 8, 9], [1, 2, 3, 4, 1, 2]),
        (2, [0, 3, 6, 10], [1, 2, 3, 1]),
        (400, [0, 365, 766, 1168], [1, 2, 3, 1]),
    ],
)
async def test_claim_daily_forgives_grace_days(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    grace_days: int,
    days: list[int],
    streaks: list[int],
) -> None:
    """After up to so many missed days the streak grows by 1, after more it starts at 1."""
    await make_config(streak_grace_days=grace_days)
    start, actual = clock.now, []
    for day in days:
        clock.now = start + timedelta(days=day)
        actual.append((await bytes_ops.claim_daily(ids.guild, ids.alice)).streak)
    assert streaks == actual


async def test_claim_daily_in_a_zone_that_this_machine_lacks_changes_nothing(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A config can come from a machine with newer data: the error names zone and remedy."""
    await BytesConfig.create(guild_id=ids.guild, timezone="Mars/Base")
    async with assert_refused(StorageError, read_all_rows) as caught:
        await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert "'Mars/Base' (install or update the package tzdata)" in str(caught.value)
    assert not isinstance(caught.value, StorageUnavailableError | OutcomeUnknownError)
    assert (await bytes_ops.get_config(ids.guild)).timezone == "Mars/Base"
    await bytes_ops.grant(ids.guild, ids.alice, 1)


# Overflow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("daily", "bonuses", "has", "pay"),
    [
        (10, {}, MAX_BYTES - 9, 10),  # one too many
        (MAX_BYTES, {}, 1, MAX_BYTES),
        (MAX_BYTES, {1: 2}, 0, 2 * MAX_BYTES),  # the product alone passes 64 bits
        (2**62, {1: 2}, 0, 2**63),  # by one
        (MAX_BYTES, {1: MAX_BYTES}, 5, MAX_BYTES * MAX_BYTES),
    ],
)
async def test_claim_daily_beyond_64_bits_is_refused(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    daily: int,
    bonuses: dict[int, int],
    has: int,
    pay: int,
) -> None:
    """Neither the total nor daily × multiplier may pass 2⁶³−1; the streak stays as it was."""
    await make_config(daily_amount=daily, streak_bonuses=bonuses)
    await make_member(ids.alice, has)
    async with assert_refused(BalanceOverflowError, read_all_rows, balance=has, amount=pay):
        await bytes_ops.claim_daily(ids.guild, ids.alice)


async def test_claim_daily_that_is_refused_creates_no_member(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, read_all_rows: ReadRows
) -> None:
    """100 starting bytes and 2⁶³−1 are too much: no member is created."""
    await make_config(daily_amount=MAX_BYTES)
    async with assert_refused(BalanceOverflowError, read_all_rows, balance=100, amount=MAX_BYTES):
        await bytes_ops.claim_daily(ids.guild, ids.alice)


async def test_claim_daily_can_fill_64_bits(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """2⁶³−11 and 10 more are exactly 2⁶³−1."""
    await make_member(ids.alice, MAX_BYTES - 10)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    assert claim.balance == MAX_BYTES
    await assert_ledger_consistent()


# Pay of nothing -----------------------------------------------------------------------------------


async def test_claim_daily_of_nothing_writes_a_ledger_row_of_zero_bytes(
    bytes_ops: BytesOperations, make_config: MakeConfig, make_member: MakeMember, ids: Ids
) -> None:
    """With a daily amount of 0 the streak counts on, and 0 × 2 is still nothing."""
    await make_config(daily_amount=0, streak_bonuses={1: 2})
    await make_member(ids.alice, 40)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    entry = await BytesTransaction.get(kind="daily")
    assert DailyClaim(0, 2, 1, date(2026, 3, 2), 40, entry.id) == claim
    assert (0, "SYSTEM", ids.alice) == (entry.amount, entry.giver_id, entry.receiver_id)
    member = await BytesBalance.get()
    assert (40, date(2026, 3, 2), 1) == (member.balance, member.last_daily, member.streak_count)


async def test_claim_daily_of_nothing_counts_for_the_streak(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
) -> None:
    """It is once a date like any other, and the next day makes a streak of 2."""
    await make_config(daily_amount=0)
    await bytes_ops.claim_daily(ids.guild, ids.alice)
    async with assert_refused(DailyAlreadyClaimedError, read_all_rows, claimed_on=clock.today):
        await bytes_ops.claim_daily(ids.guild, ids.alice)
    clock.advance(days=1)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    expected = 2
    assert expected == claim.streak


# Repeated claims ----------------------------------------------------------------------------------

SAME_CLAIM = ("nothing", "a grant", "a charge", "another day")


@pytest.mark.parametrize(
    ("daily", "meanwhile"),
    [(10, what) for what in (*SAME_CLAIM, "a later claim", "three claims")]
    + [(0, what) for what in SAME_CLAIM],
)
async def test_claim_daily_repeated_with_its_key_returns_the_first_claim(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    daily: int,
    meanwhile: str,
) -> None:
    """After other operations, the repetition returns the first result and moves nothing."""
    await make_config(daily_amount=daily)
    first = await bytes_ops.claim_daily(ids.guild, ids.alice, "alice", idempotency_key="k")
    if meanwhile == "a grant":
        await bytes_ops.grant(ids.guild, ids.alice, 7)
    elif meanwhile == "a charge":
        await bytes_ops.charge(ids.guild, ids.alice, first.balance)
    elif meanwhile == "another day":
        clock.advance(days=1)
    elif meanwhile == "a later claim":
        clock.advance(days=1)
        await bytes_ops.claim_daily(ids.guild, ids.alice)
    elif meanwhile == "three claims":
        for day in range(3):
            clock.advance(days=1)
            await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key=f"day {day}")
        clock.advance(days=1)
    before = await read_all_rows()
    again = await bytes_ops.claim_daily(ids.guild, ids.alice, "renamed", idempotency_key="k")
    assert first == again
    assert before == await read_all_rows()


@pytest.mark.parametrize(
    ("daily", "later"),
    [(10, False), (10, True), (0, False)],
    ids=["paid", "paid, after the next claim", "unpaid"],
)
@pytest.mark.parametrize("other", ["another member", "a grant", "a charge", "many grants"])
async def test_claim_daily_key_is_refused_for_another_operation(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    daily: int,
    later: bool,
    other: str,
) -> None:
    """A key of a claim is refused for another operation, also after a later claim."""
    await make_config(daily_amount=daily)
    await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")
    if later:
        clock.advance(days=1)
        await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="next")
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        if other == "another member":
            await bytes_ops.claim_daily(ids.guild, ids.bob, idempotency_key="k")
        elif other == "a grant":
            await bytes_ops.grant(ids.guild, ids.alice, 10, idempotency_key="k")
        elif other == "a charge":
            await bytes_ops.charge(ids.guild, ids.alice, 10, idempotency_key="k")
        else:
            await bytes_ops.grant_many(ids.guild, {ids.alice: 10}, idempotency_key="k")


async def test_claim_daily_of_nothing_keeps_its_key_for_good(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, clock: Clock
) -> None:
    """The key is on the ledger row: a repetition after later claims returns the first result."""
    await make_config(daily_amount=0)
    first = await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")
    clock.advance(days=1)
    await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="next")
    assert first == await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")
    with pytest.raises(IdempotencyConflictError):
        await bytes_ops.grant(ids.guild, ids.alice, 1, idempotency_key="k")
