"""What is no id, no amount and no page is refused by every operation, and nothing changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from helpers import Clock, Database, Ids, TestData
from helpers.assertions import MAX_BYTES, ReadRows, assert_refused
from pydantic import BaseModel

from bytes_squads import (
    AlreadyInSquadError,
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    DailyAlreadyClaimedError,
    InsufficientBalanceError,
    InvalidAmountError,
    InvalidInputError,
    InvalidPageError,
    InvalidSnowflakeError,
    NotInSquadError,
    SquadCreate,
    SquadNotFoundError,
    SquadOperations,
    SquadUpdate,
)

Call = Callable[[BytesOperations, SquadOperations, TestData, Any], Awaitable[Any]]

USER = "200000000000000001"  # Alice

# Ids ----------------------------------------------------------------------------------------------

BAD_IDS: list[Any] = [
    *(True, False, 0, -1, 2**64, 10**5000, -(10**5000)),
    *("", " ", " 1", "1 ", "1\n", "01", "0", "-1", "+1", "1_0", "1e3", "0x1", "1.0", "SYSTEM"),
    *("१२", "１", "¹", "1\0", "\ud800", str(2**64), "9" * 30, "9" * 10_000),
    *(1.0, b"1", [], ("1",), object()),
]
GOOD_IDS: list[Any] = [1, 2**64 - 1, "1", "18446744073709551615", 2**63, str(2**63)]

# Every parameter that takes a snowflake, by hand.
ID_PARAMETERS: dict[str, Call] = {
    "get_balance guild": lambda ops, _, data, bad: ops.get_balance(bad, USER),
    "get_balance user": lambda ops, _, data, bad: ops.get_balance(data.guild, bad),
    "claim_daily guild": lambda ops, _, data, bad: ops.claim_daily(bad, USER),
    "claim_daily user": lambda ops, _, data, bad: ops.claim_daily(data.guild, bad),
    "grant guild": lambda ops, _, data, bad: ops.grant(bad, USER, 1),
    "grant user": lambda ops, _, data, bad: ops.grant(data.guild, bad, 1),
    "grant actor": lambda ops, _, data, bad: ops.grant(data.guild, USER, 1, actor_id=bad),
    "charge guild": lambda ops, _, data, bad: ops.charge(bad, USER, 1),
    "charge user": lambda ops, _, data, bad: ops.charge(data.guild, bad, 1),
    "charge actor": lambda ops, _, data, bad: ops.charge(data.guild, USER, 1, actor_id=bad),
    "grant_many guild": lambda ops, _, data, bad: ops.grant_many(bad, {USER: 1}),
    "grant_many user": lambda ops, _, data, bad: ops.grant_many(data.guild, {"7": 1, bad: 1}),
    "grant_many actor": lambda ops, _, data, bad: ops.grant_many(
        data.guild, {USER: 1}, actor_id=bad
    ),
    "leaderboard guild": lambda ops, _, data, bad: ops.get_leaderboard(bad),
    "get_rank guild": lambda ops, _, data, bad: ops.get_rank(bad, USER),
    "get_rank user": lambda ops, _, data, bad: ops.get_rank(data.guild, bad),
    "history guild": lambda ops, _, data, bad: ops.get_transaction_history(bad),
    "history user": lambda ops, _, data, bad: ops.get_transaction_history(data.guild, bad),
    "roles guild": lambda ops, _, data, bad: ops.get_earned_roles(bad, USER),
    "roles user": lambda ops, _, data, bad: ops.get_earned_roles(data.guild, bad),
    "verify guild": lambda ops, _, data, bad: ops.verify(bad),
    "get_config guild": lambda ops, _, data, bad: ops.get_config(bad),
    "update_config guild": lambda ops, _, data, bad: ops.update_config(
        bad, BytesConfigUpdate(daily_amount=1)
    ),
    "get_squad guild": lambda _, squads, data, bad: squads.get_squad(bad, data.red.id),
    "update_squad guild": lambda _, squads, data, bad: squads.update_squad(
        bad, data.red.id, SquadUpdate(name="New")
    ),
    "delete_squad guild": lambda _, squads, data, bad: squads.delete_squad(bad, data.red.id),
    "guild_squads guild": lambda _, squads, data, bad: squads.get_guild_squads(bad),
    "join guild": lambda _, squads, data, bad: squads.join_squad(bad, "7", data.blue.id),
    "join user": lambda _, squads, data, bad: squads.join_squad(data.guild, bad, data.blue.id),
    "switch guild": lambda _, squads, data, bad: squads.switch_squad(bad, USER, data.blue.id),
    "switch user": lambda _, squads, data, bad: squads.switch_squad(data.guild, bad, data.blue.id),
    "leave guild": lambda _, squads, data, bad: squads.leave_squad(bad, USER),
    "leave user": lambda _, squads, data, bad: squads.leave_squad(data.guild, bad),
    "user_squad guild": lambda _, squads, data, bad: squads.get_user_squad(bad, USER),
    "user_squad user": lambda _, squads, data, bad: squads.get_user_squad(data.guild, bad),
    "members guild": lambda _, squads, data, bad: squads.get_squad_members(bad, data.red.id),
    "standings guild": lambda _, squads, data, bad: squads.get_squad_leaderboard(bad),
}
NONE_IS_NO_ID = ID_PARAMETERS.keys() - {
    *("grant actor", "charge actor", "grant_many actor", "history user", "verify guild")
}


EXPECTED = (
    *(SquadNotFoundError, NotInSquadError, AlreadyInSquadError),
    *(DailyAlreadyClaimedError, InsufficientBalanceError),
)


def told(error: BaseException) -> str:
    """An error's message, which must be printable anywhere."""
    assert str(error).encode()
    assert isinstance(error, ValueError)
    assert isinstance(error, InvalidInputError)
    assert error.problems
    return str(error)


