"""Transfers between members: balance, limit, cooldown."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember, make_transfer
from helpers.assertions import (
    MAX_BYTES,
    Check,
    ReadRows,
    as_dict,
    assert_refused,
    balance_and_totals,
)

from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    InsufficientBalanceError,
    TransferCooldownError,
    TransferLimitError,
)


@pytest.mark.parametrize(
    ("giver_has", "receiver_has", "amount", "giver_left", "receiver_left"),
    [
        (100, 0, 1, 99, 1),
        (100, 0, 100, 0, 100),  # all of it
        (500, 200, 300, 200, 500),
        (5000, 0, 1000, 4000, 1000),  # exactly max_transfer
        (1, MAX_BYTES - 1, 1, 0, MAX_BYTES),  # exactly what the receiver's total has room for
    ],
)
async def test_create_transaction_moves_the_amount(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    assert_ledger_consistent: Check,
    giver_has: int,
    receiver_has: int,
    amount: int,
    giver_left: int,
    receiver_left: int,
) -> None:
    """The giver's balance falls, the receiver's rises, and both totals count it."""
    await make_member(ids.alice, giver_has)
    await make_member(ids.bob, receiver_has)
    await bytes_ops.create_transaction(make_transfer(amount=amount))
    assert (giver_left, giver_has, amount) == await balance_and_totals(ids, ids.alice)
    assert (receiver_left, receiver_left, 0) == await balance_and_totals(ids, ids.bob)
    await assert_ledger_consistent()


async def test_create_transaction_writes_one_ledger_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """The result is the stored row, with parties, names, reason and the clock's time."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 0)
    clock.advance(minutes=5)
    answer = await bytes_ops.create_transaction(make_transfer(amount=30, reason="for the talk"))
    stored = await BytesTransaction.get(kind="transfer")
    expected: dict[str, Any] = {
        "guild_id": ids.guild,
        "giver_id": ids.alice,
        "giver_username": "alice",
        "receiver_id": ids.bob,
        "receiver_username": "bob",
        "amount": 30,
        "reason": "for the talk",
        "created_at": clock.now,
        "kind": "transfer",
        "actor_id": None,
        "idempotency_key": None,
    }
    assert expected == {name: getattr(stored, name) for name in expected}
    assert as_dict(stored) == as_dict(answer)
    assert answer.id.version == 7


