"""Errors of the operations, one class per reason.

::

    BytesSquadsError
    ├── InvalidInputError            (also a ValueError: a mistake in the call)
    │   ├── InvalidSnowflakeError
    │   ├── InvalidAmountError
    │   ├── InvalidTextError
    │   └── InvalidPageError
    ├── RefusedError                 (the call is valid, a rule forbids it now)
    │   ├── TransactionNotFoundError
    │   ├── AlreadyReversedError
    │   ├── NotReversibleError
    │   ├── InsufficientBalanceError
    │   ├── TransferLimitError
    │   ├── TransferCooldownError
    │   ├── DailyAlreadyClaimedError
    │   ├── BalanceOverflowError
    │   ├── IdempotencyConflictError
    │   ├── SquadNotFoundError
    │   ├── SquadInactiveError
    │   ├── SquadFullError
    │   ├── SquadRoleTakenError
    │   ├── AlreadyInSquadError
    │   └── NotInSquadError
    └── StorageError                 (the database failed)
        ├── StorageUnavailableError
        └── OutcomeUnknownError

An error's arguments are its attributes, so that a bot can write its own message. Errors can be
pickled. Amounts are whole bytes; timestamps are timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from inspect import Parameter, Signature
from typing import Any, ClassVar, dataclass_transform
from uuid import UUID


def _assign_fields(self: BytesSquadsError, *values: Any, **named: Any) -> None:
    """Assign the declared fields, which are also the error's ``args``, in their order."""
    fields = self.__signature__.bind(*values, **named)
    fields.apply_defaults()
    self.args = tuple(fields.arguments.values())
    vars(self).update(fields.arguments)


@dataclass_transform(eq_default=False)
class BytesSquadsError(Exception):
    """Base of every error of this package.

    A subclass declares its fields as annotations; its constructor is generated from them.
    """

    __signature__: ClassVar[Signature] = Signature()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if fields := cls.__annotations__:
            cls.__match_args__ = tuple(fields)  # type: ignore[misc]  # as dataclasses do
            cls.__signature__ = Signature(
                [
                    Parameter(
                        name,
                        Parameter.POSITIONAL_OR_KEYWORD,
                        default=vars(cls).get(name, Parameter.empty),
                        annotation=annotation,
                    )
                    for name, annotation in fields.items()
                ]
            )
            cls.__init__ = _assign_fields  # type: ignore[assignment]

    def __str__(self) -> str:
        """Return the message; without one, the first line of the class's docstring."""
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


class InvalidInputError(BytesSquadsError, ValueError):
    """The call has invalid values; retrying does not help.

    Args:
        problems: One item for each invalid value.
    """

    __signature__ = Signature([Parameter("problems", Parameter.POSITIONAL_OR_KEYWORD)])
    __match_args__ = ("problems",)

    def __init__(self, problems: list[Any]) -> None:
        Exception.__init__(self, problems)

    @property
    def problems(self) -> list[Any]:
        """The invalid values, in the form of pydantic's ``errors()``.

        Each item is a mapping with at least ``type``, ``loc`` (the path to the value: names and
        indexes) and ``msg``.
        """
        problems: list[Any] = self.args[0]
        return problems

    def __str__(self) -> str:
        """Return one line with the first problems, each with the path to its value."""
        shown = [_describe_problem(problem) for problem in self.problems[:_MAX_PROBLEMS]]
        if rest := len(self.problems) - len(shown):
            shown.append(f"and {rest} more")
        return "; ".join(shown)


class _InvalidValueError(InvalidInputError):
    # One value of a parameter; its fields are those of the concrete error.

    @property
    def problems(self) -> list[Any]:
        """The invalid value as one item, see `InvalidInputError`."""
        field = getattr(self, "field", None)
        location = () if field is None else (field,)
        return [{"type": "value_error", "loc": location, "msg": str(self)}]


