"""Decide on a daily claim, and rebuild an earlier one for a repeated request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any

from ..domain import defaults, rules, validation
from ..domain.errors import (
    BalanceOverflowError,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    StorageError,
)
from ..domain.rules import MAX_BYTES
from ..engine._tortoise import field_of
from ..models import BytesConfig, BytesTransaction
from ..schemas import DailyClaim


def decide_claim(
    state: Mapping[str, Any], entry: BytesTransaction
) -> tuple[date | None, int, date, int]:
    """Decide on a claim, and set its ledger entry's amount and details.

    Args:
        state: The row of `sql.claims.GET_CLAIM_STATE`.
        entry: The claim's ledger entry.

    Returns:
        Date and streak of the last claim, as read, and of this one.

    Raises:
        DailyAlreadyClaimedError: Claimed on this date, or on a later one.
        BalanceOverflowError: The amount would exceed 2⁶³−1.
        StorageError: This machine does not have the guild's time zone.
    """
    zone, now, last_daily = zone_of(state), entry.created_at, state["last_daily"]
    today = rules.local_date(now, zone)
    if isinstance(last_daily, str):  # SQLite stores dates as text
        last_daily = date.fromisoformat(last_daily)
    if last_daily is not None and last_daily >= today:
        raise DailyAlreadyClaimedError(last_daily, rules.next_claim_at(last_daily, now, zone))
    last_streak = state["streak_count"] or 0
    grace_days = state["streak_grace_days"] or defaults.STREAK_GRACE_DAYS
    streak = rules.next_streak(last_daily, last_streak, today, grace_days)
    amount, bonuses = defaults.DAILY_AMOUNT, defaults.streak_bonuses()
    if state["daily_amount"] is not None:
        amount = state["daily_amount"]
        bonuses = field_of(BytesConfig, "streak_bonuses").to_python_value(state["streak_bonuses"])
    multiplier = rules.streak_multiplier(streak, bonuses)
    entry.amount = amount * multiplier
    if entry.amount > MAX_BYTES:
        total = state["total_received"]
        if total is None:  # a new member
            total = state["starting_balance"]
            total = defaults.STARTING_BALANCE if total is None else total
        raise BalanceOverflowError(total, entry.amount)
    entry.details = {"streak": streak, "multiplier": multiplier, "claimed_on": today.isoformat()}
    return last_daily, last_streak, today, streak


def zone_of(state: Mapping[str, Any]) -> tzinfo:
    """Return the guild's time zone.

    No other zone is used instead: a second machine that has the zone would have other dates.
    """
    name = state["timezone"] or defaults.TIMEZONE
    zone = validation.find_timezone(name)
    if zone is None:
        raise StorageError(
            f"this machine has no data of the guild's time zone {name!a} (install or update the "
            "package tzdata): nothing was changed"
        )
    return zone


def details_before_balance(entry: BytesTransaction) -> str:
    """Return the entry's details as JSON text, to which the statement adds the new balance."""
    return json.dumps(entry.details, separators=(",", ":"))[:-1] + ',"balance":'


def replay_claim(first: BytesTransaction, entry: BytesTransaction) -> DailyClaim:
    """Return the claim that a ledger entry records.

    Args:
        first: The entry, of this or of the first request with the key.
        entry: The entry of this request.

    Raises:
        IdempotencyConflictError: It is not this member's claim.
    """
    details = first.details
    if (first.kind, first.receiver_id) != ("daily", entry.receiver_id) or details is None:
        raise IdempotencyConflictError(str(entry.idempotency_key))
    return DailyClaim(
        amount=first.amount,
        multiplier=int(details["multiplier"]),
        streak=int(details["streak"]),
        claimed_on=date.fromisoformat(details["claimed_on"]),
        balance=int(details["balance"]),
        transaction_id=first.id,
    )
