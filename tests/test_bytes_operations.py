"""Balances, grants and charges: what each moves, and what it refuses.

Transfers are in test_transfers.py, claims in test_daily.py, grants to many in test_grant_many.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from refusals import MAX, Check, ReadRows, account, order, plain, refused

from bytes_squads import (
    BalanceOverflowError,
    BytesOperations,
    BytesTransaction,
    InsufficientBalanceError,
)
from conftest import Clock, Ids, MakeConfig, MakeMember

# Getting a balance --------------------------------------------------------------------------------


async def test_a_new_member_receives_the_starting_balance(
    bytes_ops: BytesOperations, ids: Ids, clock: Clock
) -> None:
    """Who asks first gets the guild's starting bytes, as one ledger row by the clock."""
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


async def test_a_known_member_is_only_read(
    bytes_ops: BytesOperations, ids: Ids, rows: ReadRows
) -> None:
    """Asking again changes nothing and answers the same, whatever the username is by now."""
    first = await bytes_ops.get_balance(ids.guild, ids.alice, "alice")
    before = await rows()
    again = await bytes_ops.get_balance(ids.guild, ids.alice, "alice the second")
    assert plain(first) == plain(again)
    assert before == await rows()


@pytest.mark.parametrize(("starting", "ledger_rows"), [(0, 0), (1, 1), (250, 1), (MAX, 1)])
async def test_the_starting_balance_is_the_guilds(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    ids: Ids,
    books_balance: Check,
    starting: int,
    ledger_rows: int,
) -> None:
    """A starting balance of n bytes is one ledger row of n; one of 0 writes none."""
    await make_config(starting_balance=starting)
    member = await bytes_ops.get_balance(ids.guild, ids.alice)
    assert (starting, starting, 0) == (member.balance, member.total_received, member.total_sent)
    assert ledger_rows == await BytesTransaction.all().count()
    await books_balance()


async def test_each_guild_has_its_own_balance(bytes_ops: BytesOperations, ids: Ids) -> None:
    """What a member has in one guild is nothing in another."""
    await bytes_ops.grant(ids.guild, ids.alice, 900)  # 100 + 900
    here = await bytes_ops.get_balance(ids.guild, ids.alice)
    there = await bytes_ops.get_balance(ids.other_guild, ids.alice)
    assert (here.balance, there.balance) == (1000, 100)


# Grants and charges -------------------------------------------------------------------------------


async def test_a_grant_creates_bytes(
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
    assert plain(stored) == plain(answer)
    assert await account(ids, ids.alice) == (350, 350, 0)


async def test_a_charge_retires_bytes(
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
    assert plain(stored) == plain(answer)
    assert await account(ids, ids.alice) == (60, 100, 40)


@pytest.mark.parametrize(("method", "left"), [("grant", 130), ("charge", 70)])
async def test_a_newcomer_starts_before_the_first_grant_or_charge(
    bytes_ops: BytesOperations, ids: Ids, books_balance: Check, method: str, left: int
) -> None:
    """The starting 100 come first, then 30 are added or taken."""
    row = await getattr(bytes_ops, method)(ids.guild, ids.alice, 30)
    assert (row.reason, row.actor_id, row.idempotency_key) == (None, None, None)
    assert left == (await account(ids, ids.alice))[0]
    starting = await BytesTransaction.get(kind="starting")
    assert starting.amount == 100
    await books_balance()


@pytest.mark.parametrize(
    ("has", "amount", "balance"),
    [(100, 101, 100), (0, 1, 0), (100, MAX, 100), (None, 101, 100)],  # None: a new member
)
async def test_a_charge_never_goes_below_zero(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    rows: ReadRows,
    has: int | None,
    amount: int,
    balance: int,
) -> None:
    """A charge of more than the member has is refused with both numbers."""
    if has is not None:
        await make_member(ids.alice, has)
    async with refused(InsufficientBalanceError, rows, balance=balance, required=amount):
        await bytes_ops.charge(ids.guild, ids.alice, amount)


async def test_a_charge_may_take_everything(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, books_balance: Check
) -> None:
    """The largest balance there is can be charged as a whole: 2⁶³−1 received, 2⁶³−1 sent."""
    await make_member(ids.alice, MAX)
    await bytes_ops.charge(ids.guild, ids.alice, MAX)
    assert await account(ids, ids.alice) == (0, MAX, MAX)
    await books_balance()


# Overflow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "spent", "amount"),
    [
        (MAX, 0, 1),  # 2⁶³−1 + 1, balance and total
        (MAX - 9, 0, 10),  # one too many
        (1, 0, MAX),
        (MAX, MAX, 1),  # the balance is 0, the total has no room
        (MAX - 9, MAX - 9, 10),
    ],
)
@pytest.mark.parametrize("way", ["grant", "transfer"])
async def test_no_balance_and_no_total_passes_64_bits(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    rows: ReadRows,
    way: str,
    received: int,
    spent: int,
    amount: int,
) -> None:
    """A sum beyond 2⁶³−1 is refused, in the balance or in the total alone."""
    await make_config(max_transfer=MAX)
    await make_member(ids.alice, MAX)
    await make_member(ids.bob, received)
    if spent:
        await bytes_ops.charge(ids.guild, ids.bob, spent)
    async with refused(BalanceOverflowError, rows, balance=received, amount=amount):
        if way == "grant":
            await bytes_ops.grant(ids.guild, ids.bob, amount)
        else:
            await bytes_ops.create_transaction(order(ids, amount))


async def test_the_room_that_is_left_can_be_filled(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, books_balance: Check
) -> None:
    """A member who has 2⁶³−11 can receive 10 more, exactly to 2⁶³−1."""
    await make_member(ids.alice, MAX - 10)
    await bytes_ops.grant(ids.guild, ids.alice, 10)
    assert await account(ids, ids.alice) == (MAX, MAX, 0)
    await books_balance()


async def test_a_newcomers_starting_bytes_count_for_the_overflow(
    bytes_ops: BytesOperations, ids: Ids, rows: ReadRows
) -> None:
    """100 + (2⁶³−1) is too much, and the newcomer is not created."""
    async with refused(BalanceOverflowError, rows, balance=100, amount=MAX):
        await bytes_ops.grant(ids.guild, ids.alice, MAX)
    row = await bytes_ops.grant(ids.guild, ids.alice, MAX - 100)
    assert row.amount == MAX - 100
