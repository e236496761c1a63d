"""A balance is set by one grant or charge of the difference."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember
from helpers.assertions import (
    MAX_BYTES,
    Check,
    ReadRows,
    as_dict,
    assert_refused,
    balance_and_totals,
)

from bytes_squads import (
    BalanceOverflowError,
    BytesOperations,
    BytesTransaction,
    IdempotencyConflictError,
    InvalidAmountError,
    in_transaction,
)


@pytest.mark.parametrize(
    ("balance", "kind", "amount", "totals"),
    [
        (130, "grant", 30, (130, 130, 0)),
        (101, "grant", 1, (101, 101, 0)),
        (99, "charge", 1, (99, 100, 1)),
        (0, "charge", 100, (0, 100, 100)),
        (MAX_BYTES, "grant", MAX_BYTES - 100, (MAX_BYTES, MAX_BYTES, 0)),
    ],
)
@pytest.mark.parametrize("known", [True, False])
async def test_set_balance_posts_the_difference(
    bytes_ops: BytesOperations,
    ids: Ids,
    clock: Clock,
    known: bool,
    balance: int,
    kind: str,
    amount: int,
    totals: tuple[int, int, int],
    assert_ledger_consistent: Check,
) -> None:
    """From 100, the starting balance; the row has the balance and the actor."""
    if known:
        await bytes_ops.get_balance(ids.guild, ids.alice)
    clock.advance(hours=1)
    row = await bytes_ops.set_balance(
        int(ids.guild),
        int(ids.alice),
        balance,
        username="alice",
        reason="new season",
        actor_id=int(ids.bob),
    )
    await assert_ledger_consistent()
    assert row is not None
    parties = ("SYSTEM", "SYSTEM"), (ids.alice, "alice")
    giver, receiver = parties if kind == "grant" else parties[::-1]
    expected = {
        "id": row.id,
        "guild_id": ids.guild,
        "giver_id": giver[0],
        "giver_username": giver[1],
        "receiver_id": receiver[0],
        "receiver_username": receiver[1],
        "amount": amount,
        "reason": "new season",
        "created_at": clock.now,
        "kind": kind,
        "actor_id": ids.bob,
        "idempotency_key": None,
        "details": {"set_balance": balance},
        "reverses_id": None,
    }
    assert expected == as_dict(row)
    assert expected == as_dict(await BytesTransaction.exclude(kind="starting").get())
    assert totals == await balance_and_totals(ids, ids.alice)


async def test_set_balance_writes_nothing_without_a_difference(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """It returns None and stores no row and no key."""
    await bytes_ops.get_balance(ids.guild, ids.alice)
    before = await read_all_rows()
    assert await bytes_ops.set_balance(ids.guild, ids.alice, 100, idempotency_key="k") is None
    assert before == await read_all_rows()
    row = await bytes_ops.set_balance(ids.guild, ids.alice, 90, idempotency_key="k")
    assert row is not None


async def test_set_balance_without_a_difference_creates_the_member(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """A new member whose starting balance is set to itself has the starting row only."""
    await make_config(starting_balance=70)
    assert await bytes_ops.set_balance(ids.guild, ids.alice, 70, username="alice") is None
    await assert_ledger_consistent()
    row = await BytesTransaction.all().get()
    assert (row.kind, row.amount, row.receiver_username) == ("starting", 70, "alice")
    assert await balance_and_totals(ids, ids.alice) == (70, 70, 0)


@pytest.mark.parametrize("bad", [-1, 2**63, True, 1.0, "1", None], ids=repr)
async def test_set_balance_refuses_an_invalid_balance(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, bad: Any
) -> None:
    """A whole number from 0 to 2⁶³−1."""
    async with assert_refused(InvalidAmountError, read_all_rows, value=bad):
        await bytes_ops.set_balance(ids.guild, ids.alice, bad)


async def test_set_balance_refuses_a_total_that_is_too_large(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Alice received 100 and has 99: 2⁶³−1 would be a total of 2⁶³."""
    await make_member(ids.alice, 100)
    await bytes_ops.charge(ids.guild, ids.alice, 1)
    async with assert_refused(
        BalanceOverflowError, read_all_rows, balance=100, amount=MAX_BYTES - 99
    ):
        await bytes_ops.set_balance(ids.guild, ids.alice, MAX_BYTES)


