"""Inputs are validated by their constructors, and again by operations."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import TestData
from helpers.assertions import ReadRows
from pydantic import BaseModel, ValidationError

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransactionCreate,
    InvalidInputError,
    SquadCreate,
    SquadOperations,
    SquadUpdate,
)
from bytes_squads.schemas import check_input

TRANSFER: dict[str, Any] = {
    "guild_id": "100000000000000001",
    "giver_id": "200000000000000001",
    "giver_username": "alice",
    "receiver_id": "200000000000000002",
    "receiver_username": "bob",
    "amount": 5,
}
# input, values that it accepts, values that it refuses
INPUTS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (BytesTransactionCreate, TRANSFER, {"amount": 0}),
    (BytesConfigUpdate, {"daily_amount": 5}, {"daily_amount": -1}),
    (SquadCreate, {"guild_id": "1", "role_id": "2", "name": "Red"}, {"name": ""}),
    (SquadUpdate, {"name": "Red"}, {"name": "x" * 101}),
]
by_input = pytest.mark.parametrize(
    ("model", "good", "bad"), INPUTS, ids=[row[0].__name__ for row in INPUTS]
)


@by_input
def test_input_is_refused_when_it_is_made(
    model: Any, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """Each way to construct it: the problems are pydantic's, whose exception is the cause."""
    makers: list[Callable[[dict[str, Any]], Any]] = [
        lambda values: model(**values),
        model.model_validate,
        lambda values: model.model_validate_json(json.dumps(values)),
    ]
    for make in makers:
        assert good.items() <= make(good).model_dump().items()
        with pytest.raises(InvalidInputError) as caught:
            make(good | bad | {"unknown": 1})
        cause = caught.value.__cause__
        assert isinstance(cause, ValidationError)
        assert caught.value.problems == cause.errors()
        assert {problem["loc"] for problem in caught.value.problems} == {
            *((name,) for name in bad),
            ("unknown",),
        }
        for name in (*bad, "unknown"):
            assert f"{name}: " in str(caught.value)


def test_input_inside_another_model_reports_each_field() -> None:
    """In a request's body the errors are pydantic's, each with its path."""

    class Body(BaseModel):
        transfer: BytesTransactionCreate

    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"transfer": TRANSFER | {"amount": 0, "giver_id": "x"}})
    paths = [error["loc"] for error in caught.value.errors()]
    assert paths == [("transfer", "giver_id"), ("transfer", "amount")]


class Weaker(BytesTransactionCreate):
    """A subclass with fewer rules."""

    amount: int


class Stranger(BaseModel):
    """Another class with the same fields."""

    guild_id: str = "1"
    amount: int = 5


UNCHECKED: dict[str, Any] = {
    "a copy with a negative amount": BytesTransactionCreate(**TRANSFER).model_copy(
        update={"amount": -5}
    ),
    "a copy to oneself": BytesTransactionCreate(**TRANSFER).model_copy(
        update={"receiver_id": TRANSFER["giver_id"]}
    ),
    "a copy with a bad id": BytesTransactionCreate(**TRANSFER).model_copy(
        update={"guild_id": "SYSTEM"}
    ),
    "a copy with an unknown field": BytesTransactionCreate(**TRANSFER).model_copy(
        update={"reasons": "thanks"}
    ),
    "constructed with a negative amount": BytesTransactionCreate.model_construct(
        **TRANSFER | {"amount": -5}
    ),
    "constructed, hidden from the set of fields": BytesTransactionCreate.model_construct(
        _fields_set=set(TRANSFER), **TRANSFER, reason="x" * 201
    ),
    "constructed of nothing": BytesTransactionCreate.model_construct(),
    "a subclass with fewer rules": Weaker(**TRANSFER | {"amount": -5}),
    "a dict": TRANSFER,
    "another model": Stranger(),
    "another input": SquadUpdate(),
    "None": None,
}


@pytest.mark.parametrize("case", UNCHECKED)
async def test_create_transaction_checks_its_input_again(
    bytes_ops: BytesOperations, test_data: TestData, read_all_rows: ReadRows, case: str
) -> None:
    """An input that bypassed validation is refused by create_transaction."""
    before = await read_all_rows()
    with pytest.raises(InvalidInputError) as caught:
        await bytes_ops.create_transaction(UNCHECKED[case])
    cause = caught.value.__cause__
    assert isinstance(cause, ValidationError)
    assert caught.value.problems == cause.errors()
    assert str(caught.value).isprintable()
    assert before == await read_all_rows()


Call = Callable[[BytesOperations, SquadOperations, TestData], Awaitable[Any]]
OPERATIONS: dict[str, Call] = {
    "update_config": lambda ops, _, data: ops.update_config(
        data.guild, BytesConfigUpdate().model_copy(update={"daily_amount": -1})
    ),
    "update_config with a dict": lambda ops, _, data: ops.update_config(
        data.guild,
        {"daily_amount": 1},  # type: ignore[arg-type]
    ),
    "create_squad": lambda _, squads, data: squads.create_squad(
        SquadCreate.model_construct(guild_id=data.guild, role_id="7", name="")
    ),
    "create_squad with None": lambda _, squads, data: squads.create_squad(
        None  # type: ignore[arg-type]
    ),
    "update_squad": lambda _, squads, data: squads.update_squad(
        data.guild, data.red.id, SquadUpdate().model_copy(update={"switch_cost": -1})
    ),
    "update_squad with another input": lambda _, squads, data: squads.update_squad(
        data.guild,
        data.red.id,
        BytesConfigUpdate(),  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("call", OPERATIONS)
async def test_operations_check_their_input_again(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    call: str,
) -> None:
    """The other operations that take an input refuse as `create_transaction` does."""
    before = await read_all_rows()
    with pytest.raises(InvalidInputError) as caught:
        await OPERATIONS[call](bytes_ops, squad_ops, test_data)
    assert caught.value.problems
    assert before == await read_all_rows()


@by_input
def test_check_input_returns_an_equal_input_of_the_class(
    model: Any, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """A valid input is returned equal, with the same given fields."""
    derived = type("Derived", (model,), {})
    for made in (model(**good), derived(**good), model(**good).model_copy()):
        checked = check_input(model, made)
        assert type(checked) is model
        assert checked.model_dump() == made.model_dump()
        assert checked.model_fields_set == set(good)


def test_check_input_finds_a_change_that_is_not_marked_as_given() -> None:
    """A value other than the default counts as given, also where `model_construct` hides it."""
    hidden = BytesConfigUpdate.model_construct(_fields_set=set(), max_transfer=3)
    assert check_input(BytesConfigUpdate, hidden).changes() == {"max_transfer": 3}
