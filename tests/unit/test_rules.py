"""The rules of the economy as tables, and ids ordered by time."""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest

from bytes_squads.domain import rules
from bytes_squads.domain.ids import Uuid7Batch, uuid7

STREAKS = [
    # last claim, streak then, today, streak now
    (None, 0, date(2026, 3, 2), 1),  # the first claim ever
    (None, 7, date(2026, 3, 2), 1),  # a streak without a claim counts for nothing
    (date(2026, 3, 1), 1, date(2026, 3, 2), 2),  # 1 + 1
    (date(2026, 3, 1), 41, date(2026, 3, 2), 42),  # 41 + 1
    (date(2026, 2, 28), 5, date(2026, 3, 2), 1),  # 1 March was missed
    (date(2025, 3, 1), 5, date(2026, 3, 2), 1),  # a year and a day
    (date(2026, 3, 2), 5, date(2026, 3, 2), 1),  # the same day is not the day after
    (date(2026, 3, 3), 5, date(2026, 3, 2), 1),  # nor is the day before
    (date(2026, 1, 31), 5, date(2026, 2, 1), 6),  # January has 31 days
    (date(2026, 4, 30), 5, date(2026, 5, 1), 6),  # April has 30
    (date(2026, 4, 29), 5, date(2026, 5, 1), 1),  # 30 April was missed
    (date(2023, 2, 28), 5, date(2023, 3, 1), 6),  # 2023 has no 29 February
    (date(2024, 2, 28), 5, date(2024, 2, 29), 6),  # 2024 has one
    (date(2024, 2, 29), 6, date(2024, 3, 1), 7),
    (date(2024, 2, 28), 5, date(2024, 3, 1), 1),  # and it was missed
    (date(2000, 2, 29), 5, date(2000, 3, 1), 6),  # 2000 is a leap year, by 400
    (date(2100, 2, 28), 5, date(2100, 3, 1), 6),  # 2100 is not a leap year
    (date(2025, 12, 31), 5, date(2026, 1, 1), 6),  # over the new year
    (date(2025, 12, 30), 5, date(2026, 1, 1), 1),
]


@pytest.mark.parametrize(("last_claim", "streak", "today", "expected"), STREAKS)
def test_streak_grows_only_on_the_very_next_day(
    last_claim: date | None, streak: int, today: date, expected: int
) -> None:
    """A claim on the next day makes the streak one longer, any other restarts it."""
    assert expected == rules.next_streak(last_claim, streak, today)


@pytest.mark.parametrize(
    ("missed", "grace_days", "expected"),
    [
        *((0, 1, 6), (1, 1, 6), (2, 1, 1), (1, 2, 6), (2, 2, 6), (3, 2, 1), (900, 2**31 - 1, 6)),
        *((-1, 1, 1), (-2, 1, 1)),  # the same date, and an earlier one
    ],
)
def test_streak_goes_on_after_the_grace_days(missed: int, grace_days: int, expected: int) -> None:
    """Each missed day counts, and one too many starts at 1; the streak counts claims, not days."""
    last_claim, today = date(2026, 12, 30), date(2026, 12, 31) + timedelta(days=missed)
    assert expected == rules.next_streak(last_claim, 5, today, grace_days)


BONUSES = {32: 8, 8: 2, 64: 16, 16: 4}  # unsorted on purpose
FALLING = {3: 9, 10: 2}  # the highest threshold counts, not the highest multiplier


