"""The stored value is the builtin value, regardless of overridden methods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from helpers import Database

from bytes_squads import (
    BytesBalance,
    BytesConfigUpdate,
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    BytesTransactionCreate,
    InvalidAmountError,
    InvalidInputError,
    InvalidPageError,
    InvalidSnowflakeError,
    InvalidTextError,
    Squad,
    SquadCreate,
    SquadNotFoundError,
    SquadOperations,
    TransactionNotFoundError,
)
from bytes_squads.domain import validation

MAIN = "100000000000000001"
SQUAD = UUID("01a20312-d48f-7392-acf4-ae264702af47")


class Guilds(str, Enum):  # noqa: UP042  # what users have, whose str() is "Guilds.MAIN"
    MAIN = "100000000000000001"


class Members(StrEnum):
    ALICE = "200000000000000001"


class Numbers(IntEnum):
    SEVEN = 7


def lie(*_: object) -> Any:
    """Replace a method that must not be called."""
    raise AssertionError("a method of the value was called")


LIES = [
    *("__str__", "__repr__", "__format__", "__len__", "__getitem__", "__iter__", "__contains__"),
    *("__eq__", "__hash__", "__bool__", "__int__", "__index__", "__add__", "__radd__"),
    *("__ge__", "__le__", "__gt__", "__lt__", "isascii", "isdigit", "encode", "replace", "strip"),
    "__reduce_ex__",
]


def liar(base: type, **others: Any) -> Any:
    """Return a subclass of str or int whose every method raises, or is as given."""
    return type(f"Lying{base.__name__}", (base,), {**dict.fromkeys(LIES, lie), **others})


LyingStr, LyingInt = liar(str), liar(int)
SHORT_STR = liar(str, __len__=lambda _: 1, isascii=lambda _: True, encode=lambda _: b"")
SMALL_INT = liar(
    int,
    __int__=lambda _: 1,
    __index__=lambda _: 1,
    **dict.fromkeys(("__ge__", "__le__", "__gt__", "__lt__"), lambda *_: True),
)
PRETENDER = type("Pretender", (), {"__class__": property(lambda _: str)})()

# function, value, what is stored
VALUES: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (validation.snowflake, Guilds.MAIN, MAIN),
    (validation.snowflake, Members.ALICE, "200000000000000001"),
    (validation.snowflake, Numbers.SEVEN, "7"),
    (validation.snowflake, LyingStr(MAIN), MAIN),
    (validation.snowflake, LyingInt(7), "7"),
    (validation.optional_snowflake, Guilds.MAIN, MAIN),
    (validation.amount, Numbers.SEVEN, 7),
    (validation.amount, LyingInt(7), 7),
    (validation.username, Guilds.MAIN, MAIN),
    (validation.username, LyingStr("ali\u0107e"), "ali\u0107e"),
    (validation.reason, LyingStr("thanks"), "thanks"),
    (validation.idempotency_key, Guilds.MAIN, MAIN),
    (validation.idempotency_key, LyingStr("k"), "k"),
    (validation.idempotency_key, LyingInt(7), "7"),
    (validation.limit, LyingInt(7), 7),
    (validation.offset, LyingInt(0), 0),
    (validation.squad_id, LyingStr(str(SQUAD)), SQUAD),
    (validation.squad_id, type("OtherUUID", (UUID,), {})(int=SQUAD.int), SQUAD),
    (validation.transaction_id, str(SQUAD), SQUAD),
]
# function, value, error
BAD_VALUES: list[tuple[Callable[[Any], Any], Any, type[BytesSquadsError]]] = [
    (validation.snowflake, SHORT_STR("9" * 30), InvalidSnowflakeError),
    (validation.snowflake, SHORT_STR("१२"), InvalidSnowflakeError),
    (validation.snowflake, SMALL_INT(0), InvalidSnowflakeError),
    (validation.snowflake, SMALL_INT(2**64), InvalidSnowflakeError),
    (validation.snowflake, PRETENDER, InvalidSnowflakeError),
    (validation.amount, SMALL_INT(-5), InvalidAmountError),
    (validation.amount, SMALL_INT(2**63), InvalidAmountError),
    (validation.username, SHORT_STR("x" * 101), InvalidTextError),
    (validation.username, SHORT_STR("\ud800"), InvalidTextError),
    (validation.username, liar(str, __contains__=lambda *_: False)("\0"), InvalidTextError),
    (validation.username, PRETENDER, InvalidTextError),
    (validation.idempotency_key, liar(str, __eq__=lambda *_: False)(""), InvalidTextError),
    (validation.idempotency_key, SMALL_INT(2**64), InvalidTextError),
    (validation.limit, SMALL_INT(0), InvalidPageError),
    (validation.offset, SMALL_INT(-1), InvalidPageError),
    (validation.squad_id, SHORT_STR("x"), SquadNotFoundError),
    (validation.squad_id, 7, SquadNotFoundError),
    (validation.transaction_id, "x", TransactionNotFoundError),
    (validation.transaction_id, None, TransactionNotFoundError),
]


def name_of(value: object) -> str:
    """Return a test's name without calling methods of the value."""
    return getattr(value, "__name__", type(value).__name__)


