"""Inputs and results of the operations.

Inputs are pydantic models that validate at construction (`InvalidInputError`).
Results are frozen dataclasses, except `MemberExport`, which is a pydantic model and so has a JSON
form. Amounts are whole bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .domain import validation
from .domain.errors import InvalidInputError
from .domain.rules import MAX_BYTES
from .models import (
    MAX_CURRENCY_EMOJI,
    MAX_CURRENCY_NAME,
    MAX_SQUAD_DESCRIPTION,
    MAX_SQUAD_NAME,
    Squad,
)

MAX_COOLDOWN_HOURS = 1_000_000
"""About 114 years; a longer cooldown could exceed the last date of Python's calendar."""

MAX_MEMBERS = 2**31 - 1
MAX_GRACE_DAYS = 2**31 - 1


def _text(field: str, max_length: int) -> BeforeValidator:
    # Before pydantic, which would accept bytes as text.
    return BeforeValidator(lambda value: validation.text(field, value, max_length))


def _optional_text(field: str, max_length: int) -> BeforeValidator:
    return BeforeValidator(
        lambda value: None if value is None else validation.text(field, value, max_length)
    )


# Bots hold ints; the str is stored.
Snowflake = Annotated[str | int, BeforeValidator(validation.snowflake)]
IdempotencyKey = Annotated[str | int | None, BeforeValidator(validation.idempotency_key)]
NonNegativeBytes = Annotated[int, Field(strict=True, ge=0, le=MAX_BYTES)]
PositiveBytes = Annotated[int, Field(strict=True, ge=1, le=MAX_BYTES)]
Timezone = Annotated[str, BeforeValidator(validation.timezone)]
CurrencyName = Annotated[str, Field(min_length=1), _text("currency_name", MAX_CURRENCY_NAME)]
CurrencyEmoji = Annotated[str, Field(min_length=1), _text("currency_emoji", MAX_CURRENCY_EMOJI)]


# The default of an update's fields; only the given fields are applied.
_UNSET: Any = None


class _Input(BaseModel):
    # pydantic's error becomes the cause, so that callers catch only this package's errors.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error

    # As on pydantic's own constructor: a model with an input as a field then validates the
    # input's fields itself and reports each with its path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate a mapping, see pydantic.

        Raises:
            InvalidInputError: A field is unknown or a value is invalid.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate a JSON object, see pydantic.

        Raises:
            InvalidInputError: A field is unknown or a value is invalid.
        """
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error


InputT = TypeVar("InputT", bound=_Input)


def check_input(model: type[InputT], value: InputT) -> InputT:
    """Return an operation's input as an instance of exactly this class, validated again.

    ``model_copy(update=...)``, ``model_construct`` and subclasses can bypass the validation at
    construction.

    Args:
        model: The class that the operation takes.
        value: The given input.

    Raises:
        InvalidInputError: It is of another class, or has an unknown field or an invalid value.
    """
    if not issubclass(type(value), model):
        name = model.__name__
        problem = {"type": "is_instance_of", "loc": (), "input": value, "ctx": {"class": name}}
        error = ValidationError.from_exception_data(name, [problem])  # type: ignore[list-item]
        raise InvalidInputError(error.errors()) from error
    given, known = value.__pydantic_fields_set__, model.__pydantic_fields__
    return model(
        **{
            name: field_value
            for name, field_value in vars(value).items()
            if name in given or name not in known or field_value is not known[name].default
        }
    )


class BytesTransactionCreate(_Input):
    """A transfer between two members of a guild.

    Args:
        guild_id: The guild (snowflake).
        giver_id: The giver (snowflake).
        giver_username: The giver's name, up to 100 characters.
        receiver_id: The receiver (snowflake), another member.
        receiver_username: The receiver's name, up to 100 characters.
        amount: Whole bytes, 1 … 2⁶³−1.
        reason: The reason, up to 200 characters.
        idempotency_key: Up to 100 characters, such as a Discord interaction's id.

    Raises:
        InvalidInputError: A value is invalid.
    """

    guild_id: Snowflake
    giver_id: Snowflake
    giver_username: Annotated[str, _text("giver_username", validation.MAX_USERNAME)]
    receiver_id: Snowflake
    receiver_username: Annotated[str, _text("receiver_username", validation.MAX_USERNAME)]
    amount: PositiveBytes
    reason: Annotated[str | None, _optional_text("reason", validation.MAX_REASON)] = None
    idempotency_key: IdempotencyKey = None

    @model_validator(mode="after")
    def _check_parties(self) -> Self:
        if self.giver_id == self.receiver_id:
            raise ValueError("giver and receiver are the same member")
        return self


class BytesConfigUpdate(_Input):
    """The fields of a guild's config to change; those not given stay.

    None clears ``currency_emoji`` and is invalid elsewhere.

    Args:
        starting_balance: Whole bytes a new member receives, 0 … 2⁶³−1.
        daily_amount: Whole bytes a daily claim pays before the multiplier, 0 … 2⁶³−1.
        streak_bonuses: Multiplier by streak length in days, both at least 1.
        max_transfer: Largest transfer in whole bytes, 0 … 2⁶³−1 (0 forbids transfers).
        transfer_cooldown_hours: Hours between a giver's transfers, 0 … 1,000,000.
        role_rewards: Total received, in whole bytes and at least 1, by role id.
        timezone: IANA time zone of the dates of daily claims, such as ``Europe/Berlin``.
        streak_grace_days: Days without a claim that do not end a streak, 0 … 2³¹−1.
        currency_name: Name of the guild's currency, 1 … 32 characters.
        currency_emoji: Emoji shown with amounts, 1 … 64 characters, or None.

    Raises:
        InvalidInputError: A field is unknown or a value is invalid.
    """

    starting_balance: NonNegativeBytes = _UNSET
    daily_amount: NonNegativeBytes = _UNSET
    streak_bonuses: dict[PositiveBytes, PositiveBytes] = _UNSET
    max_transfer: NonNegativeBytes = _UNSET
    transfer_cooldown_hours: Annotated[int, Field(strict=True, ge=0, le=MAX_COOLDOWN_HOURS)] = (
        _UNSET
    )
    role_rewards: dict[Snowflake, PositiveBytes] = _UNSET
    timezone: Timezone = _UNSET
    streak_grace_days: Annotated[int, Field(strict=True, ge=0, le=MAX_GRACE_DAYS)] = _UNSET
    currency_name: CurrencyName = _UNSET
    currency_emoji: CurrencyEmoji | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given, by name."""
        return self.model_dump(exclude_unset=True)


