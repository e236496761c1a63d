"""A repeated idempotency key gives the first answer and moves nothing.

Claims are in test_daily.py, joining and switching in test_squad_memberships.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember
from helpers.assertions import Check, ReadRows, as_dict, assert_refused
from helpers.operations_table import Case, World, each_key_case
from tortoise.models import Model

from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    IdempotencyConflictError,
    InsufficientBalanceError,
)

Order = Callable[..., Awaitable[Any]]


def orders(ops: BytesOperations, ids: Ids) -> dict[str, Order]:
    """Each kind of request for 60 bytes, "for the talk", with the key "k"; or the given fields.

    `who` is the member paid or charged, the giver of a transfer.
    """

    async def transfer(**keywords: Any) -> Any:
        fields: dict[str, Any] = {
            "guild_id": ids.guild,
            "giver_id": ids.alice,
            "giver_username": "alice",
            "receiver_id": ids.bob,
            "receiver_username": "bob",
            "amount": 60,
            "reason": "for the talk",
            "idempotency_key": "k",
        }
        keywords = {
            ("giver_id" if name == "user_id" else name): value for name, value in keywords.items()
        }
        if username := keywords.pop("username", None):
            keywords |= {"giver_username": username, "receiver_username": username}
        return await ops.create_transaction(BytesTransactionCreate(**fields | keywords))

    def single(method: Callable[..., Awaitable[Any]]) -> Order:
        async def pay(**keywords: Any) -> Any:
            fields: dict[str, Any] = {
                "guild_id": ids.guild,
                "user_id": ids.alice,
                "amount": 60,
                "reason": "for the talk",
                "idempotency_key": "k",
            }
            return await method(**fields | keywords)

        return pay

    async def many(**keywords: Any) -> Any:
        amounts = {keywords.pop("user_id", ids.alice): keywords.pop("amount", 60), ids.bob: 5}
        fields = {"reason": "for the talk", "idempotency_key": "k"} | keywords
        return await ops.grant_many(fields.pop("guild_id", ids.guild), amounts, **fields)

    return {
        "transfer": transfer,
        "grant": single(ops.grant),
        "charge": single(ops.charge),
        "grant_many": many,
    }


def compared(answer: Any) -> Any:
    """Return the values of a row; any other answer as it is."""
    return as_dict(answer) if isinstance(answer, Model) else answer


KINDS = ["transfer", "grant", "charge", "grant_many"]
by_kind = pytest.mark.parametrize("kind", KINDS)


@each_key_case
async def test_repeated_key_returns_the_first_answer_and_moves_nothing(
    case: Case, world: World, clock: Clock, read_all_rows: ReadRows
) -> None:
    """Repetitions, also a day later, return the first result and change no table."""
    member = case.members[0]
    await case.operation.get_ready(world, member)
    first = await case.operation.run(world, member, "k")
    before = await read_all_rows()
    for _ in range(2):
        clock.advance(days=1)
        assert compared(first) == compared(await case.operation.run(world, member, "k"))
    assert before == await read_all_rows()


@pytest.mark.parametrize("kind", ["transfer", "grant", "charge"])
async def test_repeated_key_ignores_usernames(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """A member may be renamed between a request and its repetition."""
    order = orders(bytes_ops, ids)[kind]
    first = await order(username="alice")
    before = await read_all_rows()
    assert compared(first) == compared(await order(username="alice the second"))
    assert before == await read_all_rows()


@by_kind
async def test_repeated_key_takes_ids_as_int_and_as_str(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """The ids of a repeated request may be int or str."""
    order = orders(bytes_ops, ids)[kind]
    first = await order()
    before = await read_all_rows()
    again = await order(guild_id=int(ids.guild), user_id=int(ids.alice))
    assert compared(first) == compared(again)
    assert before == await read_all_rows()


@by_kind
async def test_key_as_int_equals_key_as_str(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """An interaction's id is the same key as int and as str."""
    order = orders(bytes_ops, ids)[kind]
    first = await order(idempotency_key=1234567890123456789)
    before = await read_all_rows()
    assert compared(first) == compared(await order(idempotency_key="1234567890123456789"))
    assert before == await read_all_rows()


@pytest.mark.parametrize("kind", ["grant", "charge", "grant_many"])
async def test_repeated_key_ignores_the_actor(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """The actor is not compared: content is kind, parties, amount and reason."""
    order = orders(bytes_ops, ids)[kind]
    first = await order(actor_id=ids.carol)
    before = await read_all_rows()
    assert compared(first) == compared(await order(actor_id=ids.bob))
    assert before == await read_all_rows()


@by_kind
@pytest.mark.parametrize(
    "other",
    [{"amount": 61}, {"amount": 59}, {"reason": "for nothing"}, {"reason": None}, {"reason": ""}],
    ids=str,
)
async def test_key_with_another_amount_or_reason_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str, other: dict[str, Any]
) -> None:
    """The same key with another amount or reason is refused with the key."""
    order = orders(bytes_ops, ids)[kind]
    await order()
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await order(**other)


@by_kind
async def test_key_with_another_member_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """The same key for another member is refused, and that member is not created."""
    order = orders(bytes_ops, ids)[kind]
    await order()
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await order(user_id=ids.carol)


