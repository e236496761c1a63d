"""Grants to many members: all or nothing, new members included."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember
from helpers.assertions import MAX_BYTES, Check, ReadRows, assert_refused

from bytes_squads import (
    BalanceOverflowError,
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    InvalidAmountError,
    InvalidSnowflakeError,
)


async def test_grant_many_pays_every_member(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    clock: Clock,
    assert_ledger_consistent: Check,
) -> None:
    """Alice has 50 + 5; Bob is new: 100 + 7; Carol has 0 + 2⁶³−1."""
    await make_member(ids.alice, 50)
    await make_member(ids.carol, 0)
    clock.advance(hours=1)
    paid = await bytes_ops.grant_many(
        ids.guild,
        {ids.alice: 5, int(ids.bob): 7, ids.carol: MAX_BYTES},
        reason="the festival",
        actor_id=ids.carol,
    )
    members = await BytesBalance.all().order_by("user_id").values_list("user_id", "balance")
    assert paid == 3
    assert [(ids.alice, 55), (ids.bob, 107), (ids.carol, MAX_BYTES)] == members
    rows = await BytesTransaction.filter(kind="grant").order_by("receiver_id")
    expected = [
        ("SYSTEM", "SYSTEM", user, amount, "the festival", ids.carol, clock.now, ids.guild)
        for user, amount in ((ids.alice, 5), (ids.bob, 7), (ids.carol, MAX_BYTES))
    ]
    assert expected == [
        (
            row.giver_id,
            row.giver_username,
            row.receiver_id,
            row.amount,
            row.reason,
            row.actor_id,
            row.created_at,
            row.guild_id,
        )
        for row in rows
    ]
    await assert_ledger_consistent()


async def test_grant_many_pays_only_new_members_the_starting_balance(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """Only new members get a starting row, with the clock's time."""
    await make_member(ids.alice, 50)
    clock.advance(hours=1)
    await bytes_ops.grant_many(ids.guild, {ids.alice: 5, ids.bob: 7})
    rows = await BytesTransaction.filter(kind="starting", created_at=clock.now)
    assert [(ids.bob, 100)] == [(row.receiver_id, row.amount) for row in rows]


async def test_grant_many_without_starting_bytes_writes_starting_rows_of_zero(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """With a starting balance of 0 two new members are four ledger rows."""
    await make_config(starting_balance=0)
    await bytes_ops.grant_many(ids.guild, {ids.alice: 5, ids.bob: 7})
    rows = await BytesTransaction.all().order_by("amount")
    assert [(row.kind, row.amount) for row in rows] == [
        ("starting", 0),
        ("starting", 0),
        ("grant", 5),
        ("grant", 7),
    ]
    await assert_ledger_consistent()


async def test_grant_many_to_nobody_changes_nothing(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Without members it writes no row and returns 0, also with a repeated key."""
    before = await read_all_rows()
    paid = [
        await bytes_ops.grant_many(ids.guild, {}),
        await bytes_ops.grant_many(ids.guild, {}, idempotency_key="k"),
        await bytes_ops.grant_many(ids.guild, {}, idempotency_key="k"),
    ]
    assert paid == [0, 0, 0]
    assert before == await read_all_rows()


@pytest.mark.parametrize(
    ("has", "amount"),
    [
        (MAX_BYTES, 1),
        (MAX_BYTES - 4, 5),
        (1, MAX_BYTES),
        (None, MAX_BYTES),
        (None, MAX_BYTES - 99),
    ],  # None: new, 100 bytes
)
@pytest.mark.parametrize("unlucky", ["alice", "bob", "carol"])
async def test_grant_many_is_refused_for_the_overflow_of_one_member(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    unlucky: str,
    has: int | None,
    amount: int,
) -> None:
    """If any member's total would overflow, no one is paid and no member is created."""
    user = getattr(ids, unlucky)
    if has is not None:
        await make_member(user, has)
    pay = {ids.alice: 5, ids.bob: 5, ids.carol: 5, user: amount}
    balance = 100 if has is None else has
    async with assert_refused(BalanceOverflowError, read_all_rows, balance=balance, amount=amount):
        await bytes_ops.grant_many(ids.guild, pay)


@pytest.mark.parametrize(
    ("amounts", "error", "value"),
    [
        ({1: 5, "1": 5}, InvalidSnowflakeError, "1"),  # one member twice
        ({"1": 5, 1: 6}, InvalidSnowflakeError, 1),
        ({"7": 5, "0": 5}, InvalidSnowflakeError, "0"),
        ({"7": 5, "8": 0}, InvalidAmountError, 0),
        ({"7": 5, "8": -5}, InvalidAmountError, -5),
        ({"7": 5, "8": MAX_BYTES + 1}, InvalidAmountError, MAX_BYTES + 1),
    ],
    ids=str,
)
async def test_grant_many_is_refused_for_one_invalid_entry(
    bytes_ops: BytesOperations,
    ids: Ids,
    read_all_rows: ReadRows,
    amounts: dict[Any, int],
    error: type[Exception],
    value: object,
) -> None:
    """With a duplicate member, an invalid id or amount, no one is paid."""
    async with assert_refused(error, read_all_rows, value=value):
        await bytes_ops.grant_many(ids.guild, amounts)


async def test_grant_many_pays_two_thousand_members(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """2,000 members, the n-th of them n bytes: 2,001 ledger rows beside the starting ones."""
    await make_member(str(1_000_001), 9)
    pay = {1_000_000 + n: n for n in range(1, 2001)}
    paid = await bytes_ops.grant_many(ids.guild, pay, idempotency_key="k")
    assert paid == 2000
    balances = await BytesBalance.all().values_list("user_id", "balance")
    expected = {str(user): 100 + n for user, n in pay.items()} | {"1000001": 9 + 1}
    assert expected == {str(user): balance for user, balance in balances}
    # 2,000 grants, 1,999 newcomers, and the starting row of the one who was there
    assert await BytesTransaction.all().count() == 2000 + 1999 + 1
    assert await bytes_ops.grant_many(ids.guild, pay, idempotency_key="k") == 2000
    await assert_ledger_consistent()
