"""Every reason an operation may refuse or fail, one class each.

::

    BytesSquadsError
    ├── InvalidSnowflakeError        (also a ValueError)
    ├── InvalidAmountError           (also a ValueError)
    ├── InvalidTextError             (also a ValueError)
    ├── InvalidPageError             (also a ValueError)
    ├── InsufficientBalanceError
    ├── TransferLimitError
    ├── TransferCooldownError
    ├── DailyAlreadyClaimedError
    ├── BalanceOverflowError
    ├── IdempotencyConflictError
    ├── SquadNotFoundError
    ├── SquadInactiveError
    ├── SquadFullError
    ├── SquadRoleTakenError
    ├── AlreadyInSquadError
    ├── NotInSquadError
    ├── StorageUnavailableError
    └── OutcomeUnknownError

An error's arguments are its attributes, so a bot can word its own message, and an error survives
pickling. Amounts are whole bytes; points in time are timezone-aware UTC; dates are UTC dates.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID


class BytesSquadsError(Exception):
    """Base of every error that an operation raises on purpose."""

    def __str__(self) -> str:
        """The message; without one, the first line of the class's docstring."""
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


class InvalidSnowflakeError(BytesSquadsError, ValueError):
    """The value is not a Discord id: the decimal form of 1 … 2⁶⁴−1.

    Attributes:
        value: What was given.
    """

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"{_shown(self.value)} is not a Discord id (the decimal form of 1 … 2⁶⁴−1)"


class InvalidAmountError(BytesSquadsError, ValueError):
    """The amount is not an int from 1 to 2⁶³−1 whole bytes.

    Attributes:
        value: What was given.
    """

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"{_shown(self.value)} is not an amount of bytes (a whole number from 1 to 2⁶³−1)"


class InvalidTextError(BytesSquadsError, ValueError):
    """The text is too long, or holds what no database can store (a NUL, a lone surrogate).

    Attributes:
        field: The name of the parameter.
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} is not a text within its length, without NUL and lone surrogates"


class InvalidPageError(BytesSquadsError, ValueError):
    """A page's limit is not 1 … 10,000, its offset is negative, or its start is no ledger row.

    Attributes:
        value: What was given.
    """

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"{_shown(self.value)} is not a page (limit 1 … 10,000, offset from 0)"


class InsufficientBalanceError(BytesSquadsError):
    """The member has fewer bytes than the operation needs.

    Attributes:
        balance: What the member has, in whole bytes.
        required: What the operation needs, in whole bytes.
    """

    def __init__(self, balance: int, required: int) -> None:
        super().__init__(balance, required)
        self.balance = balance
        self.required = required

    def __str__(self) -> str:
        return f"{self.required} bytes are needed, the balance is {self.balance}"


class TransferLimitError(BytesSquadsError):
    """The transfer is larger than the guild's config allows.

    Attributes:
        amount: The transfer, in whole bytes.
        max_transfer: The guild's limit, in whole bytes.
    """

    def __init__(self, amount: int, max_transfer: int) -> None:
        super().__init__(amount, max_transfer)
        self.amount = amount
        self.max_transfer = max_transfer

    def __str__(self) -> str:
        return f"a transfer of {self.amount} bytes passes this guild's limit of {self.max_transfer}"


class TransferCooldownError(BytesSquadsError):
    """The giver's last transfer was too short a time ago.

    Attributes:
        available_at: From when the next transfer is accepted (UTC).
    """

    def __init__(self, available_at: datetime) -> None:
        super().__init__(available_at)
        self.available_at = available_at

    def __str__(self) -> str:
        return f"the next transfer is possible from {self.available_at:%Y-%m-%d %H:%M:%S} UTC"


class DailyAlreadyClaimedError(BytesSquadsError):
    """The daily reward of this UTC date has been claimed.

    Attributes:
        claimed_on: The UTC date of the claim.
        next_claim_at: The midnight (UTC) from which the next claim is accepted.
    """

    def __init__(self, claimed_on: date, next_claim_at: datetime) -> None:
        super().__init__(claimed_on, next_claim_at)
        self.claimed_on = claimed_on
        self.next_claim_at = next_claim_at

    def __str__(self) -> str:
        return (
            f"the daily reward of {self.claimed_on} has been claimed, "
            f"the next is there from {self.next_claim_at:%Y-%m-%d %H:%M} UTC"
        )


class BalanceOverflowError(BytesSquadsError):
    """A balance or a total would pass 2⁶³−1, the largest 64-bit integer.

    Attributes:
        balance: The balance or total that would overflow, in whole bytes.
        amount: What was to be added, in whole bytes.
    """

    def __init__(self, balance: int, amount: int) -> None:
        super().__init__(balance, amount)
        self.balance = balance
        self.amount = amount

    def __str__(self) -> str:
        return f"{self.balance} bytes and {self.amount} more would pass 2⁶³−1"


class IdempotencyConflictError(BytesSquadsError):
    """The idempotency key has been used in this guild for something else.

    Attributes:
        key: The idempotency key.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"the idempotency key {self.key!r} has been used for another operation"


