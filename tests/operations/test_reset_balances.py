"""Reset of all balances of a guild, by one grant or charge for each member."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any
from uuid import UUID

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember, TestData, make_transfer
from helpers.assertions import (
    MAX_BYTES,
    Check,
    ReadRows,
    assert_refused,
    balance_and_totals,
)

from bytes_squads import (
    BalanceOverflowError,
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    IdempotencyConflictError,
    InvalidAmountError,
    in_transaction,
)


async def test_reset_balances_sets_every_member(
    bytes_ops: BytesOperations,
    test_data: TestData,
    ids: Ids,
    clock: Clock,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Alice's 500 and Bob's 200 are charged, Carol's 0 are granted; the other guild stays."""
    before = await read_all_rows()
    clock.advance(hours=1)
    changed = await bytes_ops.reset_balances(
        int(ids.guild), 250, reason="new season", actor_id=int(ids.bob)
    )
    await assert_ledger_consistent()
    assert changed == 3
    assert await balance_and_totals(ids, ids.alice) == (250, 500, 250)
    assert await balance_and_totals(ids, ids.bob) == (250, 250, 0)
    assert await balance_and_totals(ids, ids.carol) == (250, 250, 0)
    after = await read_all_rows()
    rows = [row for row in after["bytes_transactions"] if row["kind"] != "starting"]
    common = {
        "guild_id": ids.guild,
        "reason": "new season",
        "created_at": clock.now,
        "actor_id": ids.bob,
        "idempotency_key": None,
        "reverses_id": None,
    }
    system = {"id": "SYSTEM", "username": "SYSTEM"}
    expected = []
    for user, kind, amount in (
        (ids.alice, "charge", 250),
        (ids.bob, "grant", 50),
        (ids.carol, "grant", 250),
    ):
        member = {"id": user, "username": ""}
        giver, receiver = (system, member) if kind == "grant" else (member, system)
        parties = {f"giver_{name}": value for name, value in giver.items()}
        parties |= {f"receiver_{name}": value for name, value in receiver.items()}
        details = None if expected else {"reset_balances": 250, "members": 3}
        more = {"kind": kind, "amount": amount, "details": details}
        expected.append({"id": rows[len(expected)]["id"], **common, **parties, **more})
    assert expected == rows
    for table in ("bytes_configs", "squads", "squad_memberships"):
        assert before[table] == after[table]
    assert [row for row in before["bytes_balances"] if row["guild_id"] == ids.other_guild] == [
        row for row in after["bytes_balances"] if row["guild_id"] == ids.other_guild
    ]


