"""Every error carries its numbers as attributes, tells them, and survives pickling."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

import bytes_squads
from bytes_squads import (
    AlreadyInSquadError,
    BalanceOverflowError,
    BytesSquadsError,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    InvalidAmountError,
    InvalidPageError,
    InvalidSnowflakeError,
    InvalidTextError,
    NotInSquadError,
    OutcomeUnknownError,
    SquadFullError,
    SquadInactiveError,
    SquadNotFoundError,
    SquadRoleTakenError,
    StorageUnavailableError,
    TransferCooldownError,
    TransferLimitError,
)

SQUAD = UUID("01a20312-d48f-7392-acf4-ae264702af47")
NOON = datetime(2026, 3, 2, 12, 34, 56, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)

# error, its attributes in the order of its arguments, what its message tells
ERRORS: list[tuple[type[BytesSquadsError], dict[str, Any], list[str]]] = [
    (InvalidSnowflakeError, {"value": -12}, ["-12"]),
    (InvalidAmountError, {"value": -7}, ["-7"]),
    (InvalidTextError, {"field": "reason"}, ["reason"]),
    (InvalidPageError, {"value": 10_001}, ["10001"]),
    (InsufficientBalanceError, {"balance": 40, "required": 57}, ["40", "57"]),
    (TransferLimitError, {"amount": 1001, "max_transfer": 999}, ["1001", "999"]),
    (TransferCooldownError, {"available_at": NOON}, ["2026-03-02", "12:34:56", "UTC"]),
    (
        DailyAlreadyClaimedError,
        {"claimed_on": date(2026, 3, 2), "next_claim_at": MIDNIGHT},
        ["2026-03-02", "2026-03-03", "00:00", "UTC"],
    ),
    (BalanceOverflowError, {"balance": 2**63 - 1, "amount": 3}, ["9223372036854775807", " 3 "]),
    (IdempotencyConflictError, {"key": "week-9"}, ["week-9"]),
    (SquadNotFoundError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (SquadInactiveError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (SquadFullError, {"squad_id": SQUAD, "max_members": 5}, [str(SQUAD), "5 "]),
    (SquadRoleTakenError, {"role_id": "301"}, ["301"]),
    (AlreadyInSquadError, {"squad_id": SQUAD}, [str(SQUAD)]),
    (NotInSquadError, {"user_id": "201"}, ["201"]),
    (StorageUnavailableError, {}, []),
    (OutcomeUnknownError, {}, []),
]
by_error = pytest.mark.parametrize(
    ("error", "attributes", "told"), ERRORS, ids=[row[0].__name__ for row in ERRORS]
)


def test_the_table_has_every_error_of_the_package() -> None:
    """No error is public without a row in the table."""
    public = {
        value
        for value in (getattr(bytes_squads, name) for name in bytes_squads.__all__)
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert public - {BytesSquadsError} == {row[0] for row in ERRORS}


@by_error
def test_an_error_has_its_arguments_as_attributes(
    error: type[BytesSquadsError], attributes: dict[str, Any], told: list[str]
) -> None:
    """An error is made of its numbers, by position or by name, and keeps them."""
    for made in (error(*attributes.values()), error(**attributes)):
        assert isinstance(made, BytesSquadsError)
        assert attributes == {name: getattr(made, name) for name in attributes}


@by_error
def test_an_error_tells_its_numbers(
    error: type[BytesSquadsError], attributes: dict[str, Any], told: list[str]
) -> None:
    """The message is one line that holds every number."""
    message = str(error(*attributes.values()))
    assert "\n" not in message
    assert all(number in message for number in told)


@by_error
def test_an_error_survives_pickling(
    error: type[BytesSquadsError], attributes: dict[str, Any], told: list[str]
) -> None:
    """A process pool may hand errors on: class, attributes and message stay."""
    made = error(*attributes.values())
    copy = pickle.loads(pickle.dumps(made))
    assert (error, str(made)) == (type(copy), str(copy))
    assert attributes == {name: getattr(copy, name) for name in attributes}


@pytest.mark.parametrize("error", [StorageUnavailableError, OutcomeUnknownError])
def test_a_failure_says_what_it_was_given_to_say(error: type[BytesSquadsError]) -> None:
    """The two errors without numbers carry a sentence, also through pickling."""
    copy = pickle.loads(pickle.dumps(error("the cable was cut")))
    assert (error, "the cable was cut") == (type(copy), str(copy))


@pytest.mark.parametrize(
    ("error", "expected"),
    [(row[0], row[0].__name__.startswith("Invalid")) for row in ERRORS],
    ids=[row[0].__name__ for row in ERRORS],
)
def test_only_bad_values_are_value_errors(error: type[BytesSquadsError], expected: bool) -> None:
    """The four errors about values are ValueErrors too, and no other is."""
    assert expected == issubclass(error, ValueError)


@pytest.mark.parametrize(
    "value",
    ["\ud800", "\0", "x" * 100_000, 10**5000, -(10**5000), [10**5000], None, b"1", 1.5, object()],
    ids=["surrogate", "nul", "long", "huge", "-huge", "list", "None", "bytes", "float", "object"],
)
@pytest.mark.parametrize(
    "error", [InvalidSnowflakeError, InvalidAmountError, InvalidPageError, SquadNotFoundError]
)
def test_any_bad_value_makes_a_short_printable_message(
    error: type[BytesSquadsError], value: object
) -> None:
    """Whatever was given, the message can be made, printed as UTF-8 and sent to Discord."""
    message = str(error(value))
    assert message.encode()
    assert message.isprintable()
    assert len(message) < 200
