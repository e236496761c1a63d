"""The records of an archive: one class for each type of line, with validated fields.

An archive is untrusted input. A record may contain only what operations can write: timestamps to
which a cooldown can be added, possible streaks, JSON that both databases return unchanged.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from ..domain import validation
from ..domain.rules import MAX_BYTES, SYSTEM_ID
from ..models import (
    MAX_CURRENCY_EMOJI,
    MAX_CURRENCY_NAME,
    MAX_SQUAD_DESCRIPTION,
    MAX_SQUAD_NAME,
)
from ..schemas import (
    MAX_COOLDOWN_HOURS,
    MAX_GRACE_DAYS,
    MAX_MEMBERS,
    NonNegativeBytes,
    PositiveBytes,
)

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The range of timestamps; adding a cooldown to the last one stays within the calendar."""

KINDS_WITHOUT_BYTES = ("starting", "daily", "squad")
"""The kinds of ledger rows that may have 0 bytes."""


def _utc(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise ValueError("the time is outside the years 1970 to 8999")
    return value.astimezone(UTC)


def _date(value: date) -> date:
    if not EARLIEST.date() <= value < LATEST.date():
        raise ValueError("the date is outside the years 1970 to 8999")
    return value


def _text(field: str, max_length: int) -> AfterValidator:
    return AfterValidator(lambda value: validation.text(field, value, max_length))


def _party(value: str) -> str:
    return value if value == SYSTEM_ID else validation.snowflake(value)


def _json(value: Any) -> Any:
    """Return a JSON value if operations could have written it: no fractions, no NUL."""
    if isinstance(value, dict):
        for key, item in value.items():
            _json(key)
            _json(item)
    elif isinstance(value, list):
        for item in value:
            _json(item)
    elif isinstance(value, str):
        validation.text("details", value, len(value))
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_BYTES):
        raise ValueError("numbers in details must be 64-bit integers")
    return value


SnowflakeStr = Annotated[str, AfterValidator(validation.snowflake)]
PartyId = Annotated[str, AfterValidator(_party)]
Timestamp = Annotated[AwareDatetime, AfterValidator(_utc)]
Day = Annotated[date, AfterValidator(_date)]
DayCount = Annotated[int, Field(ge=0, le=MAX_MEMBERS)]
Count = Annotated[int, Field(ge=0)]
Key = Annotated[str, Field(min_length=1), _text("idempotency_key", validation.MAX_KEY)]
Username = Annotated[str, _text("username", validation.MAX_USERNAME)]
Details = Annotated[dict[str, Any], AfterValidator(_json)]


class Record(BaseModel):
    """A line; its fields except ``type`` are columns of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @classmethod
    def type_name(cls) -> str:
        """Return the value of ``type``."""
        return str(get_args(cls.model_fields["type"].annotation)[0])

    @classmethod
    @cache
    def fields(cls) -> tuple[str, ...]:
        """Return the names of the fields, without ``type``."""
        return tuple(name for name in cls.model_fields if name != "type")

    def values(self) -> tuple[Any, ...]:
        """Return the values of the fields, without ``type``."""
        values: tuple[Any, ...] = self._getter()(self)
        return values

    @classmethod
    @cache
    def _getter(cls) -> attrgetter[Any]:
        return attrgetter(*cls.fields())


class Header(Record):
    """The first line: the format and the guild."""

    type: Literal["header"]
    format: Literal["bytes_squads guild"]
    version: Annotated[int, Field(ge=0, le=MAX_MEMBERS)]
    guild_id: SnowflakeStr
    exported_at: Timestamp


class SettingsRecord(Record):
    """Fields of a guild's config in all versions."""

    type: Literal["config"]
    starting_balance: NonNegativeBytes
    daily_amount: NonNegativeBytes
    streak_bonuses: dict[PositiveBytes, PositiveBytes]
    max_transfer: NonNegativeBytes
    transfer_cooldown_hours: Annotated[int, Field(ge=0, le=MAX_COOLDOWN_HOURS)]
    role_rewards: dict[SnowflakeStr, PositiveBytes]
    created_at: Timestamp
    updated_at: Timestamp


class ConfigRecord(SettingsRecord):
    """The guild's config."""

    timezone: Annotated[str, AfterValidator(validation.timezone)]
    streak_grace_days: Annotated[int, Field(ge=0, le=MAX_GRACE_DAYS)]
    currency_name: Annotated[str, Field(min_length=1), _text("currency_name", MAX_CURRENCY_NAME)]
    currency_emoji: (
        Annotated[str, Field(min_length=1), _text("currency_emoji", MAX_CURRENCY_EMOJI)] | None
    ) = None


class SquadRecord(Record):
    """A squad."""

    type: Literal["squad"]
    id: UUID
    role_id: SnowflakeStr
    name: Annotated[str, _text("name", MAX_SQUAD_NAME)]
    description: Annotated[str, _text("description", MAX_SQUAD_DESCRIPTION)] | None = None
    switch_cost: NonNegativeBytes
    max_members: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] | None = None
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp


