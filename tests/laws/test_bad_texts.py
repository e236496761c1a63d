"""Texts that are too long or that no database stores are refused; others are stored unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import TestData
from helpers.assertions import ReadRows, naming
from helpers.operations_table import KNOWN, Case, Parameter, World, each_key_case, list_parameters
from helpers.operations_table import NEW as UNKNOWN

from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    InvalidInputError,
    InvalidTextError,
    SquadOperations,
)

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


@pytest.mark.parametrize("parameter", list_parameters(*BAD), ids=str)
async def test_invalid_text_is_refused(
    parameter: Parameter, world: World, read_all_rows: ReadRows
) -> None:
    """Each bad text is InvalidTextError with the parameter's name, and nothing changes."""
    for member in (KNOWN[0], UNKNOWN[0]):
        await parameter.operation.get_ready(world, member)
        before = await read_all_rows()
        for bad in BAD[parameter.name]:
            with naming(member, bad):
                with pytest.raises(InvalidTextError) as caught:
                    await parameter.call(world, bad, member)
                assert isinstance(caught.value, ValueError)
                assert parameter.name == caught.value.field
                assert parameter.name in str(caught.value)
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
    """The constructor of BytesTransactionCreate refuses the same texts."""
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
    """SQL, astral characters (each counts as one), spaces and controls are stored unchanged."""
    answer = await bytes_ops.create_transaction(BytesTransactionCreate(**TRANSFER | {field: text}))
    stored = await BytesTransaction.get(kind="transfer")
    assert text == getattr(answer, field) == getattr(stored, field)


@pytest.mark.parametrize("text", GOOD["username"], ids=lambda text: ascii(text)[:16])
async def test_usernames_are_kept_verbatim(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData, text: str
) -> None:
    """Each ledger row has the name unchanged."""
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
    """Each ledger row has the reason unchanged, also of grant_many."""
    guild = test_data.guild
    await bytes_ops.grant(guild, USER, 1, reason=text)
    await bytes_ops.charge(guild, USER, 1, reason=text)
    await bytes_ops.grant_many(guild, {USER: 1, NEW: 1}, reason=text)
    reasons = await BytesTransaction.exclude(kind="starting").values_list("reason")
    assert [(text,)] * 4 == reasons


@each_key_case
async def test_keys_are_kept_verbatim(case: Case, world: World, read_all_rows: ReadRows) -> None:
    """A repeated operation finds any valid key and moves nothing."""
    for text, member in zip(GOOD["idempotency_key"], case.members, strict=False):
        with naming(text):
            await case.operation.get_ready(world, member)
            await case.operation.run(world, member, text)
            after = await read_all_rows()
            await case.operation.run(world, member, text)
            assert after == await read_all_rows()
            assert text in {row["idempotency_key"] for row in after["bytes_transactions"]}
