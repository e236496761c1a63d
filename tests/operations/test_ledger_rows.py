"""Every movement is one ledger row, sets updated_at, and takes ids as int or str."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from helpers import Clock, Ids, TestData, make_transfer
from helpers.assertions import Check, as_dict
from tortoise.models import Model

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    SquadOperations,
)

DAN = "200000000000000004"
Act = Callable[[BytesOperations, SquadOperations, Ids, TestData], Awaitable[Any]]

# what is done, and the one row it writes: kind, giver, its name, receiver, its name, amount, reason
MOVEMENTS: dict[str, tuple[Act, tuple[str, str, str, str, str, int, str | None]]] = {
    "starting": (
        lambda ops, _, ids, data: ops.get_balance(ids.guild, DAN, "dan"),
        ("starting", "SYSTEM", "SYSTEM", DAN, "dan", 100, None),
    ),
    "transfer": (
        lambda ops, _, ids, data: ops.create_transaction(
            make_transfer(ids.alice, ids.bob, 25, reason="thanks")
        ),
        ("transfer", "alice", "alice", "bob", "bob", 25, "thanks"),
    ),
    "daily": (
        lambda ops, _, ids, data: ops.claim_daily(ids.guild, ids.alice, "alice"),
        ("daily", "SYSTEM", "SYSTEM", "alice", "alice", 10, None),
    ),
    "grant": (
        lambda ops, _, ids, data: ops.grant(
            ids.guild, ids.alice, 7, username="alice", reason="quiz"
        ),
        ("grant", "SYSTEM", "SYSTEM", "alice", "alice", 7, "quiz"),
    ),
    "grant to many": (
        lambda ops, _, ids, data: ops.grant_many(ids.guild, {ids.alice: 7}, reason="quiz"),
        ("grant", "SYSTEM", "SYSTEM", "alice", "", 7, "quiz"),
    ),
    "charge": (
        lambda ops, _, ids, data: ops.charge(
            ids.guild, ids.alice, 7, username="alice", reason="a late book"
        ),
        ("charge", "alice", "alice", "SYSTEM", "SYSTEM", 7, "a late book"),
    ),
    "join": (
        lambda ops, squads, ids, data: squads.join_squad(
            ids.guild, ids.carol, data.red.id, username="carol"
        ),
        ("squad", "carol", "carol", "SYSTEM", "SYSTEM", 50, ...),  # type: ignore[arg-type]
    ),
    "switch": (
        lambda ops, squads, ids, data: squads.switch_squad(
            ids.guild, ids.bob, data.red.id, username="bob"
        ),
        ("squad", "bob", "bob", "SYSTEM", "SYSTEM", 50, ...),  # type: ignore[arg-type]
    ),
}
by_movement = pytest.mark.parametrize("movement", MOVEMENTS)


@by_movement
async def test_posting_writes_exactly_one_ledger_row(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    clock: Clock,
    assert_ledger_consistent: Check,
    movement: str,
) -> None:
    """It writes one row, by the operation's clock, and changes no other."""
    await bytes_ops.grant(ids.guild, ids.carol, 80)  # Carol can afford to join
    before = {row.id: as_dict(row) for row in await BytesTransaction.all()}
    clock.advance(hours=3, microseconds=7)
    act, (kind, giver, giver_name, receiver, receiver_name, amount, reason) = MOVEMENTS[movement]
    await act(bytes_ops, squad_ops, ids, test_data)
    after = {row.id: as_dict(row) for row in await BytesTransaction.all()}
    assert before == {id_: row for id_, row in after.items() if id_ in before}
    (row,) = (row for id_, row in after.items() if id_ not in before)
    expected: dict[str, Any] = {
        "guild_id": ids.guild,
        "kind": kind,
        "giver_id": getattr(ids, giver, giver),
        "giver_username": giver_name,
        "receiver_id": getattr(ids, receiver, receiver),
        "receiver_username": receiver_name,
        "amount": amount,
        "created_at": clock.now,
        "actor_id": None,
        "idempotency_key": None,
    }
    if reason is not ...:
        expected["reason"] = reason
    assert expected == {name: row[name] for name in expected}
    assert (7, UTC.utcoffset(None)) == (row["id"].version, row["created_at"].utcoffset())
    await assert_ledger_consistent()


@by_movement
async def test_posting_moves_updated_at_of_its_members_alone(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    clock: Clock,
    movement: str,
) -> None:
    """updated_at of the parties becomes wall time; created_at and other members' rows stay."""
    await bytes_ops.grant(ids.guild, ids.carol, 80)
    clock.now = datetime(2020, 1, 1, tzinfo=UTC)  # not the wall's time
    before = {member.id: member for member in await BytesBalance.all()}
    act, (_, giver, _, receiver, _, _, _) = MOVEMENTS[movement]
    began = datetime.now(UTC)
    await act(bytes_ops, squad_ops, ids, test_data)
    ended = datetime.now(UTC)
    parties = {getattr(ids, giver, giver), getattr(ids, receiver, receiver)}
    for member in await BytesBalance.all():
        if member.guild_id == ids.guild and member.user_id in parties:
            assert began <= member.updated_at <= ended
            if member.id in before:
                assert before[member.id].created_at == member.created_at
        else:
            assert as_dict(before[member.id]) == as_dict(member)