class MemberRecord(Record):
    """Fields of a balance in all versions."""

    type: Literal["balance"]
    user_id: SnowflakeStr
    balance: NonNegativeBytes
    total_received: NonNegativeBytes
    total_sent: NonNegativeBytes
    last_daily: Day | None = None
    streak_count: DayCount
    created_at: Timestamp
    updated_at: Timestamp

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.balance != self.total_received - self.total_sent:
            raise ValueError("balance is not total_received minus total_sent")
        # A claim adds one day to the streak and at least one day to the date.
        days = 0 if self.last_daily is None else (self.last_daily - EARLIEST.date()).days + 1
        if self.streak_count > days:
            raise ValueError("streak_count is longer than the time until last_daily")
        return self


class BalanceRecord(MemberRecord):
    """A member's balance."""

    last_transfer_at: Timestamp | None = None
    left_at: Timestamp | None = None


class MembershipRecord(Record):
    """A member's squad."""

    type: Literal["membership"]
    user_id: SnowflakeStr
    squad_id: UUID
    joined_at: Timestamp


class EntryRecord(Record):
    """Fields of a row of the ledger in all versions."""

    type: Literal["transaction"]
    id: UUID
    giver_id: PartyId
    giver_username: Username
    receiver_id: PartyId
    receiver_username: Username
    amount: NonNegativeBytes
    reason: Annotated[str, _text("reason", validation.MAX_REASON)] | None = None
    created_at: Timestamp
    kind: str
    actor_id: SnowflakeStr | None = None
    idempotency_key: Key | None = None
    details: Details | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.giver_id == self.receiver_id:
            raise ValueError("giver and receiver are the same")
        if not self.amount and self.kind not in KINDS_WITHOUT_BYTES:
            raise ValueError(f"a {self.kind} row must have at least 1 byte")
        # A repeated request returns the details, so a row with a key needs them.
        if self.kind == "daily" and (self.idempotency_key or self.details is not None):
            check_claim(self.details)
        if self.kind == "squad" and (self.idempotency_key or self.details is not None):
            self.check_squad_details(self.details)
        return self

    def check_squad_details(self, details: dict[str, Any] | None) -> None:
        """Raise ValueError if these are not the details of a squad row."""
        check_squad_act(details, "action", ("join", "switch", "leave"))


class TransactionRecord(EntryRecord):
    """A row of the ledger."""

    kind: Literal["transfer", "starting", "daily", "grant", "charge", "squad", "reversal"]
    reverses_id: UUID | None = None

    @model_validator(mode="after")
    def _check_reversal(self) -> Self:
        if (self.kind == "reversal") != (self.reverses_id is not None):
            raise ValueError("a reversal row, and no other, must have reverses_id")
        return self


def check_claim(details: dict[str, Any] | None) -> None:
    """Raise ValueError if these are not the details of a daily row."""
    streak, multiplier, balance = (
        details.get(name) if details else None for name in ("streak", "multiplier", "balance")
    )
    if (
        details is None
        or set(details) != {"streak", "multiplier", "claimed_on", "balance"}
        or not (_is_int(streak, 1, MAX_MEMBERS) and _is_int(multiplier, 1, MAX_BYTES))
        or not _is_int(balance, 0, MAX_BYTES)
        or not _is_day(details["claimed_on"])
    ):
        raise ValueError(
            "details of a daily row are streak, multiplier, claimed_on and balance, each in range"
        )


def check_squad_act(details: dict[str, Any] | None, name: str, actions: tuple[str, ...]) -> None:
    """Raise ValueError if these are not an action, under this name, and a squad's id."""
    if (
        details is None
        or set(details) != {name, "squad_id"}
        or details[name] not in actions
        or not _is_uuid(details["squad_id"])
    ):
        raise ValueError(f"details of a squad row are {name} ({', '.join(actions)}) and squad_id")


def _is_int(value: Any, lowest: int, highest: int) -> bool:
    return type(value) is int and lowest <= value <= highest


def _is_day(value: Any) -> bool:
    try:
        return bool(_date(date.fromisoformat(value)).isoformat() == value)
    except (TypeError, ValueError):
        return False


def _is_uuid(value: Any) -> bool:
    try:
        return bool(str(UUID(value)) == value)
    except (AttributeError, TypeError, ValueError):
        return False


class Footer(Record):
    """The closing line: the number of records of each type."""

    type: Literal["end"] = "end"
    configs: Count
    squads: Count
    balances: Count
    memberships: Count
    transactions: Count

    @property
    def rows(self) -> int:
        """The total number of records."""
        return sum(self.values())


TableRecord = ConfigRecord | SquadRecord | BalanceRecord | MembershipRecord | TransactionRecord
RECORD_TYPES: tuple[type[TableRecord], ...] = (
    ConfigRecord,
    SquadRecord,
    BalanceRecord,
    MembershipRecord,
    TransactionRecord,
)
"""The record types in the order of an archive and of the counts in `Footer`."""
