"""Texts that are too long or that no database stores are refused; any other is kept verbatim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import TestData
from helpers.assertions import ReadRows

from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    InvalidInputError,
    InvalidTextError,
    SquadOperations,
)

Call = Callable[[BytesOperations, SquadOperations, TestData, Any], Awaitable[Any]]
USER = "200000000000000001"  # Alice
NEW = "7"

ANY = ["a\0b", "\0", "\ud800", "a\udfffb", "\ud83d\ude00", b"text", 1.5, True, [], ("a",), object()]
# None means none for a reason and for a key; an int may be a key (an interaction's id).
BAD: dict[str, list[Any]] = {
    "username": [*ANY, "x" * 101, "🦊" * 101, "x" * 100_000, None, 5],
    "reason": [*ANY, "x" * 201, "🦊" * 201, 5],
    "idempotency_key": [*ANY, "x" * 101, "🦊" * 101, "", 0, -1],
}
SQL = "'; DROP TABLE squads; --"
GOOD: dict[str, list[str]] = {
    "username": ["", "x" * 100, "🦊" * 100, SQL, "é", "e\u0301", " a ", "a\nb", "\u202e", "\ufeff"],
    "reason": ["", "x" * 200, "🦊" * 200, SQL, "%s %(a)s $1 ? :a {}", '\\ " ` \t', "\U0010ffff"],
    "idempotency_key": ["x", " ", "x" * 100, "🦊" * 100, SQL, "\uffff", "0"],
}

# every parameter that takes a text: what it is called, and a call that passes it
TEXT_PARAMETERS: dict[str, tuple[str, Call]] = {
    "get_balance username": (
        "username",
        lambda ops, _, data, text: ops.get_balance(data.guild, NEW, text),
    ),
    "get_balance known username": (
        "username",
        lambda ops, _, data, text: ops.get_balance(data.guild, USER, text),
    ),
    "claim_daily username": (
        "username",
        lambda ops, _, data, text: ops.claim_daily(data.guild, NEW, text),
    ),
    "claim_daily key": (
        "idempotency_key",
        lambda ops, _, data, text: ops.claim_daily(data.guild, NEW, idempotency_key=text),
    ),
    "grant username": (
        "username",
        lambda ops, _, data, text: ops.grant(data.guild, NEW, 1, username=text),
    ),
    "grant reason": (
        "reason",
        lambda ops, _, data, text: ops.grant(data.guild, NEW, 1, reason=text),
    ),
    "grant key": (
        "idempotency_key",
        lambda ops, _, data, text: ops.grant(data.guild, NEW, 1, idempotency_key=text),
    ),
    "charge username": (
        "username",
        lambda ops, _, data, text: ops.charge(data.guild, USER, 1, username=text),
    ),
    "charge reason": (
        "reason",
        lambda ops, _, data, text: ops.charge(data.guild, USER, 1, reason=text),
    ),
    "charge key": (
        "idempotency_key",
        lambda ops, _, data, text: ops.charge(data.guild, USER, 1, idempotency_key=text),
    ),
    "grant_many reason": (
        "reason",
        lambda ops, _, data, text: ops.grant_many(data.guild, {NEW: 1}, reason=text),
    ),
    "grant_many key": (
        "idempotency_key",
        lambda ops, _, data, text: ops.grant_many(data.guild, {NEW: 1}, idempotency_key=text),
    ),
    "join username": (
        "username",
        lambda _, squads, data, text: squads.join_squad(
            data.guild, NEW, data.red.id, username=text
        ),
    ),
    "join key": (
        "idempotency_key",
        lambda _, squads, data, text: squads.join_squad(
            data.guild, NEW, data.red.id, idempotency_key=text
        ),
    ),
    "free join key": (
        "idempotency_key",
        lambda _, squads, data, text: squads.join_squad(
            data.guild, NEW, data.blue.id, idempotency_key=text
        ),
    ),
    "switch username": (
        "username",
        lambda _, squads, data, text: squads.switch_squad(
            data.guild, USER, data.blue.id, username=text
        ),
    ),
    "switch key": (
        "idempotency_key",
        lambda _, squads, data, text: squads.switch_squad(
            data.guild, USER, data.blue.id, idempotency_key=text
        ),
    ),
}


@pytest.mark.parametrize("parameter", TEXT_PARAMETERS)
async def test_invalid_text_is_refused(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    parameter: str,
) -> None:
    """Each bad text is InvalidTextError with the parameter's name, and nothing changes."""
    before = await read_all_rows()
    field, call = TEXT_PARAMETERS[parameter]
    for bad in BAD[field]:
        with pytest.raises(InvalidTextError) as caught:
            await call(bytes_ops, squad_ops, test_data, bad)
        assert isinstance(caught.value, ValueError)
        assert field == caught.value.field
        assert field in str(caught.value)
    assert before == await read_all_rows()