async def test_reset_balances_draws_ids_in_the_order_of_members(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """All of version 7, rising, after what was written before and before what comes next."""
    await bytes_ops.grant_many(ids.guild, dict.fromkeys(range(1_000, 1_300), 5))
    before = await bytes_ops.grant(ids.guild, 1_000, 1)
    assert await bytes_ops.reset_balances(ids.guild, 7) == 300
    after = await bytes_ops.grant(ids.guild, 1_000, 1)
    rows = await BytesTransaction.filter(kind="charge").order_by("giver_id")
    drawn: list[UUID] = [row.id for row in rows]
    assert [str(user) for user in range(1_000, 1_300)] == [row.giver_id for row in rows]
    assert sorted(set(drawn)) == drawn
    assert before.id < drawn[0] < drawn[-1] < after.id
    assert {(7, "specified in RFC 4122")} == {(each.version, each.variant) for each in drawn}


async def test_reset_balances_takes_the_starting_balance_by_default(
    bytes_ops: BytesOperations, make_config: MakeConfig, make_member: MakeMember, ids: Ids
) -> None:
    """That of the config, or 100 without a config. Members who have it already do not change."""
    await make_member(ids.alice, 70)
    await make_member(ids.bob, 100)
    assert await bytes_ops.reset_balances(ids.guild) == 1
    assert await balance_and_totals(ids, ids.alice) == (100, 100, 0)
    await make_config(starting_balance=30)
    assert await bytes_ops.reset_balances(ids.guild) == 2
    assert await balance_and_totals(ids, ids.bob) == (30, 100, 70)


async def test_reset_balances_includes_members_who_left(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """Their balances are set, and they stay marked as gone."""
    await make_member(ids.alice, 70)
    await BytesBalance.filter(user_id=ids.alice).update(left_at=clock.now)
    assert await bytes_ops.reset_balances(ids.guild, 0) == 1
    alice = await BytesBalance.get(user_id=ids.alice)
    assert (alice.balance, alice.left_at) == (0, clock.now)


async def test_reset_balances_of_nobody_changes_nothing(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Without members or differences it returns 0 and stores no row and no key."""
    assert await bytes_ops.reset_balances(ids.guild, 5, idempotency_key="k") == 0
    await make_member(ids.alice, 70)
    before = await read_all_rows()
    assert await bytes_ops.reset_balances(ids.guild, 70, idempotency_key="k") == 0
    assert before == await read_all_rows()
    assert await bytes_ops.reset_balances(ids.guild, 71, idempotency_key="k") == 1


async def test_reset_balances_refuses_a_total_that_is_too_large(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Bob received 100 and has 99, so 2⁶³−1 would be too much: nothing changes."""
    for user in (ids.alice, ids.bob, ids.carol):
        await make_member(user, 100)
    await bytes_ops.charge(ids.guild, ids.bob, 1)
    async with assert_refused(
        BalanceOverflowError, read_all_rows, balance=100, amount=MAX_BYTES - 99
    ):
        await bytes_ops.reset_balances(ids.guild, MAX_BYTES)


@pytest.mark.parametrize("bad", [-1, 2**63, True, 1.0, "1"], ids=repr)
async def test_reset_balances_refuses_an_invalid_balance(
    bytes_ops: BytesOperations, make_member: MakeMember, read_all_rows: ReadRows, ids: Ids, bad: Any
) -> None:
    """A whole number from 0 to 2⁶³−1, or None."""
    await make_member(ids.alice, 70)
    async with assert_refused(InvalidAmountError, read_all_rows, value=bad):
        await bytes_ops.reset_balances(ids.guild, bad)


@pytest.mark.parametrize("balance", [None, 55])
async def test_reset_balances_repeated_returns_the_first_number(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    balance: int | None,
    read_all_rows: ReadRows,
) -> None:
    """After changes of balances, settings and members, it returns the first number."""
    config = await make_config(starting_balance=30)
    for user in (ids.alice, ids.bob):
        await make_member(user, 70)
    order = {"reason": "season", "idempotency_key": "k"}
    assert await bytes_ops.reset_balances(ids.guild, balance, **order) == 2
    await config.update_from_dict({"starting_balance": 40}).save()
    await bytes_ops.grant(ids.guild, ids.carol, 5)
    before = await read_all_rows()
    assert await bytes_ops.reset_balances(ids.guild, balance, **order) == 2
    assert before == await read_all_rows()
    for other in ({"balance": 56}, {"balance": balance, "reason": None}):
        async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
            await bytes_ops.reset_balances(ids.guild, **order | other)
    await bytes_ops.grant(ids.guild, ids.carol, 5, idempotency_key="grant")
    async with assert_refused(IdempotencyConflictError, read_all_rows, key="grant"):
        await bytes_ops.reset_balances(ids.guild, balance, idempotency_key="grant")


@pytest.mark.parametrize("key", [None, "k"])
async def test_reset_balances_five_at_once_reset_once(
    bytes_ops: BytesOperations, ids: Ids, key: str | None, assert_ledger_consistent: Check
) -> None:
    """One resets; the others change nothing, or return the first number for its key."""
    await bytes_ops.grant_many(ids.guild, dict.fromkeys(range(1_000, 1_050), 5))
    calls = [bytes_ops.reset_balances(ids.guild, 7, idempotency_key=key) for _ in range(5)]
    answers = await asyncio.gather(*calls)
    await assert_ledger_consistent()
    assert await BytesTransaction.filter(kind="charge").count() == 50
    assert sorted(answers) == ([50] * 5 if key else [0, 0, 0, 0, 50])


async def test_reset_balances_among_transfers_keeps_the_ledger_consistent(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """Each transfer is before it or after it, new members included."""
    await make_config(starting_balance=10)
    users = [str(user) for user in range(1_000, 1_020)]
    await bytes_ops.grant_many(ids.guild, dict.fromkeys(users, 90))
    pairs = [(giver, users[-1 - number]) for number, giver in enumerate(users)]
    new = [(giver, str(2_000 + number)) for number, giver in enumerate(users)]
    calls = [
        *(bytes_ops.create_transaction(make_transfer(*pair, 1)) for pair in pairs + new),
        bytes_ops.reset_balances(ids.guild, 10),
        *(bytes_ops.create_transaction(make_transfer(*pair, 1)) for pair in pairs),
    ]
    await asyncio.gather(*calls)
    await assert_ledger_consistent()
    balances = await BytesBalance.filter(guild_id=ids.guild).values_list("balance", flat=True)
    # Everybody began with 10 or was set to 10, and transfers keep the sum.
    assert sum(balances) == 10 * len(balances) == 400


@pytest.mark.postgres
async def test_reset_balances_includes_members_created_while_it_waits(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """While it waits for Alice's row, Carol is created: both are set."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 100)
    outside = contextvars.copy_context()
    async with in_transaction():
        await bytes_ops.create_transaction(make_transfer(ids.alice, ids.carol, 30))
        waiting = asyncio.create_task(bytes_ops.reset_balances(ids.guild, 55), context=outside)
        await asyncio.sleep(0.3)
        assert not waiting.done()
    assert await waiting == 3
    await assert_ledger_consistent()
    balances = await BytesBalance.all().values_list("balance", flat=True)
    assert balances == [55, 55, 55]


@pytest.mark.postgres
async def test_reset_balances_locks_members_in_the_order_of_ids(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """While it waits for Alice, it has not locked Bob."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 1)
    outside = contextvars.copy_context()
    async with in_transaction():
        await bytes_ops.charge(ids.guild, ids.alice, 1)
        waiting = asyncio.create_task(bytes_ops.reset_balances(ids.guild, 55), context=outside)
        await asyncio.sleep(0.3)
        rows = await BytesBalance.raw(
            f"SELECT * FROM bytes_balances WHERE guild_id = '{ids.guild}'"
            f" AND user_id = '{ids.bob}' FOR UPDATE NOWAIT"
        )
        assert len(list(rows)) == 1
    assert await waiting == 2


async def test_reset_balances_of_ten_thousand_members(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """In one statement."""
    await bytes_ops.grant_many(ids.guild, {user: user for user in range(1, 10_001)})
    assert await bytes_ops.reset_balances(ids.guild, 5_000, idempotency_key="k") == 9_999
    await assert_ledger_consistent()
    assert await BytesBalance.filter(balance=5_000).count() == 10_000