class InvalidSnowflakeError(_InvalidValueError):
    """The value is not a Discord id: the decimal form of 1 … 2⁶⁴−1.

    Attributes:
        value: The invalid value.
    """

    value: object

    def __str__(self) -> str:
        return f"{_abbreviate(self.value)} is not a Discord id (the decimal form of 1 … 2⁶⁴−1)"


class InvalidAmountError(_InvalidValueError):
    """The amount is not an int from 1, or of a balance from 0, to 2⁶³−1 whole bytes.

    Attributes:
        value: The invalid value.
    """

    value: object

    def __str__(self) -> str:
        shown = _abbreviate(self.value)
        return (
            f"{shown} is not an amount of bytes"
            " (a whole number from 1 to 2⁶³−1; only a balance may be 0)"
        )


class InvalidTextError(_InvalidValueError):
    """The text is too long, or contains what no database can store (a NUL, a lone surrogate).

    Attributes:
        field: The name of the parameter.
    """

    field: str

    def __str__(self) -> str:
        return f"{self.field} is not a text within its length, without NUL and lone surrogates"


class InvalidPageError(_InvalidValueError):
    """A page's limit is not 1 … 10,000, its offset is negative, or its start is not a ledger row.

    Attributes:
        value: The invalid value.
    """

    value: object

    def __str__(self) -> str:
        return f"{_abbreviate(self.value)} is not a page (limit 1 … 10,000, offset from 0)"


class RefusedError(BytesSquadsError):
    """A rule forbids the operation in the present state; nothing was changed."""


class TransactionNotFoundError(RefusedError):
    """The guild has no ledger row with this id.

    Attributes:
        transaction_id: The given id.
    """

    transaction_id: object

    def __str__(self) -> str:
        return f"this guild has no transaction {_abbreviate(self.transaction_id)}"


class AlreadyReversedError(RefusedError):
    """The transaction has been reversed before; each can be reversed once.

    Attributes:
        transaction_id: The transaction's id.
        reversal_id: The id of the ledger row that reversed it.
    """

    transaction_id: UUID
    reversal_id: UUID

    def __str__(self) -> str:
        return f"transaction {self.transaction_id} has been reversed by {self.reversal_id}"


class NotReversibleError(RefusedError):
    """The transaction cannot be reversed: it moved no bytes, or its kind excludes it.

    Attributes:
        transaction_id: The transaction's id.
        kind: The transaction's kind.
    """

    transaction_id: UUID
    kind: str

    def __str__(self) -> str:
        return f"transaction {self.transaction_id} of kind {self.kind} cannot be reversed"


class InsufficientBalanceError(RefusedError):
    """The member has fewer bytes than the operation needs.

    Attributes:
        balance: The member's balance, in whole bytes.
        required: The amount that the operation needs, in whole bytes.
    """

    balance: int
    required: int

    def __str__(self) -> str:
        return f"{self.required} bytes are needed, the balance is {self.balance}"


class TransferLimitError(RefusedError):
    """The transfer is larger than the guild's config allows.

    Attributes:
        amount: The transfer, in whole bytes.
        max_transfer: The guild's limit, in whole bytes.
    """

    amount: int
    max_transfer: int

    def __str__(self) -> str:
        return (
            f"a transfer of {self.amount} bytes exceeds this guild's limit of {self.max_transfer}"
        )


class TransferCooldownError(RefusedError):
    """The giver's last transfer was too recent.

    Attributes:
        available_at: When the next transfer is possible (UTC).
    """

    available_at: datetime

    def __str__(self) -> str:
        return f"the next transfer is possible at {self.available_at:%Y-%m-%d %H:%M:%S} UTC"


class DailyAlreadyClaimedError(RefusedError):
    """The daily reward of this date has already been claimed.

    Attributes:
        claimed_on: The date of the last claim, in the guild's time zone.
        next_claim_at: When the next claim is possible: the first instant of the next date there
            (UTC).
    """

    claimed_on: date
    next_claim_at: datetime

    def __str__(self) -> str:
        return (
            f"the daily reward of {self.claimed_on} has been claimed, "
            f"the next can be claimed at {self.next_claim_at:%Y-%m-%d %H:%M} UTC"
        )