TRANSFER: dict[str, Any] = {
    "guild_id": "100000000000000001",
    "giver_id": USER,
    "giver_username": "alice",
    "receiver_id": NEW,
    "receiver_username": "new",
    "amount": 1,
}
TRANSFER_TEXTS = {
    "giver_username": "username",
    "receiver_username": "username",
    "reason": "reason",
    "idempotency_key": "idempotency_key",
}


@pytest.mark.parametrize(
    ("field", "bad"),
    [(field, bad) for field, kind in TRANSFER_TEXTS.items() for bad in BAD[kind]],
    ids=lambda value: "object" if type(value) is object else ascii(value)[:16],
)
def test_create_transaction_input_refuses_an_invalid_text(field: str, bad: Any) -> None:
    """BytesTransactionCreate refuses the same texts when it is made."""
    with pytest.raises(InvalidInputError) as caught:
        BytesTransactionCreate(**TRANSFER | {field: bad})
    assert str(caught.value).encode()


@pytest.mark.parametrize(
    ("field", "text"),
    [(field, text) for field, kind in TRANSFER_TEXTS.items() for text in GOOD[kind]],
    ids=lambda text: ascii(text)[:16],
)
async def test_create_transaction_keeps_texts_verbatim(
    bytes_ops: BytesOperations, test_data: TestData, field: str, text: str
) -> None:
    """SQL, astral characters (each counts as one), spaces and controls come back as they were."""
    answer = await bytes_ops.create_transaction(BytesTransactionCreate(**TRANSFER | {field: text}))
    stored = await BytesTransaction.get(kind="transfer")
    assert text == getattr(answer, field) == getattr(stored, field)


@pytest.mark.parametrize("text", GOOD["username"], ids=lambda text: ascii(text)[:16])
async def test_usernames_are_kept_verbatim(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData, text: str
) -> None:
    """The name stands in each ledger row just as it was given."""
    guild, red = test_data.guild, test_data.red.id
    await bytes_ops.get_balance(guild, NEW, text)  # starting
    await bytes_ops.grant(guild, NEW, 1, username=text)
    await bytes_ops.claim_daily(guild, NEW, text)
    await bytes_ops.charge(guild, NEW, 1, username=text)
    await squad_ops.join_squad(guild, NEW, red, username=text)
    received = await BytesTransaction.filter(receiver_id=NEW).values_list("receiver_username")
    sent = await BytesTransaction.filter(giver_id=NEW).values_list("giver_username")
    assert ([(text,)] * 3, [(text,)] * 2) == (received, sent)


@pytest.mark.parametrize("text", GOOD["reason"], ids=lambda text: ascii(text)[:16])
async def test_reasons_are_kept_verbatim(
    bytes_ops: BytesOperations, test_data: TestData, text: str
) -> None:
    """The reason stands in each ledger row just as it was given, many grants included."""
    guild = test_data.guild
    await bytes_ops.grant(guild, USER, 1, reason=text)
    await bytes_ops.charge(guild, USER, 1, reason=text)
    await bytes_ops.grant_many(guild, {USER: 1, NEW: 1}, reason=text)
    reasons = await BytesTransaction.exclude(kind="starting").values_list("reason")
    assert [(text,)] * 4 == reasons


@pytest.mark.parametrize("parameter", [name for name in TEXT_PARAMETERS if name.endswith("key")])
@pytest.mark.parametrize("text", GOOD["idempotency_key"], ids=lambda text: ascii(text)[:16])
async def test_keys_are_kept_verbatim(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    parameter: str,
    text: str,
) -> None:
    """Whatever the key looks like, a repeated order finds it and moves nothing."""
    _, call = TEXT_PARAMETERS[parameter]
    before = await read_all_rows()
    await call(bytes_ops, squad_ops, test_data, text)
    after = await read_all_rows()
    assert before != after
    await call(bytes_ops, squad_ops, test_data, text)
    assert after == await read_all_rows()
