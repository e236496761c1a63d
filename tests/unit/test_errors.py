"""Every error has its numbers as attributes and in its message, and can be pickled."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

import bytes_squads
from bytes_squads import (
    AlreadyInSquadError,
    AlreadyReversedError,
    BalanceOverflowError,
    BytesSquadsError,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    InvalidAmountError,
    InvalidInputError,
    InvalidPageError,
    InvalidSnowflakeError,
    InvalidTextError,
    NotInSquadError,
    NotReversibleError,
    OutcomeUnknownError,
    RefusedError,
    SquadFullError,
    SquadInactiveError,
    SquadNotFoundError,
    SquadRoleTakenError,
    StorageError,
    StorageUnavailableError,
    TransactionNotFoundError,
    TransferCooldownError,
    TransferLimitError,
)

SQUAD = UUID("01a20312-d48f-7392-acf4-ae264702af47")
REVERSAL = UUID("01a20312-d48f-7392-acf4-ae264702af48")
NOON = datetime(2026, 3, 2, 12, 34, 56, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)

PROBLEM = {"type": "greater_than", "loc": ("amount", 7), "msg": "Value error, too small"}

# error, its attributes in the order of its arguments, what its message contains
ERRORS: list[tuple[type[BytesSquadsError], dict[str, Any], list[str]]] = [
    (InvalidInputError, {"problems": [PROBLEM]}, ["amount.7: too small"]),
    (InvalidSnowflakeError, {"value": -12}, ["-12"]),
    (InvalidAmountError, {"value": -7}, ["-7"]),
    (InvalidTextError, {"field": "reason"}, ["reason"]),
    (InvalidPageError, {"value": 10_001}, ["10001"]),
    (TransactionNotFoundError, {"transaction_id": SQUAD}, [str(SQUAD)]),
    (
        AlreadyReversedError,
        {"transaction_id": SQUAD, "reversal_id": REVERSAL},
        [str(SQUAD), str(REVERSAL)],
    ),
    (NotReversibleError, {"transaction_id": SQUAD, "kind": "starting"}, [str(SQUAD), "starting"]),
    (InsufficientBalanceError, {"balance": 40, "required": 57}, ["40", "57"]),
    (TransferLimitError, {"amount": 1001, "max_transfer": 999}, ["1001", "exceeds", "999"]),
    (TransferCooldownError, {"available_at": NOON}, ["2026-03-02", "12:34:56", "UTC"]),
    (
        DailyAlreadyClaimedError,
        {"claimed_on": date(2026, 3, 2), "next_claim_at": MIDNIGHT},
        ["2026-03-02", "can be claimed at 2026-03-03 00:00 UTC"],
    ),
    (BalanceOverflowError, {"balance": 2**63 - 1, "amount": 3}, ["9223372036854775807", " 3 "]),
    (IdempotencyConflictError, {"key": "week-9"}, ["week-9"]),
    (SquadNotFoundError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (SquadInactiveError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (SquadFullError, {"squad_id": SQUAD, "max_members": 5}, [str(SQUAD), "5 "]),
    (SquadRoleTakenError, {"role_id": "301"}, ["301"]),
    (AlreadyInSquadError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (NotInSquadError, {"user_id": "201"}, ["201"]),
    (StorageUnavailableError, {"message": "the cable was cut"}, ["the cable was cut"]),
    (OutcomeUnknownError, {"message": "the cable was cut"}, ["the cable was cut"]),
]
by_error = pytest.mark.parametrize(
    ("error", "attributes", "contents"), ERRORS, ids=[row[0].__name__ for row in ERRORS]
)


def test_table_has_every_error_of_the_package() -> None:
    """No error is public without a row in the table."""
    public = {
        value
        for value in (getattr(bytes_squads, name) for name in bytes_squads.__all__)
        if isinstance(value, type) and issubclass(value, Exception)
    }
    families = {BytesSquadsError, RefusedError, StorageError}
    assert public - families == {row[0] for row in ERRORS}


@by_error
def test_error_has_its_arguments_as_attributes(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """An error is made of its fields, by position or by name; its args are the fields in order."""
    for made in (error(*attributes.values()), error(**attributes)):
        assert isinstance(made, BytesSquadsError)
        assert attributes == {name: getattr(made, name) for name in attributes}
        assert tuple(attributes.values()) == made.args


@by_error
def test_error_shows_its_fields_in_its_signature(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """The signature and the match arguments have the fields."""
    assert list(attributes) == list(inspect.signature(error).parameters)
    assert tuple(attributes) == error.__match_args__


@by_error
def test_error_takes_no_other_field(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """A field too many, or a misspelt one, is a TypeError like that of any function."""
    with pytest.raises(TypeError):
        error(*attributes.values(), 1)
    with pytest.raises(TypeError):
        error(**attributes, other=1)


@by_error
def test_error_message_has_its_numbers(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """The message is one line with every number."""
    message = str(error(*attributes.values()))
    assert "\n" not in message
    assert all(number in message for number in contents)


@by_error
def test_error_can_be_pickled(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """After pickling, class, attributes and message are equal."""
    made = error(*attributes.values())
    copy = pickle.loads(pickle.dumps(made))
    assert (error, str(made)) == (type(copy), str(copy))
    assert attributes == {name: getattr(copy, name) for name in attributes}


@pytest.mark.parametrize("error", [StorageUnavailableError, OutcomeUnknownError])
def test_storage_error_without_a_message_is_its_first_sentence(
    error: type[BytesSquadsError],
) -> None:
    """Without a reason, the message is the first sentence of the class, on one line."""
    message = str(error())
    assert message == str(error.__doc__).partition("\n")[0]
    assert message == str(pickle.loads(pickle.dumps(error())))


@by_error
def test_error_is_of_one_family(
    error: type[BytesSquadsError], attributes: dict[str, Any], contents: list[str]
) -> None:
    """A web page answers 400, 409 or 503 by the family; bad input alone is a ValueError."""
    families = (InvalidInputError, RefusedError, StorageError)
    if error.__name__.startswith("Invalid"):
        expected: type[BytesSquadsError] = InvalidInputError
    elif error in (StorageUnavailableError, OutcomeUnknownError):
        expected = StorageError
    else:
        expected = RefusedError
    assert [expected] == [family for family in families if issubclass(error, family)]
    assert issubclass(error, ValueError) == (expected is InvalidInputError)


@pytest.mark.parametrize(
    ("error", "location"),
    [
        (InvalidSnowflakeError("x"), ()),
        (InvalidAmountError(0), ()),
        (InvalidPageError(0), ()),
        (InvalidTextError("reason"), ("reason",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_invalid_value_is_one_problem(error: InvalidInputError, location: tuple[str, ...]) -> None:
    """A refused argument has the form of a refused input, so that one handler shows both."""
    assert error.problems == [{"type": "value_error", "loc": location, "msg": str(error)}]


def test_many_problems_make_a_short_message() -> None:
    """The first five are shown, and how many more there are."""
    message = str(InvalidInputError([{**PROBLEM, "loc": (f"field_{n}",)} for n in range(9)]))
    assert message.count("too small") == 5
    assert message.endswith("; and 4 more")


class Hostile:
    """A value whose own methods raise."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


class HostileText(str):
    __slots__ = ()
    __repr__ = Hostile.__repr__
    __str__ = Hostile.__repr__

    def __len__(self) -> int:
        raise RuntimeError


class HostileNumber(int):
    __repr__ = Hostile.__repr__
    __str__ = Hostile.__repr__


@pytest.mark.parametrize(
    "value",
    [
        *("\ud800", "\0", "x" * 100_000, 10**5000, -(10**5000), [10**5000], None, b"1", 1.5),
        *(object(), Hostile(), HostileText("x" * 1000), HostileNumber(5)),
        type("ä\n\x1b", (), {})(),
    ],
    ids=[
        *("surrogate", "nul", "long", "huge", "-huge", "list", "None", "bytes", "float"),
        *("object", "hostile", "hostile text", "hostile number", "type"),
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        *(InvalidSnowflakeError, InvalidAmountError, InvalidPageError),
        *(SquadNotFoundError, TransactionNotFoundError),
    ],
)
def test_any_bad_value_makes_a_short_printable_message(
    error: type[BytesSquadsError], value: object
) -> None:
    """For any value the message is short and printable."""
    message = str(error(value))
    assert message.encode()
    assert message.isprintable()
    assert len(message) < 200
