"""The form in which a guild travels: JSON Lines, one object a line.

::

    {"type": "header", "format": "bytes_squads guild", "version": 1, "guild_id": "…", …}
    {"type": "config", …}          at most one
    {"type": "squad", …}
    {"type": "balance", …}
    {"type": "membership", …}
    {"type": "transaction", …}     the ledger, oldest first
    {"type": "end", "configs": 1, "squads": …, …}

The lines of a type stand together, the types in this order, so that a reader needs no memory of
what it has read. The closing line counts the others: an archive without it was cut off. What is
accepted is what the database accepts; a field that is null is left out. The surrogate keys of
balances and memberships do not travel, as they belong to a database and not to a guild.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, BinaryIO, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ..domain import validation as inputs
from ..domain.rules import SYSTEM_ID
from ..models import MAX_SQUAD_DESCRIPTION, MAX_SQUAD_NAME
from ..schemas import MAX_COOLDOWN_HOURS, MAX_MEMBERS, NonNegativeBytes, PositiveBytes

FORMAT = "bytes_squads guild"
VERSION = 1

LONGEST_LINE = 2**20
"""Bytes that a line may have: far more than any row needs, and little enough to hold."""

_LONGEST_REASON = 200


class ArchiveError(ValueError):
    """An archive that cannot be read, or a guild that it cannot be put into.

    Attributes:
        line: The number of the line, from 1; None when it is about the whole.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem, line)
        self.line = line

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.args[0]}"


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside of the calendar") from None


def _text(field: str, longest: int) -> AfterValidator:
    return AfterValidator(lambda value: inputs.text(field, value, longest))


def _party(value: str) -> str:
    return value if value == SYSTEM_ID else inputs.snowflake(value)


Id = Annotated[str, AfterValidator(inputs.snowflake)]
Party = Annotated[str, AfterValidator(_party)]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Days = Annotated[int, Field(ge=0, le=MAX_MEMBERS)]
Count = Annotated[int, Field(ge=0)]
Key = Annotated[str, Field(min_length=1), _text("idempotency_key", inputs.MAX_KEY)]
Username = Annotated[str, _text("username", inputs.MAX_USERNAME)]
Details = dict[str, Any]


class Line(BaseModel):
    """What every line has; its fields are columns, but for ``type``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @classmethod
    @cache
    def fields(cls) -> tuple[str, ...]:
        """The names of the fields, without ``type``."""
        return tuple(name for name in cls.model_fields if name != "type")

    def values(self) -> tuple[Any, ...]:
        """The values of the fields, without ``type``."""
        values: tuple[Any, ...] = self._getter()(self)
        return values

    @classmethod
    @cache
    def _getter(cls) -> attrgetter[Any]:
        return attrgetter(*cls.fields())


class Header(Line):
    """The first line: what this is, and of which guild."""

    type: Literal["header"]
    format: Literal["bytes_squads guild"]
    version: int
    guild_id: Id
    exported_at: Instant


class ConfigLine(Line):
    """The guild's config."""

    type: Literal["config"]
    starting_balance: NonNegativeBytes
    daily_amount: NonNegativeBytes
    streak_bonuses: dict[PositiveBytes, PositiveBytes]
    max_transfer: NonNegativeBytes
    transfer_cooldown_hours: Annotated[int, Field(ge=0, le=MAX_COOLDOWN_HOURS)]
    role_rewards: dict[Id, PositiveBytes]
    created_at: Instant
    updated_at: Instant


class SquadLine(Line):
    """A squad, under its own id."""

    type: Literal["squad"]
    id: UUID
    role_id: Id
    name: Annotated[str, _text("name", MAX_SQUAD_NAME)]
    description: Annotated[str, _text("description", MAX_SQUAD_DESCRIPTION)] | None = None
    switch_cost: NonNegativeBytes
    max_members: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] | None = None
    is_active: bool
    created_at: Instant
    updated_at: Instant


class BalanceLine(Line):
    """What a member has."""

    type: Literal["balance"]
    user_id: Id
    balance: NonNegativeBytes
    total_received: NonNegativeBytes
    total_sent: NonNegativeBytes
    last_daily: date | None = None
    streak_count: Days
    claim_key: Key | None = None
    claim_details: Details | None = None
    created_at: Instant
    updated_at: Instant

    @model_validator(mode="after")
    def _identity(self) -> Self:
        if self.balance != self.total_received - self.total_sent:
            raise ValueError("balance is not total_received less total_sent")
        return self


class MembershipLine(Line):
    """Which squad a member is in."""

    type: Literal["membership"]
    user_id: Id
    squad_id: UUID
    joined_at: Instant
    idempotency_key: Key | None = None