async def test_set_balance_repeated_after_a_change_returns_the_first_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Also if the same balance would now need a charge, or no entry."""
    await make_member(ids.alice, 100)
    first = await bytes_ops.set_balance(ids.guild, ids.alice, 130, idempotency_key="k")
    assert first is not None
    for change in (50, -70):
        before = await read_all_rows()
        again = await bytes_ops.set_balance(ids.guild, ids.alice, 130, idempotency_key="k")
        assert again is not None
        assert as_dict(first) == as_dict(again)
        assert before == await read_all_rows()
        await (
            bytes_ops.grant(ids.guild, ids.alice, change)
            if change > 0
            else bytes_ops.charge(ids.guild, ids.alice, -change)
        )


@pytest.mark.parametrize(
    "other",
    [{"balance": 131}, {"reason": "why"}, {"user_id": "7"}, {"balance": 100}],
    ids=str,
)
async def test_set_balance_refuses_a_key_of_another_order(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    other: dict[str, Any],
) -> None:
    """The key of another balance, reason, member or of a grant conflicts."""
    await make_member(ids.alice, 100)
    order = {"user_id": ids.alice, "balance": 130, "idempotency_key": "k"}
    await bytes_ops.set_balance(ids.guild, **order)
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
        await bytes_ops.set_balance(ids.guild, **order | other)
    await bytes_ops.grant(ids.guild, ids.alice, 5, idempotency_key="grant")
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="grant"):
        await bytes_ops.set_balance(ids.guild, ids.alice, 140, idempotency_key="grant")


@pytest.mark.parametrize("key", [None, "k"])
async def test_set_balance_twenty_at_once_post_one_difference(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    key: str | None,
    assert_ledger_consistent: Check,
) -> None:
    """One posts; the others change nothing, or return the first row for its key."""
    await make_member(ids.alice, 100)
    calls = [
        bytes_ops.set_balance(ids.guild, ids.alice, 130, idempotency_key=key) for _ in range(20)
    ]
    answers = await asyncio.gather(*calls)
    await assert_ledger_consistent()
    assert await balance_and_totals(ids, ids.alice) == (130, 130, 0)
    assert (0 if key else 19) == answers.count(None)
    assert len({answer.id for answer in answers if answer is not None}) == 1


@pytest.mark.postgres
async def test_set_balance_computes_the_difference_on_the_locked_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """Read as 100, it is 150 when the lock is free: not a grant of 30, but a charge of 20."""
    await make_member(ids.alice, 100)
    outside = contextvars.copy_context()
    async with in_transaction():
        await bytes_ops.grant(ids.guild, ids.alice, 50)
        waiting = asyncio.create_task(
            bytes_ops.set_balance(ids.guild, ids.alice, 130), context=outside
        )
        await asyncio.sleep(0.3)
        assert not waiting.done()
    row = await waiting
    assert row is not None
    assert (row.kind, row.amount, row.giver_id) == ("charge", 20, ids.alice)
    assert await balance_and_totals(ids, ids.alice) == (130, 150, 20)


async def test_set_balance_among_grants_and_charges_keeps_the_ledger_consistent(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """Each concurrent call sets the balance by a grant or a charge."""
    calls = [
        *(bytes_ops.set_balance(ids.guild, ids.alice, balance) for balance in range(90, 110)),
        *(bytes_ops.grant(ids.guild, ids.alice, 7) for _ in range(10)),
        *(bytes_ops.charge(ids.guild, ids.alice, 5) for _ in range(10)),
    ]
    await asyncio.gather(*calls)
    await assert_ledger_consistent()
    rows = await BytesTransaction.filter(kind__in=["grant", "charge"])
    for row in rows:
        if row.details is not None:
            assert row.details["set_balance"] in range(90, 110)