@pytest.mark.parametrize(
    ("bonuses", "streak", "expected"),
    [
        (BONUSES, 1, 1),
        (BONUSES, 7, 1),
        (BONUSES, 8, 2),
        (BONUSES, 9, 2),
        (BONUSES, 15, 2),
        (BONUSES, 16, 4),
        (BONUSES, 17, 4),
        (BONUSES, 31, 4),
        (BONUSES, 32, 8),
        (BONUSES, 33, 8),
        (BONUSES, 63, 8),
        (BONUSES, 64, 16),
        (BONUSES, 65, 16),
        (BONUSES, 100_000, 16),
        (FALLING, 2, 1),
        (FALLING, 3, 9),
        (FALLING, 9, 9),
        (FALLING, 10, 2),
        ({1: 5}, 1, 5),
        ({}, 1, 1),
        ({}, 1000, 1),
    ],
)
def test_multiplier_is_that_of_the_highest_threshold_reached(
    bonuses: dict[int, int], streak: int, expected: int
) -> None:
    """The multiplier is that of the highest threshold ≤ the streak, 1 below the lowest."""
    assert expected == rules.streak_multiplier(streak, bonuses)


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "hours", "expected"),
    [
        (NOON, 0, NOON),
        (NOON, 1, datetime(2026, 3, 2, 13, tzinfo=UTC)),
        (NOON, 12, datetime(2026, 3, 3, tzinfo=UTC)),  # 12:00 + 12 h is midnight
        (NOON, 36, datetime(2026, 3, 4, tzinfo=UTC)),  # 12 h to midnight + 24 h
        (NOON, 24 * 365, datetime(2027, 3, 2, 12, tzinfo=UTC)),  # no 29 February in between
        (datetime(2024, 2, 28, 12, tzinfo=UTC), 24, datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_cooldown_ends_its_hours_after_the_transfer(
    last: datetime, hours: int, expected: datetime
) -> None:
    """A cooldown counts hours from the last transfer, over every kind of calendar edge."""
    assert expected == rules.cooldown_ends_at(last, hours)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, set()),
        (99, set()),
        (100, {"1"}),
        (101, {"1"}),
        (999, {"1"}),
        (1000, {"1", "2", "3"}),  # two roles with one threshold
        (2**63 - 2, {"1", "2", "3"}),
        (2**63 - 1, {"1", "2", "3", "4"}),
    ],
)
def test_role_is_earned_at_its_threshold(total: int, expected: set[str]) -> None:
    """Each role whose threshold ≤ the total is earned, and no other."""
    rewards = {"3": 1000, "4": 2**63 - 1, "1": 100, "2": 1000}
    assert expected == rules.earned_roles(total, rewards)


def test_without_rewards_no_role_is_earned() -> None:
    """A guild without role rewards gives none, however much was received."""
    assert set() == rules.earned_roles(2**63 - 1, {})


def test_largest_amount_has_64_bits() -> None:
    """Bytes are signed 64-bit integers, and SYSTEM is called SYSTEM."""
    expected = (9_223_372_036_854_775_807, "SYSTEM")
    assert expected == (rules.MAX_BYTES, rules.SYSTEM_ID)


def test_wall_time_is_aware() -> None:
    """Wall time is timezone-aware."""
    before = datetime.now(UTC)
    now = rules.wall_time()
    assert UTC is now.tzinfo
    assert before <= now <= datetime.now(UTC)


def test_default_clock_is_wall_time_unless_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An override sets the time; without one it is wall time."""
    before = datetime.now(UTC)
    assert before <= rules.utc_now() <= datetime.now(UTC)

    monkeypatch.setattr(rules.utc_now, "override", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    assert datetime(2026, 3, 2, tzinfo=UTC) == rules.utc_now()
    assert before <= rules.wall_time()

    monkeypatch.undo()
    assert before <= rules.utc_now() <= datetime.now(UTC)


def test_ids_are_uuids_of_version_7_and_never_go_back() -> None:
    """Of 10,000 ids each is a UUID of version 7, larger than the one before as int and as text."""
    drawn = [uuid7() for _ in range(10_000)]
    assert {(7, uuid.RFC_4122)} == {(id_.version, id_.variant) for id_ in drawn}
    assert all(before < after for before, after in itertools.pairwise(drawn))
    assert all(str(before) < str(after) for before, after in itertools.pairwise(drawn))


@pytest.mark.parametrize("back", [0, 1, 10**9], ids=["stands still", "a tick", "a second"])
def test_ids_go_on_when_the_wall_clock_does_not(monkeypatch: pytest.MonkeyPatch, back: int) -> None:
    """With a clock that stands still, or was set back, ids still follow each other."""
    first = uuid7()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - back)
    drawn = [first, *(uuid7() for _ in range(100))]
    assert drawn == sorted(set(drawn))


def test_id_embeds_the_wall_time() -> None:
    """The first 48 bits are Unix milliseconds; a burst of ids may run ahead of them a little."""
    before = time.time_ns() // 1_000_000
    embedded = uuid7().int >> 80
    after = time.time_ns() // 1_000_000
    assert before <= embedded <= after + 5


def test_ids_of_one_tick_differ_in_their_random_part() -> None:
    """The last 62 bits of each id are random."""
    drawn = [uuid7() for _ in range(1000)]
    assert len(drawn) == len({id_.int & (2**62 - 1) for id_ in drawn})


def test_batch_of_ids_as_strings_has_the_ids_of_its_indexes() -> None:
    """A batch gets as text what it would get one by one, and an earlier attempt's ids again."""
    ids = Uuid7Batch(10_000)  # over two milliseconds, at 4,096 ids each
    one_by_one = [str(ids[place]) for place in range(10_000)]
    assert ids.as_strings(0, 10_000) == one_by_one
    assert ids.as_strings(400, 700) == one_by_one[400:700]
    assert ids.as_strings(10_000, 10_000) == []