class TransactionLine(Line):
    """A row of the ledger, under its own id."""

    type: Literal["transaction"]
    id: UUID
    giver_id: Party
    giver_username: Username
    receiver_id: Party
    receiver_username: Username
    amount: PositiveBytes
    reason: Annotated[str, _text("reason", inputs.MAX_REASON)] | None = None
    created_at: Instant
    kind: Literal["transfer", "starting", "daily", "grant", "charge", "squad"]
    actor_id: Id | None = None
    idempotency_key: Key | None = None
    details: Details | None = None

    @model_validator(mode="after")
    def _two_parties(self) -> Self:
        if self.giver_id == self.receiver_id:
            raise ValueError("giver and receiver are the same")
        return self


class Sizes(Line):
    """How many lines of each type there are; as the closing line, how many there were."""

    type: Literal["end"] = "end"
    configs: Count
    squads: Count
    balances: Count
    memberships: Count
    transactions: Count

    @property
    def rows(self) -> int:
        """How many there are of all types."""
        return sum(self.values())


Row = ConfigLine | SquadLine | BalanceLine | MembershipLine | TransactionLine
ROWS: tuple[type[Row], ...] = (
    ConfigLine,
    SquadLine,
    BalanceLine,
    MembershipLine,
    TransactionLine,
)
"""The types of rows, in the order of an archive, which is that of the counts in `Sizes`."""

_ORDER: tuple[type[Line], ...] = (Header, *ROWS, Sizes)

_line: TypeAdapter[Header | Row | Sizes] = TypeAdapter(
    Annotated[Header | Row | Sizes, Field(discriminator="type")]
)


def encode(line: str, fields: Mapping[str, Any]) -> bytes:
    """A line as it is written: in ASCII, which no terminal, pipe or editor misunderstands.

    Args:
        line: Its type.
        fields: Its fields; those that are None are left out.
    """
    plain = {name: _plain(value) for name, value in fields.items() if value is not None}
    return _json.encode({"type": line, **plain}).encode("ascii") + b"\n"


_json = json.JSONEncoder(separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):  # in one order, whichever the database keeps
        return dict(sorted(value.items()))
    return value


def instant(value: datetime) -> str:
    """A point in time in ISO 8601, UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Reader:
    """Reads an archive line by line and refuses what is out of order.

    Args:
        source: Where it is read from, once and forwards.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._number = 0
        self._place = 0
        self._counts = dict.fromkeys(ROWS, 0)

    def header(self) -> Header:
        """The first line.

        Raises:
            ArchiveError: It is no archive, or one of another version.
        """
        line = self._next()
        if not isinstance(line, Header):
            raise ArchiveError("an archive of a guild begins with its header", 1)
        if line.version != VERSION:
            raise ArchiveError(
                f"this archive is of version {line.version}; version {VERSION} can be read", 1
            )
        return line

    def rows(self) -> Iterator[tuple[int, Row]]:
        """The rows after the header, each with the number of its line.

        Raises:
            ArchiveError: A line cannot be read or stands in the wrong place, the counts at the end
                are not those of the lines, or there is no such end.
        """
        while True:
            line = self._next()
            if isinstance(line, Sizes):
                break
            place = _ORDER.index(type(line))
            second = isinstance(line, ConfigLine) and self._counts[ConfigLine]
            if isinstance(line, Header) or place < self._place or second:
                raise ArchiveError(f"a {line.type} line stands in the wrong place", self._number)
            self._place = place
            self._counts[type(line)] += 1
            yield self._number, line
        found = tuple(self._counts.values())
        if found != line.values():
            counted = ", ".join(
                f"{count} {name}" for name, count in zip(Sizes.fields(), found, strict=True)
            )
            raise ArchiveError(
                f"the closing line counts otherwise than there are: {counted}", self._number
            )
        if self._source.readline(1):
            raise ArchiveError("something follows after the closing line", self._number + 1)

    def _next(self) -> Header | Row | Sizes:
        self._number += 1
        raw = self._source.readline(LONGEST_LINE + 1)
        if len(raw) > LONGEST_LINE:
            raise ArchiveError(f"longer than {LONGEST_LINE:,} bytes", self._number)
        if not raw:
            raise ArchiveError("the closing line is missing: the archive was cut off", self._number)
        try:
            return _line.validate_json(raw)
        except ValidationError as error:
            if not raw.endswith(b"\n"):
                raise ArchiveError("the archive was cut off in this line", self._number) from None
            raise ArchiveError(_first_problem(error), self._number) from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, problem["loc"]))
    told = f"{where}: {problem['msg']}" if where else problem["msg"]
    return told if len(told) <= _LONGEST_REASON else f"{told[:_LONGEST_REASON]}..."
