"""Reversals: the bytes go back, once, and the totals with them."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from helpers import Clock, Ids, MakeConfig, MakeMember, TestData, make_transfer
from helpers.assertions import (
    MAX_BYTES,
    Check,
    ReadRows,
    as_dict,
    assert_refused,
    balance_and_totals,
)

from bytes_squads import (
    AlreadyReversedError,
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    GuildOperations,
    IdempotencyConflictError,
    InsufficientBalanceError,
    NotReversibleError,
    SquadMembership,
    SquadOperations,
    TransactionNotFoundError,
    in_transaction,
)
from bytes_squads.operations import ledger

Act = Callable[[], Awaitable[Any]]


@pytest.fixture
def acts(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData, ids: Ids
) -> dict[str, Act]:
    """Acts of Alice, who has 500 bytes; each writes the ledger row of its kind."""
    return {
        "transfer": lambda: bytes_ops.create_transaction(make_transfer(amount=30)),
        "daily": lambda: bytes_ops.claim_daily(ids.guild, ids.alice),
        "grant": lambda: bytes_ops.grant(ids.guild, ids.alice, 7),
        "grant_many": lambda: bytes_ops.grant_many(ids.guild, {ids.alice: 7, ids.carol: 8}),
        "charge": lambda: bytes_ops.charge(ids.guild, ids.alice, 9),
        "squad": lambda: squad_ops.switch_squad(ids.guild, ids.alice, test_data.blue.id),
    }


@pytest.mark.parametrize("kind", ["transfer", "daily", "grant", "grant_many", "charge"])
async def test_reverse_transaction_restores_balances_and_totals(
    bytes_ops: BytesOperations,
    acts: dict[str, Act],
    ids: Ids,
    kind: str,
    assert_ledger_consistent: Check,
) -> None:
    """Balances and totals are those before the row."""
    before = [await balance_and_totals(ids, user) for user in (ids.alice, ids.bob)]
    await acts[kind]()
    row = (
        await BytesTransaction.filter(
            kind=kind.removesuffix("_many"), giver_id__in=[ids.alice, "SYSTEM"]
        )
        .exclude(receiver_id=ids.carol)
        .get()
    )
    assert before != [await balance_and_totals(ids, user) for user in (ids.alice, ids.bob)]
    await bytes_ops.reverse_transaction(ids.guild, row.id)
    await assert_ledger_consistent()
    assert before == [await balance_and_totals(ids, user) for user in (ids.alice, ids.bob)]
    assert as_dict(row) == as_dict(await BytesTransaction.get(id=row.id))


async def test_reverse_transaction_returns_its_row(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, clock: Clock
) -> None:
    """It has the parties exchanged, and amount, time, reason and actor."""
    await make_member(ids.alice, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30, reason="for the talk"))
    clock.advance(hours=1)
    reversal = await bytes_ops.reverse_transaction(
        int(ids.guild), str(row.id), reason="by mistake", actor_id=int(ids.carol)
    )
    expected = {
        "id": reversal.id,
        "guild_id": ids.guild,
        "giver_id": ids.bob,
        "giver_username": "bob",
        "receiver_id": ids.alice,
        "receiver_username": "alice",
        "amount": 30,
        "reason": "by mistake",
        "created_at": clock.now,
        "kind": "reversal",
        "actor_id": ids.carol,
        "idempotency_key": None,
        "details": None,
        "reverses_id": row.id,
    }
    assert reversal.id > row.id
    assert expected == as_dict(reversal)
    assert expected == as_dict(await BytesTransaction.get(kind="reversal"))
    history = await bytes_ops.get_transaction_history(ids.guild, ids.alice)
    assert expected == as_dict(history[0])


async def test_reverse_transaction_gives_back_what_a_squad_costs(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    assert_ledger_consistent: Check,
) -> None:
    """Bob gets the 50 for Red back; the seat stays."""
    await squad_ops.switch_squad(ids.guild, ids.bob, test_data.red.id)
    assert await balance_and_totals(ids, ids.bob) == (150, 200, 50)
    row = await BytesTransaction.get(kind="squad")
    reversal = await bytes_ops.reverse_transaction(ids.guild, row.id)
    await assert_ledger_consistent()
    assert await balance_and_totals(ids, ids.bob) == (200, 200, 0)
    assert ("SYSTEM", "SYSTEM", ids.bob) == (
        reversal.giver_id,
        reversal.giver_username,
        reversal.receiver_id,
    )
    assert (await SquadMembership.get(user_id=ids.bob)).squad_id == test_data.red.id


async def test_reverse_transaction_leaves_claim_and_cooldown(
    bytes_ops: BytesOperations,
    make_config: MakeConfig,
    make_member: MakeMember,
    ids: Ids,
    clock: Clock,
) -> None:
    """The date of a reversed claim and the time of a reversed transfer stay."""
    await make_member(ids.alice, 100)
    config = await make_config(transfer_cooldown_hours=5)
    claim = await bytes_ops.claim_daily(ids.guild, ids.alice)
    transfer = await bytes_ops.create_transaction(make_transfer(amount=30))
    await config.update_from_dict({"max_transfer": 1}).save()
    clock.advance(hours=1)
    for row_id in (claim.transaction_id, transfer.id):
        await bytes_ops.reverse_transaction(ids.guild, row_id)
    alice, bob = [await BytesBalance.get(user_id=user) for user in (ids.alice, ids.bob)]
    assert (100, claim.claimed_on, 1) == (alice.balance, alice.last_daily, alice.streak_count)
    assert (transfer.created_at, None) == (alice.last_transfer_at, bob.last_transfer_at)


async def test_reverse_transaction_takes_earned_roles_back(
    bytes_ops: BytesOperations, make_config: MakeConfig, ids: Ids
) -> None:
    """100 + 20 bytes earn the role of 120; without the 20 it is not earned."""
    await make_config(role_rewards={"9": 120})
    row = await bytes_ops.grant(ids.guild, ids.alice, 20)
    assert {"9"} == await bytes_ops.get_earned_roles(ids.guild, ids.alice)
    await bytes_ops.reverse_transaction(ids.guild, row.id)
    assert set() == await bytes_ops.get_earned_roles(ids.guild, ids.alice)


async def test_reverse_transaction_moves_updated_at(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids
) -> None:
    """The rows of both members have changed."""
    await make_member(ids.alice, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    before = {member.user_id: member.updated_at for member in await BytesBalance.all()}
    await bytes_ops.reverse_transaction(ids.guild, row.id)
    for member in await BytesBalance.all():
        assert member.updated_at > before[member.user_id]


async def test_reverse_transaction_has_room_at_the_largest_total(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """A member who received 2⁶³−1 bytes and gave some can get these back."""
    await make_member(ids.alice, MAX_BYTES)
    row = await bytes_ops.charge(ids.guild, ids.alice, MAX_BYTES)
    await bytes_ops.reverse_transaction(ids.guild, row.id)
    await assert_ledger_consistent()
    assert await balance_and_totals(ids, ids.alice) == (MAX_BYTES, MAX_BYTES, 0)


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [UUID(int=1), "1", "", 5, None, str(UUID(int=1))], ids=repr)
async def test_reverse_transaction_refuses_an_unknown_row(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows, wrong: Any
) -> None:
    """An unknown or invalid id is TransactionNotFoundError."""
    row = await bytes_ops.grant(ids.guild, ids.alice, 20)
    async with assert_refused(TransactionNotFoundError, read_all_rows) as caught:
        await bytes_ops.reverse_transaction(ids.guild, wrong)
    assert str(wrong) == str(caught.value.args[0])
    async with assert_refused(TransactionNotFoundError, read_all_rows, transaction_id=row.id):
        await bytes_ops.reverse_transaction(ids.other_guild, row.id)


async def test_reverse_transaction_refuses_a_second_reversal(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The error has the id of the first, also if the bytes are spent."""
    row = await bytes_ops.grant(ids.guild, ids.alice, 20)
    first = await bytes_ops.reverse_transaction(ids.guild, row.id)
    await bytes_ops.charge(ids.guild, ids.alice, 100)
    async with assert_refused(
        AlreadyReversedError, read_all_rows, transaction_id=row.id, reversal_id=first.id
    ):
        await bytes_ops.reverse_transaction(ids.guild, row.id, reason="again", idempotency_key="k")


