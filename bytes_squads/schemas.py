"""What operations take beyond single values, and what they answer.

Inputs are pydantic models that refuse bad values when they are made (``pydantic.ValidationError``).
Results are frozen dataclasses. Amounts are whole bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .domain import validation as inputs
from .domain.rules import MAX_BYTES
from .models import MAX_SQUAD_DESCRIPTION, MAX_SQUAD_NAME, Squad

MAX_COOLDOWN_HOURS = 1_000_000
"""Some 114 years: far enough, and a date that the calendar still has."""

MAX_MEMBERS = 2**31 - 1


def _text(field: str, longest: int) -> BeforeValidator:
    # Before pydantic, which would take bytes for text.
    return BeforeValidator(lambda value: inputs.text(field, value, longest))


def _optional_text(field: str, longest: int) -> BeforeValidator:
    return BeforeValidator(
        lambda value: None if value is None else inputs.text(field, value, longest)
    )


# A bot holds ints; what is kept is the str.
Snowflake = Annotated[str | int, BeforeValidator(inputs.snowflake)]
IdempotencyKey = Annotated[str | int | None, BeforeValidator(inputs.idempotency_key)]
ZeroOrMore = Annotated[int, Field(strict=True, ge=0, le=MAX_BYTES)]
OneOrMore = Annotated[int, Field(strict=True, ge=1, le=MAX_BYTES)]


# Stands where a field of an update was not given; only fields that were given are applied.
_NOT_GIVEN: Any = None


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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
        pydantic.ValidationError: When a value is refused.
    """

    guild_id: Snowflake
    giver_id: Snowflake
    giver_username: Annotated[str, _text("giver_username", inputs.MAX_USERNAME)]
    receiver_id: Snowflake
    receiver_username: Annotated[str, _text("receiver_username", inputs.MAX_USERNAME)]
    amount: OneOrMore
    reason: Annotated[str | None, _optional_text("reason", inputs.MAX_REASON)] = None
    idempotency_key: IdempotencyKey = None

    @model_validator(mode="after")
    def _two_members(self) -> Self:
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
        pydantic.ValidationError: When a field is unknown or a value is refused.
    """

    starting_balance: ZeroOrMore = _NOT_GIVEN
    daily_amount: ZeroOrMore = _NOT_GIVEN
    streak_bonuses: dict[OneOrMore, OneOrMore] = _NOT_GIVEN
    max_transfer: ZeroOrMore = _NOT_GIVEN
    transfer_cooldown_hours: Annotated[int, Field(strict=True, ge=0, le=MAX_COOLDOWN_HOURS)] = (
        _NOT_GIVEN
    )
    role_rewards: dict[Snowflake, OneOrMore] = _NOT_GIVEN

    def changes(self) -> dict[str, Any]:
        """The fields that were given, by name."""
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
        pydantic.ValidationError: When a value is refused.
    """

    guild_id: Snowflake
    role_id: Snowflake
    name: SquadName
    description: SquadDescription = None
    switch_cost: ZeroOrMore = 50
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
        pydantic.ValidationError: When a field is unknown or a value is refused.
    """

    role_id: Snowflake = _NOT_GIVEN
    name: SquadName = _NOT_GIVEN
    description: SquadDescription = None
    switch_cost: ZeroOrMore = _NOT_GIVEN
    max_members: MaxMembers | None = None
    is_active: Annotated[bool, Field(strict=True)] = _NOT_GIVEN

    def changes(self) -> dict[str, Any]:
        """The fields that were given, by name."""
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
        transaction_id: The ledger row's id; None when nothing was paid.
    """

    amount: int
    multiplier: int
    streak: int
    claimed_on: date
    balance: int
    transaction_id: UUID | None


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
