"""Invalid ids, amounts and pages are refused by every operation, and nothing changes."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby, product
from typing import Any

import pytest
from helpers import ALICE, GUILD, Clock, Database, Ids
from helpers.assertions import MAX_BYTES, ReadRows, assert_refused, naming
from helpers.operations_table import KNOWN, NEW, Parameter, World, list_parameters
from pydantic import BaseModel

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    InvalidAmountError,
    InvalidInputError,
    InvalidPageError,
    InvalidSnowflakeError,
    RefusedError,
    SquadCreate,
    SquadUpdate,
)

# Ids ----------------------------------------------------------------------------------------------

BAD_IDS: list[Any] = [
    *(True, False, 0, -1, 2**64, 10**5000, -(10**5000)),
    *("", " ", " 1", "1 ", "1\n", "01", "0", "-1", "+1", "1_0", "1e3", "0x1", "1.0", "SYSTEM"),
    *("१२", "１", "¹", "1\0", "\ud800", str(2**64), "9" * 30, "9" * 10_000),
    *(1.0, b"1", [], ("1",), object()),
]
GOOD_IDS: list[Any] = [1, 2**64 - 1, "1", "18446744073709551615", 2**63, str(2**63)]

ID_PARAMETERS = {
    method: list(parameters)
    for method, parameters in groupby(
        list_parameters("guild_id", "user_id", "actor_id"), lambda item: item.operation.method
    )
}
"""The parameters of each operation that are ids."""


def printable_message(error: BaseException) -> str:
    """An error's message, which must be printable anywhere."""
    assert str(error).encode()
    assert isinstance(error, ValueError)
    assert isinstance(error, InvalidInputError)
    assert error.problems
    return str(error)


@pytest.mark.parametrize("method", ID_PARAMETERS)
async def test_operation_takes_snowflakes_and_nothing_else(
    method: str, world: World, read_all_rows: ReadRows
) -> None:
    """Each bad id is InvalidSnowflakeError with the very value, whatever else is right.

    1 and 2⁶⁴−1, as int and as str, may be unknown, but are never refused as ids.
    """
    parameters = ID_PARAMETERS[method]
    await parameters[0].operation.get_ready(world, KNOWN[0])
    before = await read_all_rows()
    for parameter in parameters:
        for bad in BAD_IDS if parameter.can_be_none else [*BAD_IDS, None]:
            with naming(parameter.name, bad):
                with pytest.raises(InvalidSnowflakeError) as caught:
                    await parameter.call(world, bad)
                assert bad is caught.value.value
                assert printable_message(caught.value)
    assert before == await read_all_rows()
    for parameter in parameters:
        for good in GOOD_IDS:
            with naming(parameter.name, good), suppress(RefusedError):  # unknown, in no squad
                await parameter.call(world, good)


async def test_grant_many_refuses_an_invalid_snowflake(
    world: World, read_all_rows: ReadRows
) -> None:
    """One invalid id of a member is InvalidSnowflakeError."""
    before = await read_all_rows()
    for bad in [*BAD_IDS, None]:
        if isinstance(bad, list):
            continue  # cannot be a key at all
        with pytest.raises(InvalidSnowflakeError) as caught:
            await world.bytes.grant_many(GUILD, {"7": 1, bad: 1})
        assert bad is caught.value.value
    assert before == await read_all_rows()


TRANSFER: dict[str, Any] = {
    "guild_id": "1",
    "giver_id": "2",
    "giver_username": "alice",
    "receiver_id": "3",
    "receiver_username": "bob",
    "amount": 5,
}
SQUAD: dict[str, Any] = {"guild_id": "1", "role_id": "2", "name": "Red"}
ID_FIELDS: list[tuple[type[BaseModel], dict[str, Any], str]] = [
    (BytesTransactionCreate, TRANSFER, "guild_id"),
    (BytesTransactionCreate, TRANSFER, "giver_id"),
    (BytesTransactionCreate, TRANSFER, "receiver_id"),
    (SquadCreate, SQUAD, "guild_id"),
    (SquadCreate, SQUAD, "role_id"),
    (SquadUpdate, {}, "role_id"),
]


@pytest.mark.parametrize(("model", "fields", "field"), ID_FIELDS)
def test_inputs_refuse_an_invalid_snowflake(
    model: type[BaseModel], fields: dict[str, Any], field: str
) -> None:
    """The inputs' constructors refuse the same values, and accept the limits as text."""
    for bad in [*BAD_IDS, None]:
        with pytest.raises(InvalidInputError) as caught:
            model(**fields | {field: bad})
        assert printable_message(caught.value)
    for good in GOOD_IDS:
        parties = {"giver_id": "7", "receiver_id": "8"} if "giver_id" in fields else {}
        made = model(**fields | parties | {field: good})
        assert str(good) == getattr(made, field)


@pytest.mark.parametrize(("giver", "receiver"), [("2", "2"), (2, "2"), ("2", 2), (2, 2)])
def test_create_transaction_input_refuses_a_transfer_to_oneself(
    giver: str | int, receiver: str | int
) -> None:
    """Giver and receiver are different members, with ids as int or str."""
    with pytest.raises(InvalidInputError) as caught:
        BytesTransactionCreate(**TRANSFER | {"giver_id": giver, "receiver_id": receiver})
    assert printable_message(caught.value)