async def test_claim_daily_of_nothing_moves_updated_at(
    bytes_ops: BytesOperations, test_data: TestData, ids: Ids
) -> None:
    """A claim of 0 bytes sets updated_at."""
    config = await bytes_ops.get_config(ids.guild)
    config.daily_amount = 0
    await config.save()
    before = await BytesBalance.get(guild_id=ids.guild, user_id=ids.alice)
    await bytes_ops.claim_daily(ids.guild, ids.alice)
    after = await BytesBalance.get(guild_id=ids.guild, user_id=ids.alice)
    assert before.updated_at < after.updated_at
    assert before.created_at == after.created_at


# Ids ----------------------------------------------------------------------------------------------

READS: dict[str, Callable[..., Awaitable[Any]]] = {
    "get_balance": lambda ops, squads, guild, user, squad: ops.get_balance(guild, user),
    "get_leaderboard": lambda ops, squads, guild, user, squad: ops.get_leaderboard(guild),
    "get_rank": lambda ops, squads, guild, user, squad: ops.get_rank(guild, user),
    "history": lambda ops, squads, guild, user, squad: ops.get_transaction_history(guild, user),
    "get_earned_roles": lambda ops, squads, guild, user, squad: ops.get_earned_roles(guild, user),
    "verify": lambda ops, squads, guild, user, squad: ops.verify(guild),
    "get_config": lambda ops, squads, guild, user, squad: ops.get_config(guild),
    "get_squad": lambda ops, squads, guild, user, squad: squads.get_squad(guild, squad),
    "get_guild_squads": lambda ops, squads, guild, user, squad: squads.get_guild_squads(guild),
    "get_user_squad": lambda ops, squads, guild, user, squad: squads.get_user_squad(guild, user),
    "members": lambda ops, squads, guild, user, squad: squads.get_squad_members(guild, squad),
    "standings": lambda ops, squads, guild, user, squad: squads.get_squad_leaderboard(guild),
}


def comparable(answer: Any) -> Any:
    """An answer by its values."""
    if isinstance(answer, Model):
        return as_dict(answer)
    if isinstance(answer, list):
        return [comparable(item) for item in answer]
    if is_dataclass(answer) and not isinstance(answer, type):
        return {name: comparable(value) for name, value in asdict(answer).items()}
    return answer


@pytest.mark.parametrize("read", READS)
async def test_reads_take_ids_as_int_and_as_str(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    read: str,
) -> None:
    """Ids as int, and a squad's UUID as str, return the same."""
    config = await bytes_ops.get_config(ids.guild)
    config.role_rewards = {"301": 1}
    await config.save()
    call, red = READS[read], test_data.red.id
    as_text = await call(bytes_ops, squad_ops, ids.guild, ids.alice, red)
    as_int = await call(bytes_ops, squad_ops, int(ids.guild), int(ids.alice), str(red))
    assert as_text  # there is something to compare
    assert comparable(as_text) == comparable(as_int)


async def test_writes_take_ids_as_int_and_as_str(
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    ids: Ids,
    assert_ledger_consistent: Check,
) -> None:
    """A row written with int ids is found with str ids."""
    guild, alice, bob = int(ids.guild), int(ids.alice), int(ids.bob)
    await bytes_ops.get_balance(guild, alice)
    await bytes_ops.claim_daily(guild, alice)  # 500 + 10
    await bytes_ops.grant(guild, alice, 5)  # + 5
    await bytes_ops.charge(guild, alice, 15)  # − 15
    await bytes_ops.grant_many(guild, {alice: 1, bob: 1})  # + 1 each
    await bytes_ops.create_transaction(make_transfer(alice, bob, 1, guild_id=guild))
    await squad_ops.leave_squad(guild, alice)
    await squad_ops.join_squad(guild, alice, test_data.blue.id)  # free
    await squad_ops.switch_squad(guild, alice, test_data.red.id)  # − 50
    members = await BytesBalance.filter(guild_id=ids.guild).order_by("user_id")
    # Alice 500 + 10 + 5 − 15 + 1 − 1 − 50 = 450, Bob 200 + 1 + 1 = 202
    expected = [(ids.alice, 450), (ids.bob, 202), (ids.carol, 0)]
    assert expected == [(member.user_id, member.balance) for member in members]
    await assert_ledger_consistent()
