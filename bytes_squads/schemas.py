"""What operations take beyond single values, and what they answer.

Inputs are pydantic models that refuse bad values when they are made (`InvalidInputError`).
Results are frozen dataclasses. Amounts are whole bytes.
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
from .models import MAX_SQUAD_DESCRIPTION, MAX_SQUAD_NAME, Squad

MAX_COOLDOWN_HOURS = 1_000_000
"""Some 114 years: far enough, and a date that the calendar still has."""

MAX_MEMBERS = 2**31 - 1


def _text(field: str, max_length: int) -> BeforeValidator:
    # Before pydantic, which would take bytes for text.
    return BeforeValidator(lambda value: validation.text(field, value, max_length))


def _optional_text(field: str, max_length: int) -> BeforeValidator:
    return BeforeValidator(
        lambda value: None if value is None else validation.text(field, value, max_length)
    )


# A bot holds ints; what is kept is the str.
Snowflake = Annotated[str | int, BeforeValidator(validation.snowflake)]
IdempotencyKey = Annotated[str | int | None, BeforeValidator(validation.idempotency_key)]
NonNegativeBytes = Annotated[int, Field(strict=True, ge=0, le=MAX_BYTES)]
PositiveBytes = Annotated[int, Field(strict=True, ge=1, le=MAX_BYTES)]


# The default of an update's fields; only fields that were given are applied.
_UNSET: Any = None


class _Input(BaseModel):
    # pydantic's own error is the cause. It is a ValueError too, but would not be one of this
    # package's, and a caller of an operation should need no other.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error

    # As on pydantic's own constructor: a model that has an input as a field validates the fields
    # of the input itself, and reports each with its path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make an input of a mapping, see pydantic.

        Raises:
            InvalidInputError: When a field is unknown or a value is refused.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make an input of a JSON object, see pydantic.

        Raises:
            InvalidInputError: When a field is unknown or a value is refused.
        """
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise InvalidInputError(error.errors()) from error


InputT = TypeVar("InputT", bound=_Input)


def check_input(model: type[InputT], value: InputT) -> InputT:
    """Return an operation's input as an instance of exactly this class, validated again.

    pydantic validates when an input is made. ``model_copy(update=...)``, ``model_construct`` and
    subclasses with other rules get past that.

    Args:
        model: The class that the operation takes.
        value: What was given.

    Raises:
        InvalidInputError: When it is of another class, has an unknown field or a refused value.
    """
    if not issubclass(type(value), model):
        name = model.__name__
        problem = {"type": "is_instance_of", "loc": (), "input": value, "ctx": {"class": name}}
        error = ValidationError.from_exception_data(name, [problem])  # type: ignore[list-item]
        raise InvalidInputError(error.errors()) from error
    given, known = value.__pydantic_fields_set__, model.__pydantic_fields__
    return model(
        **{
            name: held
            for name, held in vars(value).items()
            if name in given or name not in known or held is not known[name].default
        }
    )


class BytesTransactionCreate(_Input):
    """A transfer between two members of a guild.

    Args:
        guild_id: The guild (snowflake).
        giver_id: Who gives (snowflake).
        giver_username: The giver's name, up to 100 characters.
        receiver_id: Who receives (snowflake); another member.
        receiver_username: The receiver's name, up to 100 characters.
        amount: Whole bytes, 1 … 2⁶³−1.
        reason: Why, up to 200 characters.
        idempotency_key: Up to 100 characters; a Discord interaction's id is a good one.

    Raises:
        InvalidInputError: When a value is refused.
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
    """The fields of a guild's config to change; those not given stay. None is refused.

    Args:
        starting_balance: Whole bytes a new member receives, 0 … 2⁶³−1.
        daily_amount: Whole bytes a daily claim pays before the multiplier, 0 … 2⁶³−1.
        streak_bonuses: Multiplier by streak length in days, both at least 1.
        max_transfer: Largest transfer in whole bytes, 0 … 2⁶³−1 (0 forbids transfers).
        transfer_cooldown_hours: Hours between a giver's transfers, 0 … 1,000,000.
        role_rewards: Total received, in whole bytes and at least 1, by role id.

    Raises:
        InvalidInputError: When a field is unknown or a value is refused.
    """

    starting_balance: NonNegativeBytes = _UNSET
    daily_amount: NonNegativeBytes = _UNSET
    streak_bonuses: dict[PositiveBytes, PositiveBytes] = _UNSET
    max_transfer: NonNegativeBytes = _UNSET
    transfer_cooldown_hours: Annotated[int, Field(strict=True, ge=0, le=MAX_COOLDOWN_HOURS)] = (
        _UNSET
    )
    role_rewards: dict[Snowflake, PositiveBytes] = _UNSET

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
        role_id: The Discord role of its members (snowflake); one squad a role.
        name: 1 … 100 characters.
        description: Up to 500 characters.
        switch_cost: Whole bytes that joining costs, or switching to it, 0 … 2⁶³−1.
        max_members: How many members it takes, 1 … 2³¹−1; None for no limit.
        is_active: Whether it takes members.

    Raises:
        InvalidInputError: When a value is refused.
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

    None clears ``description`` and ``max_members`` and is refused elsewhere. A ``max_members``
    below the present number of members sends nobody away; it only lets nobody in.

    Args:
        role_id: The Discord role of its members (snowflake).
        name: 1 … 100 characters.
        description: Up to 500 characters, or None.
        switch_cost: Whole bytes that joining costs, or switching to it, 0 … 2⁶³−1.
        max_members: How many members it takes, 1 … 2³¹−1; None for no limit.
        is_active: Whether it takes members.

    Raises:
        InvalidInputError: When a field is unknown or a value is refused.
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
    """What a daily claim paid.

    Attributes:
        amount: Whole bytes paid, the guild's ``daily_amount`` times the multiplier.
        multiplier: The streak's multiplier.
        streak: Claims in a row, in days, this one included.
        claimed_on: The UTC date of the claim.
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
    """A member's place among the members of the guild.

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
    """A squad and how many members it has."""

    squad: Squad
    member_count: int


@dataclass(frozen=True, slots=True)
class SquadStanding:
    """A squad's place among the active squads of the guild.

    Attributes:
        rank: Position from 1; by total balance descending, then by name, then by id.
        squad: The squad.
        member_count: How many members it has.
        total_balance: What they have together, in whole bytes; may pass 2⁶³.
    """

    rank: int
    squad: Squad
    member_count: int
    total_balance: int


@dataclass(frozen=True, slots=True)
class LedgerDiscrepancy:
    """A number of a balance row that the ledger does not bear out.

    Attributes:
        guild_id: The guild (snowflake).
        user_id: The member (snowflake).
        field: ``balance``, ``total_received`` or ``total_sent``.
        expected: What the ledger's rows add up to, in whole bytes.
        found: What the balance row says, in whole bytes; 0 where there is no such row.
    """

    guild_id: str
    user_id: str
    field: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What a check of balances against the ledger found.

    Attributes:
        members: How many balance rows were checked.
        transactions: How many ledger rows were added up.
        discrepancies: What does not agree, by guild, member and field.
    """

    members: int
    transactions: int
    discrepancies: tuple[LedgerDiscrepancy, ...]

    @property
    def ok(self) -> bool:
        """Whether every balance is what the ledger says."""
        return not self.discrepancies
