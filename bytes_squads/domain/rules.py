"""The rules of the economy as pure functions of numbers and dates, and the default clock.

Amounts are whole bytes, dates those of the guild's time zone, timestamps timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

SYSTEM_ID = "SYSTEM"
"""The counterparty, by id and by username, where bytes are created or retired."""

MAX_BYTES = 2**63 - 1
"""The largest balance, total or amount in whole bytes, which is the largest 64-bit integer."""

KINDS = ("transfer", "starting", "daily", "grant", "charge", "squad", "reversal")
"""The kinds of ledger rows."""

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
"""The limits of the calendar (UTC)."""


def wall_time() -> datetime:
    """Return the current time, timezone-aware UTC, independent of the operations' clock."""
    return datetime.now(UTC)


class DefaultClock:
    """The default clock of operations: wall time, unless a test overrides it.

    Attributes:
        override: A clock that replaces wall time, or None.
    """

    override: Callable[[], datetime] | None = None

    def __call__(self) -> datetime:
        """Return the time, timezone-aware."""
        return wall_time() if self.override is None else self.override()

    def __repr__(self) -> str:
        return "utc_now"


utc_now = DefaultClock()
"""The default clock of every operation."""


def local_date(moment: datetime, zone: tzinfo) -> date:
    """Return the date in a time zone, or the UTC date where the calendar ends.

    Args:
        moment: The time (UTC).
        zone: The time zone.
    """
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()


def next_streak(last_claim: date | None, streak: int, today: date, grace_days: int = 0) -> int:
    """Return the streak after a claim today: one longer, or 1 if too many days were missed.

    Args:
        last_claim: Date of the member's last claim, None before the first.
        streak: Number of claims in the streak at that claim.
        today: Date of this claim.
        grace_days: Days without a claim that do not end a streak.
    """
    if last_claim is not None and 1 <= (today - last_claim).days <= 1 + grace_days:
        return streak + 1
    return 1


def streak_multiplier(streak: int, bonuses: Mapping[int, int]) -> int:
    """Return the multiplier of the highest threshold that the streak has reached.

    It is 1 below the lowest threshold.

    Args:
        streak: Length of the streak, in days.
        bonuses: Multiplier by threshold in days, as in ``BytesConfig.streak_bonuses``.
    """
    reached = [threshold for threshold in bonuses if threshold <= streak]
    return bonuses[max(reached)] if reached else 1


def next_claim_at(claimed_on: date, now: datetime, zone: tzinfo) -> datetime:
    """Return the first instant after now (UTC) whose date in the time zone follows a claim's.

    That is mostly midnight. If clocks skip midnight, it is the time of that change; if they skip a
    whole date, it is the start of the date after that.

    Args:
        claimed_on: Date of the last claim, the date of now in the time zone or a later one.
        now: The time (UTC).
        zone: The time zone.
    """
    try:
        # Midnight, read as UTC; an offset is less than a day.
        midnight = datetime.combine(claimed_on + timedelta(days=1), time.min, UTC)
        for begin, end, offset in _constant_offsets(zone, max(now, midnight - timedelta(days=1))):
            first = max(begin, midnight - offset)
            if first < end:
                return first
    except OverflowError:
        pass
    return LATEST


def date_periods(start: datetime, stop: datetime, zone: tzinfo) -> list[tuple[datetime, date]]:
    """Return the dates in a time zone from start to stop, each with its first instant (UTC).

    A date comes twice if clocks go back over midnight. Where the calendar ends, it is the UTC date.

    Args:
        start: The first instant (UTC).
        stop: An instant (UTC) on the last date.
        zone: The time zone.
    """
    periods = [(start, local_date(start, zone))]
    try:
        for begin, end, offset in _constant_offsets(zone, start, timedelta(days=1)):
            moment = begin
            while moment < end:
                if moment > stop:
                    return periods
                today = (moment + offset).date()
                if today != periods[-1][1]:
                    periods.append((moment, today))
                moment = datetime.combine(today + timedelta(days=1), time.min, UTC) - offset
    except OverflowError:
        pass
    return periods


def _constant_offsets(
    zone: tzinfo, start: datetime, step: timedelta = timedelta(hours=1)
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the time from start on as periods of one UTC offset each: begin, end, offset.

    A time zone has no list of its changes. Comparing the offsets at each step finds each change
    that is not undone within the step.
    """
    begin, offset = start, _offset(zone, start)
    while True:
        end = begin + step
        if (next_offset := _offset(zone, end)) != offset:
            end = _find_change(zone, begin, end)
            next_offset = _offset(zone, end)
        yield begin, end, offset
        begin, offset = end, next_offset


def _find_change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """Return the first instant with another offset than `before`, by bisection."""
    offset, microsecond = _offset(zone, before), timedelta(microseconds=1)
    while after - before > microsecond:
        middle = before + (after - before) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def cooldown_ends_at(last_transfer: datetime, hours: int) -> datetime:
    """Return when a giver may transfer again.

    Args:
        last_transfer: When the giver's last transfer was made (UTC).
        hours: ``BytesConfig.transfer_cooldown_hours``.
    """
    return add(last_transfer, timedelta(hours=hours))


def add(moment: datetime, duration: timedelta) -> datetime:
    """Return an instant (UTC) some time later, at most the end of the calendar."""
    return LATEST if LATEST - moment < duration else moment + duration


def earned_roles(total_received: int, role_rewards: Mapping[str, int]) -> set[str]:
    """Return the role ids whose threshold the member's total has reached.

    Args:
        total_received: All bytes the member ever received.
        role_rewards: Threshold in whole bytes by role id, as in ``BytesConfig.role_rewards``.
    """
    return {role for role, threshold in role_rewards.items() if threshold <= total_received}