@pytest.mark.parametrize(("function", "value", "expected"), VALUES, ids=name_of)
def test_value_of_a_subclass_is_stored_as_the_builtin_value(
    function: Callable[[Any], Any], value: Any, expected: Any
) -> None:
    """Enumerations and classes with methods of any kind give the builtin value, and its type."""
    stored = function(value)
    assert type(expected) is type(stored)
    assert expected == stored


@pytest.mark.parametrize(("function", "value", "error"), BAD_VALUES, ids=name_of)
def test_value_with_overridden_methods_is_checked_by_its_content(
    function: Callable[[Any], Any], value: Any, error: type[BytesSquadsError]
) -> None:
    """Length, digits and size are those of the value, and the message can be made."""
    with pytest.raises(error) as caught:
        function(value)
    assert str(caught.value).isprintable()


def test_clock_time_is_converted_to_utc() -> None:
    """A clock may have any time zone, but must have one."""
    noon = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=2)))
    assert validation.now(lambda: noon).isoformat() == "2026-03-02T10:00:00+00:00"
    with pytest.raises(ValueError, match="timezone-aware"):
        validation.now(lambda: noon.replace(tzinfo=None))


def test_inputs_store_the_builtin_value() -> None:
    """In a pydantic input the same holds for every field."""
    transfer = BytesTransactionCreate(
        guild_id=Guilds.MAIN,
        giver_id=Members.ALICE,
        giver_username=LyingStr("alice"),
        receiver_id=LyingInt(8),
        receiver_username=Guilds.MAIN,
        amount=Numbers.SEVEN,
        reason=LyingStr("thanks"),
        idempotency_key=LyingInt(9),
    )
    config = BytesConfigUpdate(
        max_transfer=Numbers.SEVEN,
        streak_bonuses={Numbers.SEVEN: Numbers.SEVEN},
        role_rewards={Guilds.MAIN: Numbers.SEVEN},
    )
    squad = SquadCreate(guild_id=Guilds.MAIN, role_id=Numbers.SEVEN, name=LyingStr("Red"))

    assert transfer.model_dump() == {
        "guild_id": MAIN,
        "giver_id": "200000000000000001",
        "giver_username": "alice",
        "receiver_id": "8",
        "receiver_username": MAIN,
        "amount": 7,
        "reason": "thanks",
        "idempotency_key": "9",
    }
    assert config.changes() == {
        "max_transfer": 7,
        "streak_bonuses": {7: 7},
        "role_rewards": {MAIN: 7},
    }
    values = [*vars(transfer).values(), *config.changes().values(), *vars(squad).values()]
    inside = [
        part
        for value in values
        if isinstance(value, dict)
        for pair in value.items()
        for part in pair
    ]
    assert {type(value) for value in [*values, *inside]} == {str, int, dict, bool, type(None)}


@pytest.mark.parametrize("amount", [SMALL_INT(-5), SMALL_INT(2**63)], ids=["negative", "huge"])
def test_inputs_check_an_amount_by_its_value(amount: int) -> None:
    """An int with overridden comparisons is checked by its value."""
    with pytest.raises(InvalidInputError):
        BytesConfigUpdate(max_transfer=amount)


async def test_grant_stores_members_of_enumerations(
    db: Database, bytes_ops: BytesOperations
) -> None:
    """Of a member of an enumeration the id is stored, not the name."""
    await bytes_ops.grant(
        Guilds.MAIN, Members.ALICE, Numbers.SEVEN, actor_id=Numbers.SEVEN, idempotency_key="k"
    )
    row = await BytesTransaction.get(kind="grant")
    member = await BytesBalance.get()

    assert (member.guild_id, member.user_id) == (MAIN, "200000000000000001")
    assert (*(row.guild_id, row.receiver_id, row.amount, row.actor_id),) == (
        MAIN,
        "200000000000000001",
        7,
        "7",
    )
    assert (await bytes_ops.verify()).ok


async def test_create_squad_stores_members_of_enumerations(
    db: Database, squad_ops: SquadOperations
) -> None:
    """The same holds for the fields of an input."""
    await squad_ops.create_squad(
        SquadCreate(guild_id=Guilds.MAIN, role_id=Numbers.SEVEN, name=Guilds.MAIN)
    )
    squad = await Squad.get()

    assert (squad.guild_id, squad.role_id, squad.name) == (MAIN, "7", MAIN)