async def test_create_transaction_creates_both_parties(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """Two newcomers start with 100 each: 100 − 30 and 100 + 30, in three ledger rows."""
    await bytes_ops.create_transaction(make_transfer(amount=30))
    rows = await BytesTransaction.all().order_by("kind", "receiver_id")
    expected = [
        ("starting", "SYSTEM", ids.alice, "alice", 100),
        ("starting", "SYSTEM", ids.bob, "bob", 100),
        ("transfer", ids.alice, ids.bob, "bob", 30),
    ]
    assert expected == [
        (row.kind, row.giver_id, row.receiver_id, row.receiver_username, row.amount) for row in rows
    ]
    assert await balance_and_totals(ids, ids.alice) == (70, 100, 30)
    assert await balance_and_totals(ids, ids.bob) == (130, 130, 0)
    await assert_ledger_consistent()


@pytest.mark.parametrize(
    ("config", "giver_has", "amount", "error", "attributes"),
    [
        # one byte too many
        ({}, 100, 101, InsufficientBalanceError, {"balance": 100, "required": 101}),
        ({}, 0, 1, InsufficientBalanceError, {"balance": 0, "required": 1}),
        # the giver is new: 100 starting bytes are there for the sum, but do not stay
        ({}, None, 101, InsufficientBalanceError, {"balance": 100, "required": 101}),
        (
            {"starting_balance": 0},
            None,
            1,
            InsufficientBalanceError,
            {"balance": 0, "required": 1},
        ),
        # one byte over the limit
        ({}, 5000, 1001, TransferLimitError, {"amount": 1001, "max_transfer": 1000}),
        ({"max_transfer": 5}, 50, 6, TransferLimitError, {"amount": 6, "max_transfer": 5}),
        ({"max_transfer": 0}, 50, 1, TransferLimitError, {"amount": 1, "max_transfer": 0}),
    ],
)
async def test_create_transaction_that_is_refused_changes_nothing(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    config: dict[str, int],
    giver_has: int | None,
    amount: int,
    error: type[Exception],
    attributes: dict[str, int],
) -> None:
    """The error has the numbers; no balance, ledger row or member is changed."""
    if config:
        await make_config(**config)
    if giver_has is not None:
        await make_member(ids.alice, giver_has)
    async with assert_refused(error, read_all_rows, **attributes):
        await bytes_ops.create_transaction(make_transfer(amount=amount))


@pytest.mark.parametrize(
    ("hours", "waited", "expected"),
    [
        # cooldown, seconds since the last transfer, seconds from now until the next
        (1, 0, 3600),
        (1, 3599, 1),
        (1, 3600, None),
        (1, 3601, None),
        (24, 86_399, 1),
        (24, 86_400, None),
        (0, 0, None),
    ],
)
async def test_create_transaction_within_the_cooldown_is_refused(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    hours: int,
    waited: int,
    expected: int | None,
) -> None:
    """The next transfer is refused until the hours have passed, then accepted."""
    await make_config(transfer_cooldown_hours=hours)
    await make_member(ids.alice, 100)
    await bytes_ops.create_transaction(make_transfer(amount=10))
    clock.advance(seconds=waited)
    if expected is None:
        await bytes_ops.create_transaction(make_transfer(amount=10))
        assert await balance_and_totals(ids, ids.alice) == (80, 100, 20)  # 100 − 10 − 10
    else:
        clock.advance(seconds=expected)
        available_at = clock.now
        clock.advance(seconds=-expected)
        async with assert_refused(TransferCooldownError, read_all_rows, available_at=available_at):
            await bytes_ops.create_transaction(make_transfer(amount=10))


async def test_create_transaction_cooldown_counts_only_the_givers_transfers(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, clock: Clock
) -> None:
    """Receipts, grants, charges, claims and another guild's transfers begin no cooldown."""
    await make_config(transfer_cooldown_hours=24)
    await bytes_ops.create_transaction(make_transfer(ids.bob, ids.alice, 10))
    await bytes_ops.create_transaction(make_transfer(amount=10, guild_id=ids.other_guild))
    await bytes_ops.grant(ids.guild, ids.alice, 5)
    await bytes_ops.charge(ids.guild, ids.alice, 5)
    await bytes_ops.claim_daily(ids.guild, ids.alice)
    await bytes_ops.create_transaction(make_transfer(amount=10))
    # received 100 starting + 10 from Bob + 5 + 10 daily = 125, sent 5 + 10 = 15
    assert await balance_and_totals(ids, ids.alice) == (110, 125, 15)


async def test_create_transaction_cooldown_counts_from_the_last_transfer(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
) -> None:
    """With 2 hours: 12:00, 14:00, then 15:59 is refused until 16:00; refusals do not count."""
    await make_config(transfer_cooldown_hours=2)
    await bytes_ops.create_transaction(make_transfer(amount=10))  # 12:00
    clock.advance(hours=2)
    await bytes_ops.create_transaction(make_transfer(amount=10))  # 14:00
    clock.advance(minutes=119)
    for _ in range(2):
        available_at = clock.now.replace(hour=16, minute=0)
        async with assert_refused(TransferCooldownError, read_all_rows, available_at=available_at):
            await bytes_ops.create_transaction(make_transfer(amount=10))  # 15:59
    clock.advance(minutes=1)
    await bytes_ops.create_transaction(make_transfer(amount=10))  # 16:00
    assert await balance_and_totals(ids, ids.alice) == (70, 100, 30)
