"""The dates of time zones: which date an instant has, and when the next one begins."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("hypothesis", reason="could not import 'hypothesis'")

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bytes_squads.domain import errors, rules, validation

TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEXT_CLAIMS = {
    # zone, date of the last claim, now (UTC), the next date begins (UTC)
    "UTC": ("UTC", "2026-03-02", "2026-03-02 12:00", "2026-03-03"),
    "a month's end": ("UTC", "2026-03-31", "2026-03-31 23:59", "2026-04-01"),
    "no 29 February": ("UTC", "2023-02-28", "2023-02-28", "2023-03-01"),
    "29 February": ("UTC", "2024-02-28", "2024-02-28", "2024-02-29"),
    "a year's end": ("UTC", "2025-12-31", "2025-12-31 12:00", "2026-01-01"),
    "a clock set back": ("UTC", "2026-03-02", "2026-02-27", "2026-03-03"),
    "the calendar's last day": ("UTC", "9999-12-30", "9999-12-30", "9999-12-31"),
    "a year's end in the east": (
        "Pacific/Kiritimati", "2025-12-31", "2025-12-31 09:00", "2025-12-31 10:00",
    ),
    "a year's end in the west": (
        "Pacific/Pago_Pago", "2025-12-31", "2026-01-01 10:00", "2026-01-01 11:00",
    ),
    "half an hour": ("Asia/Kolkata", "2026-03-02", "2026-03-02 12:00", "2026-03-02 18:30"),
    "three quarters": ("Asia/Kathmandu", "2026-03-02", "2026-03-02 12:00", "2026-03-02 18:15"),
    "seconds": ("Africa/Monrovia", "1960-03-02", "1960-03-02 12:00", "1960-03-03 00:44:30"),
    # Berlin: 02:00 becomes 03:00 on 29 March, 03:00 becomes 02:00 on 25 October.
    "before spring": ("Europe/Berlin", "2026-03-28", "2026-03-28 12:00", "2026-03-28 23:00"),
    "in spring": ("Europe/Berlin", "2026-03-29", "2026-03-29 12:00", "2026-03-29 22:00"),
    "before autumn": ("Europe/Berlin", "2026-10-24", "2026-10-24 12:00", "2026-10-24 22:00"),
    "in autumn": ("Europe/Berlin", "2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00"),
    # 00:00 becomes 01:00: there is no midnight.
    "Sao Paulo": ("America/Sao_Paulo", "2017-10-14", "2017-10-15 02:59", "2017-10-15 03:00"),
    "Cairo": ("Africa/Cairo", "2024-04-25", "2024-04-25 12:00", "2024-04-25 22:00"),
    "Beirut": ("Asia/Beirut", "2021-03-27", "2021-03-27 12:00", "2021-03-27 22:00"),
    # 23:30 becomes 24:00: the date ends half an hour early.
    "Pyongyang": ("Asia/Pyongyang", "2018-05-04", "2018-05-04 14:10", "2018-05-04 15:00"),
    # 24:00 becomes 23:00: midnight comes an hour later.
    "a fold before midnight": (
        "America/Sao_Paulo", "2018-02-17", "2018-02-17 12:00", "2018-02-18 03:00",
    ),
    # 01:00 becomes 00:00: the date has begun an hour earlier.
    "a fold after midnight": (
        "America/Havana", "2026-10-31", "2026-10-31 12:00", "2026-11-01 04:00",
    ),
    # 00:01 becomes 23:01: the next date lasts a minute, then comes back.
    "a fold over midnight": (
        "America/St_Johns", "2006-10-28", "2006-10-29 02:00", "2006-10-29 02:30",
    ),
    "within a fold over midnight": (
        "America/St_Johns", "2006-10-28", "2006-10-29 02:31", "2006-10-29 03:30",
    ),
    "claimed in the minute before the fold": (
        "America/St_Johns", "2006-10-29", "2006-10-29 02:40", "2006-10-30 03:30",
    ),
    "half an hour of summer": (
        "Australia/Lord_Howe", "2026-04-04", "2026-04-04 12:00", "2026-04-04 13:00",
    ),
    # 30 December 2011 was left out.
    "a date left out": ("Pacific/Apia", "2011-12-29", "2011-12-30 09:00", "2011-12-30 10:00"),
    "after a date left out": ("Pacific/Apia", "2011-12-31", "2011-12-30 11:00", "2011-12-31 10:00"),
    # 18 October 1867 came twice.
    "a date that came twice": (
        "America/Sitka", "1867-10-18", "1867-10-19 01:00", "1867-10-19 09:01:13",
    ),
    # The guild has moved since the claim.
    "moved west": ("Pacific/Honolulu", "2026-03-03", "2026-03-02 20:00", "2026-03-04 10:00"),
}  # fmt: skip


@pytest.mark.parametrize("what", NEXT_CLAIMS)
def test_next_claim_at_is_the_first_instant_of_the_next_date(what: str) -> None:
    """Also if clocks change at midnight."""
    name, claimed_on, now, expected = NEXT_CLAIMS[what]
    zone = validation.find_timezone(name)
    assert zone is not None
    actual = rules.next_claim_at(date.fromisoformat(claimed_on), utc(now), zone)
    assert UTC is actual.tzinfo
    assert utc(expected) == actual


zones = st.sampled_from(
    (
        *("UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia", "Africa/Cairo", "Asia/Beirut"),
        *("America/Sao_Paulo", "America/St_Johns", "America/Havana", "Australia/Lord_Howe"),
        *("Pacific/Kwajalein", "Atlantic/Azores", "America/Nuuk", "Antarctica/Troll"),
    )
).map(ZoneInfo) | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.integers(-(2**31), 2**32).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
APIA = ZoneInfo("Pacific/Apia")
ST_JOHNS = ZoneInfo("America/St_Johns")


@settings(max_examples=300, deadline=None)
@given(now=moments, zone=zones, ahead=st.sampled_from((0, 0, 0, 1, 2, 400)))
@example(now=utc("2011-12-30 09:59:59.999999"), zone=APIA, ahead=0)
@example(now=utc("2006-10-29 02:30:30"), zone=ST_JOHNS, ahead=0)
@example(now=utc("2006-10-29 02:31:00"), zone=ST_JOHNS, ahead=0)
def test_next_claim_at_has_a_later_date_and_the_instant_before_has_not(
    now: datetime, zone: timezone | ZoneInfo, ahead: int
) -> None:
    """It is in UTC, after now, of a date after the claim's; a microsecond earlier it is not."""
    claimed_on = rules.local_date(now, zone) + timedelta(days=ahead)
    actual = rules.next_claim_at(claimed_on, now, zone)
    assert UTC is actual.tzinfo
    assert now < actual
    assert rules.local_date(actual - TICK, zone) <= claimed_on < rules.local_date(actual, zone)


