"""Archives of version 2: no reversals, no members who left, and fewer settings."""

from __future__ import annotations

from typing import Literal

from ..domain import defaults
from .records import (
    BalanceRecord,
    ConfigRecord,
    EntryRecord,
    MemberRecord,
    MembershipRecord,
    SettingsRecord,
    SquadRecord,
    Timestamp,
    TransactionRecord,
)


class ConfigRecordV2(SettingsRecord):
    """A guild's config, without the settings that came later."""

    def convert(self) -> ConfigRecord:
        """Return the current record, with the defaults for the new settings."""
        shared = {name: getattr(self, name) for name in SettingsRecord.model_fields}
        return ConfigRecord.model_construct(
            **shared,
            timezone=defaults.TIMEZONE,
            streak_grace_days=defaults.STREAK_GRACE_DAYS,
            currency_name=defaults.CURRENCY_NAME,
            currency_emoji=None,
        )


class BalanceRecordV2(MemberRecord):
    """A member's balance."""

    last_transfer_at: Timestamp | None = None

    def convert(self) -> BalanceRecord:
        """Return the current record, of a member who has not left."""
        shared = {name: getattr(self, name) for name in BalanceRecordV2.model_fields}
        return BalanceRecord.model_construct(**shared, left_at=None)


class TransactionRecordV2(EntryRecord):
    """A row of the ledger that is not a reversal."""

    kind: Literal["transfer", "starting", "daily", "grant", "charge", "squad"]

    def convert(self) -> TransactionRecord:
        """Return the current record."""
        shared = {name: getattr(self, name) for name in EntryRecord.model_fields}
        return TransactionRecord.model_construct(**shared, reverses_id=None)


RecordV2 = ConfigRecordV2 | BalanceRecordV2 | TransactionRecordV2
TableRecordV2 = RecordV2 | SquadRecord | MembershipRecord
