"""Default settings of a guild. Amounts in whole bytes."""

from __future__ import annotations

STARTING_BALANCE = 100
DAILY_AMOUNT = 10
MAX_TRANSFER = 1000
TRANSFER_COOLDOWN_HOURS = 0
TIMEZONE = "UTC"
STREAK_GRACE_DAYS = 0
CURRENCY_NAME = "bytes"
SWITCH_COST = 50


def streak_bonuses() -> dict[int, int]:
    """Return the multiplier by streak length in days: from day 8 double, up to 16 from day 64."""
    return {8: 2, 16: 4, 32: 8, 64: 16}