async def test_key_with_another_receiver_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The same key with another receiver of a transfer is refused."""
    order = orders(bytes_ops, ids)["transfer"]
    await order()
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await order(receiver_id=ids.carol)


@pytest.mark.parametrize(
    ("first", "second"), [(first, second) for first in KINDS for second in KINDS if first != second]
)
async def test_key_with_another_operation_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, first: str, second: str
) -> None:
    """The same key for another operation is refused, also for grant and grant_many."""
    table = orders(bytes_ops, ids)
    await table[first]()
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await table[second]()


@by_kind
async def test_claim_daily_with_the_key_of_another_operation_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, kind: str
) -> None:
    """A daily claim with the key of another request is refused."""
    await orders(bytes_ops, ids)[kind]()
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await bytes_ops.claim_daily(ids.guild, ids.alice, idempotency_key="k")


@by_kind
async def test_key_is_separate_in_each_guild(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check, kind: str
) -> None:
    """The same request with the same key in another guild is another request."""
    order = orders(bytes_ops, ids)[kind]
    await order()
    await order(guild_id=ids.other_guild)
    counts = [
        await BytesTransaction.filter(guild_id=guild).count()
        for guild in (ids.guild, ids.other_guild)
    ]
    assert counts[0] == counts[1] > 0
    await assert_ledger_consistent()


@by_kind
async def test_two_keys_move_bytes_twice(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    assert_ledger_consistent: Check,
    kind: str,
) -> None:
    """The same content with another key, or none, moves bytes again."""
    await make_member(ids.alice, 1000)
    await make_member(ids.bob, 1000)
    order = orders(bytes_ops, ids)[kind]
    for key in ("k", "K", "k ", "ключ", None, None):
        await order(idempotency_key=key)
    # bytes moved to or from Alice: six times 60, once per order
    moved = await BytesTransaction.exclude(kind="starting").filter(amount=60).values_list("amount")
    assert moved == [(60,)] * 6
    await assert_ledger_consistent()


@pytest.mark.parametrize("kind", ["transfer", "charge"])
async def test_repeated_key_ignores_the_balance(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    kind: str,
) -> None:
    """100 − 60, then the other 40 are spent: the repetition returns the first result."""
    await make_member(ids.alice, 100)
    order = orders(bytes_ops, ids)[kind]
    first = await order()
    await bytes_ops.charge(ids.guild, ids.alice, 40)
    before = await read_all_rows()
    assert compared(first) == compared(await order())
    assert before == await read_all_rows()


async def test_create_transaction_repeated_ignores_the_cooldown_and_the_limit(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A repeated transfer is refused neither by its own cooldown nor by a later limit."""
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(transfer_cooldown_hours=24))
    order = orders(bytes_ops, ids)["transfer"]
    first = await order()
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(max_transfer=1))
    before = await read_all_rows()
    assert compared(first) == compared(await order())
    assert before == await read_all_rows()


@pytest.mark.parametrize("kind", ["transfer", "charge"])
async def test_refused_operation_leaves_its_key_free(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    kind: str,
) -> None:
    """A refused request may be repeated with its key once the balance suffices."""
    await make_member(ids.alice, 0)
    order = orders(bytes_ops, ids)[kind]
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=0, required=60):
        await order()
    await bytes_ops.grant(ids.guild, ids.alice, 60)
    row = await order()
    assert (row.amount, row.idempotency_key) == (60, "k")


async def test_grant_many_key_with_other_members_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The order of members does not matter; one more or one fewer conflicts."""
    await bytes_ops.grant_many(ids.guild, {ids.alice: 1, ids.bob: 2}, idempotency_key="k")
    before = await read_all_rows()
    again = await bytes_ops.grant_many(
        ids.guild, {int(ids.bob): 2, int(ids.alice): 1}, idempotency_key="k"
    )
    expected = 2
    assert expected == again
    assert before == await read_all_rows()
    others: list[dict[str, int]] = [
        {ids.alice: 1},
        {ids.bob: 2},
        {ids.alice: 1, ids.bob: 2, ids.carol: 3},
        {ids.alice: 2, ids.bob: 1},
    ]
    for other in others:
        async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
            await bytes_ops.grant_many(ids.guild, other, idempotency_key="k")


@pytest.mark.parametrize("amounts", [{"alice": 5, "bob": 7}, {"bob": 5, "carol": 7}], ids=str)
async def test_grant_with_the_key_of_grant_many_conflicts(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, amounts: dict[str, int]
) -> None:
    """A grant equal to one row of grant_many with the same key conflicts."""
    pay = {getattr(ids, name): amount for name, amount in amounts.items()}
    await bytes_ops.grant_many(ids.guild, pay, idempotency_key="k")
    for user_id, amount in pay.items():
        async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
            await bytes_ops.grant(ids.guild, user_id, amount, idempotency_key="k")


async def test_key_of_the_greatest_length_is_stored(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids
) -> None:
    """A non-ASCII key of the greatest length is stored unchanged."""
    await make_config(starting_balance=0)
    key = "🗝" * 100
    first = await bytes_ops.grant(ids.guild, ids.alice, 5, idempotency_key=key)
    again = await bytes_ops.grant(ids.guild, ids.alice, 5, idempotency_key=key)
    assert (key, first.id) == (again.idempotency_key, again.id)
