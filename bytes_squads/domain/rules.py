"""The rules of the economy as pure functions of numbers and dates, and the default clock.

Amounts are whole bytes, dates are UTC dates, timestamps are timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta

SYSTEM_ID = "SYSTEM"
"""The counterparty, by id and by username, where bytes are created or retired."""

MAX_BYTES = 2**63 - 1
"""The largest balance, total or amount in whole bytes, as a signed 64-bit integer holds it."""


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


def next_streak(last_claim: date | None, streak: int, today: date) -> int:
    """Return the streak after a claim today: one longer after yesterday's claim, otherwise 1.

    Args:
        last_claim: UTC date of the member's last claim, None before the first.
        streak: Length of the streak at that claim, in days.
        today: UTC date of this claim.
    """
    if last_claim is not None and today - last_claim == timedelta(days=1):
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


def next_claim_at(claimed_on: date) -> datetime:
    """Return the midnight (UTC) that ends the date of a claim: then the next one is accepted."""
    if claimed_on == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(claimed_on + timedelta(days=1), time.min, tzinfo=UTC)


def cooldown_ends_at(last_transfer: datetime, hours: int) -> datetime:
    """Return when a giver may transfer again.

    Args:
        last_transfer: When the giver's last transfer was made (UTC).
        hours: ``BytesConfig.transfer_cooldown_hours``.
    """
    latest, wait = datetime.max.replace(tzinfo=UTC), timedelta(hours=hours)
    return latest if latest - last_transfer < wait else last_transfer + wait


def earned_roles(total_received: int, role_rewards: Mapping[str, int]) -> set[str]:
    """Return the role ids whose threshold the member's total has reached.

    Args:
        total_received: All bytes the member ever received.
        role_rewards: Threshold in whole bytes by role id, as in ``BytesConfig.role_rewards``.
    """
    return {role for role, threshold in role_rewards.items() if threshold <= total_received}