@pytest.mark.parametrize("parameter", ID_PARAMETERS)
async def test_invalid_snowflake_is_refused(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    parameter: str,
) -> None:
    """Each bad id is InvalidSnowflakeError with the very value, whatever else is right."""
    before = await read_all_rows()
    values = [*BAD_IDS, None] if parameter in NONE_IS_NO_ID else BAD_IDS
    for bad in values:
        if isinstance(bad, list) and parameter == "grant_many user":
            continue  # cannot be a key at all
        with pytest.raises(InvalidSnowflakeError) as caught:
            await ID_PARAMETERS[parameter](bytes_ops, squad_ops, test_data, bad)
        assert bad is caught.value.value
        assert told(caught.value)
    assert before == await read_all_rows()


@pytest.mark.parametrize("parameter", ID_PARAMETERS)
async def test_smallest_and_largest_snowflake_are_accepted(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData, parameter: str
) -> None:
    """1 and 2⁶⁴−1, as int and as str, may be unknown, but are never refused as ids."""
    for good in GOOD_IDS:
        # Not found, not in a squad: not the point here. A refused id would be a ValueError.
        with suppress(*EXPECTED):
            await ID_PARAMETERS[parameter](bytes_ops, squad_ops, test_data, good)


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
    """The inputs refuse the same values when they are made, and accept the limits as text."""
    for bad in [*BAD_IDS, None]:
        with pytest.raises(InvalidInputError) as caught:
            model(**fields | {field: bad})
        assert told(caught.value)
    for good in GOOD_IDS:
        apart = {"giver_id": "7", "receiver_id": "8"} if "giver_id" in fields else {}
        made = model(**fields | apart | {field: good})
        assert str(good) == getattr(made, field)


@pytest.mark.parametrize(("giver", "receiver"), [("2", "2"), (2, "2"), ("2", 2), (2, 2)])
def test_create_transaction_input_refuses_a_transfer_to_oneself(
    giver: str | int, receiver: str | int
) -> None:
    """Giver and receiver are two members, in whichever form their ids come."""
    with pytest.raises(InvalidInputError) as caught:
        BytesTransactionCreate(**TRANSFER | {"giver_id": giver, "receiver_id": receiver})
    assert told(caught.value)


# Amounts ------------------------------------------------------------------------------------------