@settings(max_examples=100, deadline=None)
@given(now=moments, zone=zones)
def test_next_claim_at_leaves_out_no_instant(now: datetime, zone: timezone | ZoneInfo) -> None:
    """Between now and then no quarter of an hour has a later date."""
    claimed_on = rules.local_date(now, zone)
    actual, between = rules.next_claim_at(claimed_on, now, zone), now
    while between < actual:
        assert rules.local_date(between, zone) <= claimed_on
        between += timedelta(minutes=15)


@pytest.mark.parametrize("minutes", [-1439, 0, 1439])
def test_dates_at_the_calendars_ends_raise_nothing(minutes: int) -> None:
    """Where the calendar ends there is no next date."""
    zone = timezone(timedelta(minutes=minutes))
    for moment in (FIRST, LAST):
        assert abs(rules.local_date(moment, zone) - moment.date()) <= timedelta(days=1)
        assert rules.next_claim_at(date.max, moment, zone) == LAST


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Etc/GMT+12", "CET", "GB-Eire"])
def test_timezone_returns_a_name_that_zoneinfo_knows(name: str) -> None:
    """Aliases are zones as well, and the name is returned as it is."""
    assert name == validation.timezone(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../UTC", "/etc/localtime", "Europe", "Europe/", "Europe//Berlin"),
        *("Mars/Base", "Europe/../UTC", "UTC\n", " UTC", "zone.tab", "localtime", "posixrules"),
        *("posix/UTC", "right/UTC", "a" * 65, "Europe\\Berlin", "C:/UTC", "UTC\0", "\ud800"),
    ],
)
def test_timezone_of_another_name_is_refused(name: str) -> None:
    """A path, a folder, a file that is not a zone, and what only one machine has."""
    with pytest.raises(errors.InvalidTextError, match="timezone"):
        validation.timezone(name)


def test_utc_needs_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default works on a machine without time zone data."""

    def no_data(name: str) -> ZoneInfo:
        raise KeyError(name)

    monkeypatch.setattr(validation, "ZoneInfo", no_data)
    assert UTC is validation.find_timezone("UTC")
    assert validation.find_timezone("Europe/Berlin") is None


DATES = [
    # zone, from, to (UTC), the dates that follow the first and when each begins (UTC)
    ("UTC", "2026-03-02 12:00", "2026-03-02 23:59", []),
    ("UTC", "2026-03-02 12:00", "2026-03-03", [("2026-03-03", "2026-03-03")]),
    ("Asia/Kathmandu", "2026-03-02", "2026-03-03", [("2026-03-03", "2026-03-02 18:15")]),
    (
        "Europe/Berlin", "2026-03-28 12:00", "2026-03-30 12:00",
        [("2026-03-29", "2026-03-28 23:00"), ("2026-03-30", "2026-03-29 22:00")],
    ),
    ("Africa/Cairo", "2024-04-25 12:00", "2024-04-26", [("2024-04-26", "2024-04-25 22:00")]),
    # 30 December is left out.
    ("Pacific/Apia", "2011-12-29 12:00", "2011-12-30 12:00", [("2011-12-31", "2011-12-30 10:00")]),
    (
        "America/St_Johns", "2010-11-07", "2010-11-07 12:00",  # 00:01 becomes 23:01
        [
            ("2010-11-07", "2010-11-07 02:30"), ("2010-11-06", "2010-11-07 02:31"),
            ("2010-11-07", "2010-11-07 03:30"),
        ],
    ),
    ("Pacific/Kiritimati", "9999-12-31 12:00", "9999-12-31 23:00", []),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "stop", "expected"), DATES)
def test_date_periods_begin_when_the_date_changes(
    zone: str, start: str, stop: str, expected: list[tuple[str, str]]
) -> None:
    """At each midnight of the zone, or where clocks jump over it."""
    (_, first), *rest = rules.date_periods(utc(start), utc(stop), ZoneInfo(zone))
    assert rules.local_date(utc(start), ZoneInfo(zone)) == first
    assert [(utc(begin), date.fromisoformat(day)) for day, begin in expected] == rest


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Beirut", "Pacific/Apia"])
def test_date_periods_agree_with_local_dates(zone: str) -> None:
    """Every instant of some years has the date of the period in which it is."""
    start, tz = utc("2010-01-01 07:13"), ZoneInfo(zone)
    periods = rules.date_periods(start, utc("2013-01-01"), tz)
    for (begin, day), (end, _) in pairwise(periods):
        for moment in (begin, begin + (end - begin) / 2, end - TICK):
            assert rules.local_date(moment, tz) == day
