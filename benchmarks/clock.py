"""A clock that everybody in a contest reads, and that a contest can set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Wall time, moved on by what `advance` was told.

    Rules that look at time (a day's claim, a cooldown) let everybody act once more after it.
    """

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC) + self._ahead

    def advance(self, **duration: float) -> None:
        """Go on by the arguments of a timedelta."""
        self._ahead += timedelta(**duration)