class SquadNotFoundError(BytesSquadsError):
    """The guild has no squad with this id.

    Attributes:
        squad_id: The id that was asked for.
    """

    def __init__(self, squad_id: object) -> None:
        super().__init__(squad_id)
        self.squad_id = squad_id

    def __str__(self) -> str:
        return f"this guild has no squad {_shown(self.squad_id)}"


class SquadInactiveError(BytesSquadsError):
    """The squad takes no members at present.

    Attributes:
        squad_id: The squad's id.
    """

    def __init__(self, squad_id: UUID) -> None:
        super().__init__(squad_id)
        self.squad_id = squad_id

    def __str__(self) -> str:
        return f"squad {self.squad_id} is not active"


class SquadFullError(BytesSquadsError):
    """Every place of the squad is taken.

    Attributes:
        squad_id: The squad's id.
        max_members: How many members it takes.
    """

    def __init__(self, squad_id: UUID, max_members: int) -> None:
        super().__init__(squad_id, max_members)
        self.squad_id = squad_id
        self.max_members = max_members

    def __str__(self) -> str:
        return f"squad {self.squad_id} is full ({self.max_members} members)"


class SquadRoleTakenError(BytesSquadsError):
    """Another squad of the guild uses this Discord role.

    Attributes:
        role_id: The role's snowflake.
    """

    def __init__(self, role_id: str) -> None:
        super().__init__(role_id)
        self.role_id = role_id

    def __str__(self) -> str:
        return f"role {self.role_id} belongs to another squad of this guild"


class AlreadyInSquadError(BytesSquadsError):
    """The member is in a squad (joining), or in this very squad (switching).

    Attributes:
        squad_id: The squad that the member is in.
    """

    def __init__(self, squad_id: UUID) -> None:
        super().__init__(squad_id)
        self.squad_id = squad_id

    def __str__(self) -> str:
        return f"the member is in squad {self.squad_id} already"


class NotInSquadError(BytesSquadsError):
    """The member is in no squad of this guild.

    Attributes:
        user_id: The member's snowflake.
    """

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id)
        self.user_id = user_id

    def __str__(self) -> str:
        return f"member {self.user_id} is in no squad of this guild"


class StorageUnavailableError(BytesSquadsError):
    """The database could not be reached or stayed in conflict; nothing happened, safe to retry."""


class OutcomeUnknownError(BytesSquadsError):
    """The connection broke while committing and the database stayed away throughout the retries.

    The operation may have happened. With an idempotency key it is safe to repeat it.
    """


_LONGEST_SHOWN = 60


def _shown(value: object) -> str:
    """The value as one short, printable piece of a message (a lone surrogate cannot be printed)."""
    try:
        text = ascii(value)
    except ValueError:  # an int of more than 4,300 digits has no decimal form
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