# Amounts ------------------------------------------------------------------------------------------

BAD_AMOUNTS: list[Any] = [
    *(0, -1, True, False, 1.0, 0.5, float("nan"), float("inf"), "5", b"5", None, [], {}),
    *(2**63, 2**64, 10**5000, -(2**63), -(10**5000)),
]


@pytest.mark.parametrize("parameter", list_parameters("amount", "amounts"), ids=str)
async def test_invalid_amount_is_refused(
    parameter: Parameter, world: World, read_all_rows: ReadRows
) -> None:
    """Each invalid amount is InvalidAmountError with the value, and nothing changes."""
    before = await read_all_rows()
    for member, bad in product((KNOWN[0], NEW[0]), BAD_AMOUNTS):
        with naming(member, bad):
            value = {"7": 1, member: bad} if parameter.name == "amounts" else bad
            with pytest.raises(InvalidAmountError) as caught:
                await parameter.call(world, value, member)
            assert bad is caught.value.value
            assert printable_message(caught.value)
    assert before == await read_all_rows()


@pytest.mark.parametrize("amount", [1, MAX_BYTES])
async def test_smallest_and_largest_amount_are_accepted(
    bytes_ops: BytesOperations, ids: Ids, amount: int
) -> None:
    """1 and 2⁶³−1 can be granted, to one and to many, transferred and charged."""
    await bytes_ops.update_config(
        ids.guild, BytesConfigUpdate(starting_balance=0, max_transfer=MAX_BYTES)
    )
    await bytes_ops.grant(ids.guild, ids.alice, amount)
    await bytes_ops.create_transaction(
        BytesTransactionCreate(
            guild_id=ids.guild,
            giver_id=ids.alice,
            giver_username="",
            receiver_id=ids.bob,
            receiver_username="",
            amount=amount,
        )
    )
    await bytes_ops.charge(ids.guild, ids.bob, amount)
    await bytes_ops.grant_many(ids.guild, {ids.carol: amount})
    moved = BytesTransaction.filter(amount__gt=0)
    assert await moved.values_list("amount") == [(amount,)] * 4


def test_create_transaction_input_refuses_an_invalid_amount() -> None:
    """BytesTransactionCreate refuses the same amounts and accepts the limits."""
    for bad in BAD_AMOUNTS:
        with pytest.raises(InvalidInputError) as caught:
            BytesTransactionCreate(**TRANSFER | {"amount": bad})
        assert printable_message(caught.value)
    for good in (1, MAX_BYTES):
        assert good == BytesTransactionCreate(**TRANSFER | {"amount": good}).amount


def test_create_transaction_input_refuses_an_unknown_field() -> None:
    """A misspelt field is refused rather than ignored."""
    with pytest.raises(InvalidInputError):
        BytesTransactionCreate(**TRANSFER, reasons="thanks")


# Pages --------------------------------------------------------------------------------------------

BAD_LIMITS: list[Any] = [0, -1, 10_001, 2**63, 10**5000, True, False, 1.0, "5", None, b"5"]
BAD_OFFSETS: list[Any] = [-1, True, False, 0.0, "0", None, b"0", -(10**5000)]
BAD_PAGES: dict[str, list[Any]] = {
    "limit": BAD_LIMITS,
    "offset": BAD_OFFSETS,
    "before": ["x", "\ud800", 5, 10**5000, {}, ALICE],
}
each_page_parameter = pytest.mark.parametrize("parameter", list_parameters(*BAD_PAGES), ids=str)


@each_page_parameter
async def test_invalid_page_is_refused(parameter: Parameter, world: World) -> None:
    """Each invalid limit, offset or start is InvalidPageError with the value."""
    for bad in BAD_PAGES[parameter.name]:
        with pytest.raises(InvalidPageError) as caught:
            await parameter.call(world, bad)
        assert bad is caught.value.value
        assert printable_message(caught.value)


@each_page_parameter
async def test_smallest_and_largest_page_are_accepted(parameter: Parameter, world: World) -> None:
    """Limits 1 and 10,000, offsets 0 and 2⁶³−1, and a row as the start, or None."""
    good: dict[str, list[Any]] = {
        "limit": [1, 10_000],
        "offset": [0, MAX_BYTES],
        "before": [None, await BytesTransaction.first()],
    }
    for value in good[parameter.name]:
        assert isinstance(await parameter.call(world, value), list)


# Clocks -------------------------------------------------------------------------------------------


async def test_clock_without_a_timezone_is_refused(
    db: Database, bytes_ops: BytesOperations, ids: Ids, clock: Clock, read_all_rows: ReadRows
) -> None:
    """A naive time has no date: ValueError, and nothing happens."""
    clock.now = clock.now.replace(tzinfo=None)
    async with assert_refused(ValueError, read_all_rows):
        await bytes_ops.claim_daily(ids.guild, ids.alice)