SquadName = Annotated[str, Field(min_length=1), _text("name", MAX_SQUAD_NAME)]
SquadDescription = Annotated[str | None, _optional_text("description", MAX_SQUAD_DESCRIPTION)]
MaxMembers = Annotated[int, Field(strict=True, ge=1, le=MAX_MEMBERS)]


class SquadCreate(_Input):
    """A new squad.

    Args:
        guild_id: The guild (snowflake).
        role_id: The Discord role of its members (snowflake); one squad per role.
        name: 1 … 100 characters.
        description: Up to 500 characters.
        switch_cost: Price of joining or switching to it in whole bytes, 0 … 2⁶³−1.
        max_members: Largest number of members, 1 … 2³¹−1; None for no limit.
        is_active: Whether it accepts members.

    Raises:
        InvalidInputError: A value is invalid.
    """

    guild_id: Snowflake
    role_id: Snowflake
    name: SquadName
    description: SquadDescription = None
    switch_cost: NonNegativeBytes = 50
    max_members: MaxMembers | None = None
    is_active: Annotated[bool, Field(strict=True)] = True


class SquadUpdate(_Input):
    """The fields of a squad to change; those not given stay.

    None clears ``description`` and ``max_members`` and is invalid elsewhere. A ``max_members``
    below the current number of members removes no one; it only prevents joins.

    Args:
        role_id: The Discord role of its members (snowflake).
        name: 1 … 100 characters.
        description: Up to 500 characters, or None.
        switch_cost: Price of joining or switching to it in whole bytes, 0 … 2⁶³−1.
        max_members: Largest number of members, 1 … 2³¹−1; None for no limit.
        is_active: Whether it accepts members.

    Raises:
        InvalidInputError: A field is unknown or a value is invalid.
    """

    role_id: Snowflake = _UNSET
    name: SquadName = _UNSET
    description: SquadDescription = None
    switch_cost: NonNegativeBytes = _UNSET
    max_members: MaxMembers | None = None
    is_active: Annotated[bool, Field(strict=True)] = _UNSET

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given, by name."""
        return self.model_dump(exclude_unset=True)


@dataclass(frozen=True, slots=True)
class DailyClaim:
    """The result of a daily claim.

    Attributes:
        amount: Whole bytes paid, the guild's ``daily_amount`` times the multiplier.
        multiplier: The streak's multiplier.
        streak: Number of claims in the streak, this one included.
        claimed_on: The date of the claim, in the guild's time zone.
        balance: The member's balance after it, in whole bytes.
        transaction_id: The ledger row's id; a claim that pays nothing is a row of 0 bytes.
    """

    amount: int
    multiplier: int
    streak: int
    claimed_on: date
    balance: int
    transaction_id: UUID


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """A member's rank in the guild.

    Attributes:
        rank: Position from 1; by balance descending, then by user id as text.
        user_id: The member (snowflake).
        balance: Whole bytes.
    """

    rank: int
    user_id: str
    balance: int


@dataclass(frozen=True, slots=True)
class SquadSummary:
    """A squad and its member count."""

    squad: Squad
    member_count: int


@dataclass(frozen=True, slots=True)
class SquadStanding:
    """A squad's rank among the active squads of the guild.

    Attributes:
        rank: Position from 1; by total balance descending, then by name, then by id.
        squad: The squad.
        member_count: Number of members.
        total_balance: Total balance of its members, in whole bytes; may exceed 2⁶³.
    """

    rank: int
    squad: Squad
    member_count: int
    total_balance: int


@dataclass(frozen=True, slots=True)
class RoleChanges:
    """The roles to add to a member, and those to remove.

    Attributes:
        add: Roles (snowflakes) that are due and missing.
        remove: Roles (snowflakes) of rewards or squads that the member has and is not due.
    """

    add: frozenset[str]
    remove: frozenset[str]


class MemberExport(BaseModel):
    """All stored data of one person in a guild, as plain JSON values.

    Rows are dicts by column name; times are ISO 8601 in UTC, ids are text. The ids of other members
    are included, their names are not.

    Attributes:
        guild_id: The guild (snowflake).
        user_id: The person (snowflake).
        balance: The row of `BytesBalance`; None for an unknown member.
        squad: The row of `SquadMembership` with the squad's ``name``; None without a squad.
        transactions: The rows of `BytesTransaction` that the person gave or received, oldest first.
            The only username of a row is the person's: ``giver_username`` or
            ``receiver_username``.
        ordered_as_moderator: Number of ledger rows that the person ordered, as their ``actor_id``.
    """

    model_config = ConfigDict(frozen=True)

    guild_id: str
    user_id: str
    balance: dict[str, Any] | None = None
    squad: dict[str, Any] | None = None
    transactions: list[dict[str, Any]] = []
    ordered_as_moderator: int = 0


@dataclass(frozen=True, slots=True)
class KindTotal:
    """The ledger rows of one kind in a period.

    Attributes:
        count: Number of rows.
        amount: Their sum in whole bytes; may exceed 2⁶³.
    """

    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class DayTotal:
    """The ledger rows of one date. Sums are whole bytes and may exceed 2⁶³.

    Attributes:
        date: The date, in the guild's time zone.
        created: From SYSTEM to members.
        retired: From members to SYSTEM.
        transferred: From member to member, by rows of kind ``transfer``.
        active_members: Number of members who gave or received in a row of this date, rows of
            0 bytes included.
    """

    date: date
    created: int
    retired: int
    transferred: int
    active_members: int


@dataclass(frozen=True, slots=True)
class EconomyStatistics:
    """The economy of a guild. Sums are whole bytes and may exceed 2⁶³.

    Attributes:
        members: Number of members, without those who left.
        circulation: Sum of all balances, those of members who left included.
        richest_tenth_share: Share of the richest tenth of the members (rounded up) in the sum of
            all members' balances, 0 … 1; 0 if that is 0. Members who left are not counted.
        created: From SYSTEM to members in the period.
        retired: From members to SYSTEM in the period.
        transferred: From member to member in the period, by rows of kind ``transfer``.
        kinds: Count and sum by kind; kinds without rows are left out.
        days: The dates with rows, oldest first.
    """

    members: int
    circulation: int
    richest_tenth_share: float
    created: int
    retired: int
    transferred: int
    kinds: dict[str, KindTotal]
    days: list[DayTotal]


@dataclass(frozen=True, slots=True)
class LedgerDiscrepancy:
    """A number of a balance row that differs from the ledger.

    Attributes:
        guild_id: The guild (snowflake).
        user_id: The member (snowflake).
        field: ``balance``, ``total_received`` or ``total_sent``.
        expected: Sum of the ledger rows, in whole bytes.
        found: Number in the balance row, in whole bytes; 0 without such a row.
    """

    guild_id: str
    user_id: str
    field: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """The result of checking balances against the ledger.

    Attributes:
        members: Number of balance rows checked.
        transactions: Number of ledger rows added up.
        discrepancies: Numbers that differ, by guild, member and field.
    """

    members: int
    transactions: int
    discrepancies: tuple[LedgerDiscrepancy, ...]

    @property
    def ok(self) -> bool:
        """Whether every balance equals its ledger."""
        return not self.discrepancies