async def test_reverse_transaction_refuses_kinds_and_rows_without_bytes(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    read_all_rows: ReadRows,
) -> None:
    """A starting row, a reversal, and a leave of 0 bytes."""
    await squad_ops.leave_squad(ids.guild, ids.alice)
    row = await bytes_ops.grant(ids.guild, ids.alice, 20)
    await bytes_ops.reverse_transaction(ids.guild, row.id)
    for kind in ("starting", "reversal", "squad"):
        row = (await BytesTransaction.filter(kind=kind, guild_id=ids.guild))[0]
        async with assert_refused(
            NotReversibleError, read_all_rows, transaction_id=row.id, kind=kind
        ):
            await bytes_ops.reverse_transaction(ids.guild, row.id)


async def test_reverse_transaction_refuses_when_the_bytes_are_spent(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Bob received 30 and has 29 left."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 0)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    await bytes_ops.charge(ids.guild, ids.bob, 1)
    async with assert_refused(InsufficientBalanceError, read_all_rows, balance=29, required=30):
        await bytes_ops.reverse_transaction(ids.guild, row.id)


async def test_reverse_transaction_creates_no_member(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, read_all_rows: ReadRows
) -> None:
    """A member whose row was deleted is not created by a reversal."""
    await make_member(ids.alice, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    await BytesBalance.filter(user_id=ids.alice).delete()
    async with assert_refused(
        NotReversibleError, read_all_rows, transaction_id=row.id, kind="transfer"
    ):
        await bytes_ops.reverse_transaction(ids.guild, row.id)


# Keys ---------------------------------------------------------------------------------------------


async def test_reverse_transaction_compares_the_row_with_its_key(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """The same key for another row with equal parties and amount conflicts."""
    rows = [await bytes_ops.grant(ids.guild, ids.alice, 20) for _ in range(2)]
    first = await bytes_ops.reverse_transaction(ids.guild, rows[0].id, idempotency_key="k")
    again = await bytes_ops.reverse_transaction(ids.guild, rows[0].id, idempotency_key="k")
    assert as_dict(first) == as_dict(again)
    for row_id, reason in ((rows[1].id, None), (rows[0].id, "why")):
        async with assert_refused(IdempotencyConflictError, read_all_rows, key="k"):
            await bytes_ops.reverse_transaction(
                ids.guild, row_id, reason=reason, idempotency_key="k"
            )


# At once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "k"])
async def test_reverse_transaction_twenty_at_once_reverse_once(
    bytes_ops: BytesOperations,
    make_member: MakeMember,
    ids: Ids,
    key: str | None,
    assert_ledger_consistent: Check,
) -> None:
    """One reverses; the others are refused, or return the first row for its key."""
    await make_member(ids.alice, 100)
    await make_member(ids.bob, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    calls = [
        bytes_ops.reverse_transaction(ids.guild, row.id, idempotency_key=key) for _ in range(20)
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    await assert_ledger_consistent()
    counted = Counter(type(answer).__name__ for answer in answers)
    expected = (
        {"BytesTransaction": 20} if key else {"BytesTransaction": 1} | {"AlreadyReversedError": 19}
    )
    assert await balance_and_totals(ids, ids.alice) == (100, 100, 0)
    assert expected == counted
    assert len({answer.id for answer in answers if isinstance(answer, BytesTransaction)}) == 1


@pytest.mark.postgres
async def test_reverse_transaction_waits_for_a_member_who_is_renamed(
    bytes_ops: BytesOperations, make_member: MakeMember, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """A member who is erased while it waits gets the bytes back under the pseudonym."""
    await make_member(ids.alice, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    outside = contextvars.copy_context()
    async with in_transaction():
        await BytesBalance.filter(user_id=ids.alice).update(user_id="7")
        ours = await BytesTransaction.filter(giver_id=ids.alice)
        theirs = await BytesTransaction.filter(receiver_id=ids.alice)
        await BytesTransaction.filter(id__in=[each.id for each in (*ours, *theirs)]).delete()
        for each in ours:
            each.giver_id = "7"
        for each in theirs:
            each.receiver_id = "7"
        await BytesTransaction.bulk_create([*ours, *theirs])
        waiting = asyncio.create_task(
            bytes_ops.reverse_transaction(ids.guild, row.id), context=outside
        )
        await asyncio.sleep(0.3)
        assert not waiting.done()
    reversal = await waiting
    await assert_ledger_consistent()
    assert reversal.receiver_id == "7"
    assert await balance_and_totals(ids, "7") == (100, 100, 0)


async def test_reverse_transaction_spares_a_new_member_with_the_id_of_an_erased_one(
    bytes_ops: BytesOperations,
    guild_ops: GuildOperations,
    make_member: MakeMember,
    ids: Ids,
    assert_ledger_consistent: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row was read before the erasure: the bytes go back to its giver, under the pseudonym."""
    await make_member(ids.alice, 100)
    row = await bytes_ops.create_transaction(make_transfer(amount=30))
    pseudonyms = []
    post = ledger.post

    async def post_late(*arguments: Any) -> Any:
        monkeypatch.undo()
        pseudonyms.append(await guild_ops.erase_member(ids.guild, ids.alice))
        await bytes_ops.get_balance(ids.guild, ids.alice)
        return await post(*arguments)

    monkeypatch.setattr(ledger, "post", post_late)
    reversal = await bytes_ops.reverse_transaction(ids.guild, row.id)
    await assert_ledger_consistent()
    assert [reversal.receiver_id] == pseudonyms
    assert await balance_and_totals(ids, ids.alice) == (100, 100, 0)