class BalanceOverflowError(RefusedError):
    """A balance or a total would exceed 2⁶³−1, the largest 64-bit integer.

    Attributes:
        balance: The balance or total that would overflow, in whole bytes.
        amount: The amount to be added, in whole bytes.
    """

    balance: int
    amount: int

    def __str__(self) -> str:
        return f"{self.balance} bytes and {self.amount} more would exceed 2⁶³−1"


class IdempotencyConflictError(RefusedError):
    """The idempotency key has been used in this guild for another operation.

    Attributes:
        key: The idempotency key.
    """

    key: str

    def __str__(self) -> str:
        return f"the idempotency key {self.key!r} has been used for another operation"


class SquadNotFoundError(RefusedError):
    """The guild has no squad with this id.

    Attributes:
        squad_id: The given id.
    """

    squad_id: object

    def __str__(self) -> str:
        return f"this guild has no squad {_abbreviate(self.squad_id)}"


class SquadInactiveError(RefusedError):
    """The squad does not accept members.

    Attributes:
        squad_id: The squad's id.
    """

    squad_id: UUID

    def __str__(self) -> str:
        return f"squad {self.squad_id} is not active"


class SquadFullError(RefusedError):
    """The squad is full.

    Attributes:
        squad_id: The squad's id.
        max_members: Its largest number of members.
    """

    squad_id: UUID
    max_members: int

    def __str__(self) -> str:
        return f"squad {self.squad_id} is full ({self.max_members} members)"


class SquadRoleTakenError(RefusedError):
    """Another squad of the guild uses this Discord role.

    Attributes:
        role_id: The role's snowflake.
    """

    role_id: str

    def __str__(self) -> str:
        return f"role {self.role_id} belongs to another squad of this guild"


class AlreadyInSquadError(RefusedError):
    """The member is already in a squad (joining), or in this squad (switching).

    Attributes:
        squad_id: The squad that the member is in.
    """

    squad_id: UUID

    def __str__(self) -> str:
        return f"the member is already in squad {self.squad_id}"


class NotInSquadError(RefusedError):
    """The member is not in a squad of this guild.

    Attributes:
        user_id: The member's snowflake.
    """

    user_id: str

    def __str__(self) -> str:
        return f"member {self.user_id} is not in a squad of this guild"


class StorageError(BytesSquadsError):
    """The database failed.

    Attributes:
        message: The reason; if empty, the first line of the class's docstring is shown.
    """

    message: str = ""


class StorageUnavailableError(StorageError):
    """The database is unavailable; nothing happened, safe to retry.

    It could not be reached, or conflicts lasted too long. Nothing will happen later, either.
    """


class OutcomeUnknownError(StorageError):
    """The connection was lost during COMMIT; it is unknown whether the operation happened.

    With an idempotency key it is safe to retry.
    """


_MAX_SHOWN = 60
_MAX_PROBLEMS = 5


def _abbreviate(value: object) -> str:
    """Return the value as short, printable text, without calling its methods."""
    kind = type(value)
    if issubclass(kind, (str, bytes)):
        base = str if issubclass(kind, str) else bytes
        shown = ascii(base.__getitem__(value, slice(_MAX_SHOWN)))  # type: ignore[index,call-overload]
    elif issubclass(kind, int) and kind is not bool:
        number = int.__add__(value, 0)  # type: ignore[operator]
        shown = str(number) if number.bit_length() <= 4 * _MAX_SHOWN else "a very large int"
    elif value is None or kind in (bool, float, UUID):
        shown = str(value)
    else:
        shown = f"<{ascii(kind.__name__)[1:-1]}>"
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 3]}..."


def _describe_problem(problem: Mapping[str, Any]) -> str:
    """Return a problem of pydantic as one line: its path and its message."""
    path = ".".join(_abbreviate(part).strip("'\"") for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