BAD_AMOUNTS: list[Any] = [
    *(0, -1, True, False, 1.0, 0.5, float("nan"), float("inf"), "5", b"5", None, [], {}),
    *(2**63, 2**64, 10**5000, -(2**63), -(10**5000)),
]
AMOUNT_PARAMETERS: dict[str, Call] = {
    "grant": lambda ops, _, data, bad: ops.grant(data.guild, USER, bad),
    "grant to a newcomer": lambda ops, _, data, bad: ops.grant(data.guild, "7", bad),
    "charge": lambda ops, _, data, bad: ops.charge(data.guild, USER, bad),
    "grant_many": lambda ops, _, data, bad: ops.grant_many(data.guild, {"7": 1, USER: bad}),
}


@pytest.mark.parametrize("parameter", AMOUNT_PARAMETERS)
async def test_invalid_amount_is_refused(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    parameter: str,
) -> None:
    """Each bad amount is InvalidAmountError with the very value, and nobody is paid."""
    before = await read_all_rows()
    for bad in BAD_AMOUNTS:
        with pytest.raises(InvalidAmountError) as caught:
            await AMOUNT_PARAMETERS[parameter](bytes_ops, squad_ops, test_data, bad)
        assert bad is caught.value.value
        assert told(caught.value)
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
        assert told(caught.value)
    for good in (1, MAX_BYTES):
        assert good == BytesTransactionCreate(**TRANSFER | {"amount": good}).amount


def test_create_transaction_input_refuses_an_unknown_field() -> None:
    """A misspelt field is refused rather than ignored."""
    with pytest.raises(InvalidInputError):
        BytesTransactionCreate(**TRANSFER, reasons="thanks")


# Pages --------------------------------------------------------------------------------------------

BAD_LIMITS: list[Any] = [0, -1, 10_001, 2**63, 10**5000, True, False, 1.0, "5", None, b"5"]
BAD_OFFSETS: list[Any] = [-1, True, False, 0.0, "0", None, b"0", -(10**5000)]
PAGE_PARAMETERS: dict[str, tuple[Call, list[Any]]] = {
    "leaderboard limit": (
        lambda ops, _, data, bad: ops.get_leaderboard(data.guild, bad),
        BAD_LIMITS,
    ),
    "leaderboard offset": (
        lambda ops, _, data, bad: ops.get_leaderboard(data.guild, 10, bad),
        BAD_OFFSETS,
    ),
    "history limit": (
        lambda ops, _, data, bad: ops.get_transaction_history(data.guild, limit=bad),
        BAD_LIMITS,
    ),
    "history before": (
        lambda ops, _, data, bad: ops.get_transaction_history(data.guild, before=bad),
        ["x", "\ud800", 5, 10**5000, {}, USER],
    ),
    "standings limit": (
        lambda _, squads, data, bad: squads.get_squad_leaderboard(data.guild, bad),
        BAD_LIMITS,
    ),
}


@pytest.mark.parametrize("parameter", PAGE_PARAMETERS)
async def test_invalid_page_is_refused(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    parameter: str,
) -> None:
    """Each bad limit, offset or start is InvalidPageError with the very value."""
    call, values = PAGE_PARAMETERS[parameter]
    for bad in values:
        with pytest.raises(InvalidPageError) as caught:
            await call(bytes_ops, squad_ops, test_data, bad)
        assert bad is caught.value.value
        assert told(caught.value)


@pytest.mark.parametrize("parameter", PAGE_PARAMETERS)
async def test_smallest_and_largest_page_are_accepted(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData, parameter: str
) -> None:
    """Limits 1 and 10,000, offsets 0 and 2⁶³−1, and a row as the start, or None."""
    good: dict[str, list[Any]] = {
        "leaderboard offset": [0, MAX_BYTES],
        "history before": [None, await BytesTransaction.first()],
    }
    for value in good.get(parameter, [1, 10_000]):
        call, _ = PAGE_PARAMETERS[parameter]
        assert isinstance(await call(bytes_ops, squad_ops, test_data, value), list)


# Clocks -------------------------------------------------------------------------------------------


async def test_clock_without_a_timezone_is_refused(
    db: Database, bytes_ops: BytesOperations, ids: Ids, clock: Clock, read_all_rows: ReadRows
) -> None:
    """Whose date it is could only be guessed: ValueError, and nothing happens."""
    clock.now = clock.now.replace(tzinfo=None)
    async with assert_refused(ValueError, read_all_rows):
        await bytes_ops.claim_daily(ids.guild, ids.alice)
