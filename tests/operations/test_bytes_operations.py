"""Balances, grants and charges: results and refusals.

Transfers are in test_transfers.py, claims in test_daily.py, grants to many in test_grant_many.py.
"""

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
    BalanceOverflowError,
    BytesOperations,
    BytesTransaction,
    InsufficientBalanceError,
)

# Getting a balance --------------------------------------------------------------------------------


async def test_get_balance_pays_a_new_member_the_starting_balance(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """A new member gets the guild's starting bytes, as one ledger row by the clock."""
    member = await bytes_ops.get_balance(ids.guild, ids.alice, "alice")
    row = await BytesTransaction.get()
    expected: dict[str, Any] = {
        "guild_id": ids.guild,
        "giver_id": "SYSTEM",
        "giver_username": "SYSTEM",
        "receiver_id": ids.alice,
        "receiver_username": "alice",
        "amount": 100,
        "reason": None,
        "created_at": clock.now,
        "kind": "starting",
        "actor_id": None,
        "idempotency_key": None,
    }
    assert expected == {name: getattr(row, name) for name in expected}
    assert (ids.guild, ids.alice) == (member.guild_id, member.user_id)
    assert (
        member.balance,
        member.total_received,
        member.total_sent,
        member.last_daily,
        member.streak_count,
    ) == (100, 100, 0, None, 0)


async def test_get_balance_of_a_known_member_writes_nothing(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A second call changes nothing and returns the same, also with another username."""
    first = await bytes_ops.get_balance(ids.guild, ids.alice, "alice")
    before = await read_all_rows()
    again = await bytes_ops.get_balance(ids.guild, ids.alice, "alice the second")
    assert as_dict(first) == as_dict(again)
    assert before == await read_all_rows()


@pytest.mark.parametrize(("starting", "ledger_rows"), [(0, 1), (1, 1), (250, 1), (MAX_BYTES, 1)])
async def test_get_balance_uses_the_starting_balance_of_the_guild(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    assert_ledger_consistent: Check,
    starting: int,
    ledger_rows: int,
) -> None:
    """A starting balance of n bytes is one ledger row of n, also where n is 0."""
    await make_config(starting_balance=starting)
    member = await bytes_ops.get_balance(ids.guild, ids.alice)
    assert (starting, starting, 0) == (member.balance, member.total_received, member.total_sent)
    assert ledger_rows == await BytesTransaction.all().count()
    await assert_ledger_consistent()


async def test_get_balance_is_separate_in_each_guild(bytes_ops: BytesOperations, ids: Ids) -> None:
    """A member's balances in two guilds are separate."""
    await bytes_ops.grant(ids.guild, ids.alice, 900)  # 100 + 900
    here = await bytes_ops.get_balance(ids.guild, ids.alice)
    there = await bytes_ops.get_balance(ids.other_guild, ids.alice)
    assert (here.balance, there.balance) == (1000, 100)


# Grants and charges -------------------------------------------------------------------------------


async def test_grant_moves_bytes_from_system_to_the_member(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """SYSTEM gives 250 to a member who has 100: 350, with who ordered it and why."""
    await make_member(ids.alice, 100)
    clock.advance(hours=1)
    answer = await bytes_ops.grant(
        ids.guild, ids.alice, 250, username="alice", reason="won the quiz", actor_id=int(ids.carol)
    )
    stored = await BytesTransaction.get(kind="grant")
    expected: dict[str, Any] = {
        "giver_id": "SYSTEM",
        "giver_username": "SYSTEM",
        "receiver_id": ids.alice,
        "receiver_username": "alice",
        "amount": 250,
        "reason": "won the quiz",
        "created_at": clock.now,
        "actor_id": ids.carol,
    }
    assert expected == {name: getattr(stored, name) for name in expected}
    assert as_dict(stored) == as_dict(answer)
    assert await balance_and_totals(ids, ids.alice) == (350, 350, 0)


async def test_charge_moves_bytes_from_the_member_to_system(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """A member who has 100 pays 40 to SYSTEM: 60, with who ordered it and why."""
    await make_member(ids.alice, 100)
    clock.advance(hours=1)
    answer = await bytes_ops.charge(
        ids.guild, ids.alice, 40, username="alice", reason="a late book", actor_id=ids.carol
    )
    stored = await BytesTransaction.get(kind="charge")
    expected: dict[str, Any] = {
        "giver_id": ids.alice,
        "giver_username": "alice",
        "receiver_id": "SYSTEM",
        "receiver_username": "SYSTEM",
        "amount": 40,
        "reason": "a late book",
        "created_at": clock.now,
        "actor_id": ids.carol,
    }
    assert expected == {name: getattr(stored, name) for name in expected}
    assert as_dict(stored) == as_dict(answer)
    assert await balance_and_totals(ids, ids.alice) == (60, 100, 40)


@pytest.mark.parametrize(("method", "left"), [("grant", 130), ("charge", 70)])
async def test_grant_and_charge_pay_a_new_member_the_starting_balance_first(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check, method: str, left: int
) -> None:
    """The starting 100 come first, then 30 are added or taken."""
    row = await getattr(bytes_ops, method)(ids.guild, ids.alice, 30)
    assert (row.reason, row.actor_id, row.idempotency_key) == (None, None, None)
    assert left == (await balance_and_totals(ids, ids.alice))[0]
    starting = await BytesTransaction.get(kind="starting")
    assert starting.amount == 100
    await assert_ledger_consistent()


@pytest.mark.parametrize(
    ("has", "amount", "balance"),
    [(100, 101, 100), (0, 1, 0), (100, MAX_BYTES, 100), (None, 101, 100)],  # None: a new member
)
async def test_charge_above_the_balance_is_refused(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    has: int | None,
    amount: int,
    balance: int,
) -> None:
    """A charge of more than the member has is refused with both numbers."""
    if has is not None:
        await make_member(ids.alice, has)
    async with assert_refused(
        InsufficientBalanceError, read_all_rows, balance=balance, required=amount
    ):
        await bytes_ops.charge(ids.guild, ids.alice, amount)


async def test_charge_can_take_the_whole_balance(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """The largest balance there is can be charged as a whole: 2⁶³−1 received, 2⁶³−1 sent."""
    await make_member(ids.alice, MAX_BYTES)
    await bytes_ops.charge(ids.guild, ids.alice, MAX_BYTES)
    assert await balance_and_totals(ids, ids.alice) == (0, MAX_BYTES, MAX_BYTES)
    await assert_ledger_consistent()


# Overflow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "spent", "amount"),
    [
        (MAX_BYTES, 0, 1),  # 2⁶³−1 + 1, balance and total
        (MAX_BYTES - 9, 0, 10),  # one too many
        (1, 0, MAX_BYTES),
        (MAX_BYTES, MAX_BYTES, 1),  # the balance is 0, the total has no room
        (MAX_BYTES - 9, MAX_BYTES - 9, 10),
    ],
)
@pytest.mark.parametrize("way", ["grant", "transfer"])
async def test_grant_and_create_transaction_beyond_64_bits_are_refused(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    read_all_rows: ReadRows,
    way: str,
    received: int,
    spent: int,
    amount: int,
) -> None:
    """A balance or a total beyond 2⁶³−1 is refused."""
    await make_config(max_transfer=MAX_BYTES)
    await make_member(ids.alice, MAX_BYTES)
    await make_member(ids.bob, received)
    if spent:
        await bytes_ops.charge(ids.guild, ids.bob, spent)
    async with assert_refused(BalanceOverflowError, read_all_rows, balance=received, amount=amount):
        if way == "grant":
            await bytes_ops.grant(ids.guild, ids.bob, amount)
        else:
            await bytes_ops.create_transaction(make_transfer(amount=amount))


async def test_grant_and_create_transaction_can_fill_64_bits(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """A member who has 2⁶³−11 can receive 10 more, exactly to 2⁶³−1."""
    await make_member(ids.alice, MAX_BYTES - 10)
    await bytes_ops.grant(ids.guild, ids.alice, 10)
    assert await balance_and_totals(ids, ids.alice) == (MAX_BYTES, MAX_BYTES, 0)
    await assert_ledger_consistent()


async def test_grant_counts_the_starting_balance_for_the_overflow(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """100 + (2⁶³−1) is too much, and the newcomer is not created."""
    async with assert_refused(BalanceOverflowError, read_all_rows, balance=100, amount=MAX_BYTES):
        await bytes_ops.grant(ids.guild, ids.alice, MAX_BYTES)
    row = await bytes_ops.grant(ids.guild, ids.alice, MAX_BYTES - 100)
    assert row.amount == MAX_BYTES - 100
