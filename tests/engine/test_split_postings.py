"""Statements in the form of a distributed PostgreSQL, here executed on a plain one."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, Database, MakeMember, MakeSquad, make_transfer
from helpers.assertions import Check, ReadRows
from helpers.operations_table import Case, World, count_changes, each_case

from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    RefusedError,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.engine import operation as engine_operation
from bytes_squads.engine import transaction as engine_transaction

pytestmark = pytest.mark.postgres


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Execute statements as on a distributed database; return those that were."""
    executed: list[Any] = []
    fetch = engine_transaction.execute_split_on

    async def fetch_split(db: Any, statement: Any, *parameters: Any) -> Any:
        executed.append(statement)
        return await fetch(db, statement, *parameters)

    async def is_distributed(_client: object) -> bool:
        return True

    for module in (engine_operation, engine_transaction):
        monkeypatch.setattr(module, "is_distributed", is_distributed)
    monkeypatch.setattr(engine_transaction, "execute_split_on", fetch_split)
    return executed


async def test_split_posting_does_what_one_statement_does(
    db: Database,
    split: list[Any],
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    assert_ledger_consistent: Check,
) -> None:
    """Every act moves the bytes and writes one row for each member."""
    await make_member(ALICE, 200)
    await make_member(BOB, 0)
    red, blue = await make_squad(name="Red", max_members=1), await make_squad(name="Blue")
    transfer = make_transfer(ALICE, BOB, 30, idempotency_key="k")
    first = await bytes_ops.create_transaction(transfer)
    repeated = await bytes_ops.create_transaction(transfer)
    await bytes_ops.claim_daily(GUILD, ALICE)
    await squad_ops.join_squad(GUILD, ALICE, red.id)
    await squad_ops.switch_squad(GUILD, ALICE, blue.id)
    await squad_ops.leave_squad(GUILD, ALICE)
    await bytes_ops.grant_many(GUILD, {ALICE: 1, CAROL: 2, 1: 3}, reason="event")
    await bytes_ops.get_balance(GUILD, 2, "Dave")
    with pytest.raises(RefusedError):
        await bytes_ops.charge(GUILD, BOB, 31)
    reversal = await bytes_ops.reverse_transaction(GUILD, first.id)
    await bytes_ops.set_balance(GUILD, BOB, 3)
    await assert_ledger_consistent()

    rows = await BytesTransaction.exclude(kind="starting").order_by("id")
    assert first.id == repeated.id
    assert [(row.kind, row.amount) for row in rows] == [
        ("transfer", 30),
        ("daily", 10),
        ("squad", 50),
        ("squad", 50),
        ("squad", 0),
        ("grant", 3),
        ("grant", 1),
        ("grant", 2),
        ("reversal", 30),
        ("grant", 3),
    ]
    assert rows[8].reverses_id == reversal.reverses_id == first.id
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 200 + 10 - 50 - 50 + 1
    assert (await bytes_ops.get_balance(GUILD, CAROL)).balance == 100 + 2
    assert await SquadMembership.all().count() == 0
    assert len({id(statement) for statement in split}) == 9


@each_case
async def test_split_operation_writes_what_one_statement_writes(
    case: Case,
    split: list[Any],
    world: World,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """The same number of rows in each table, and every balance is the sum of its entries."""
    member = case.members[0]
    await case.operation.get_ready(world, member)
    before = await read_all_rows()
    await case.operation.run(world, member)
    await assert_ledger_consistent()

    assert count_changes(before, await read_all_rows()) == case.writes


async def test_split_reversal_twenty_at_once_reverses_once(
    split: list[Any], bytes_ops: BytesOperations, make_member: MakeMember
) -> None:
    """The others are told that the row is reversed, although a total would become negative."""
    await make_member(ALICE, 100)
    await make_member(BOB, 100)
    row = await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30))
    answers = await asyncio.gather(
        *(bytes_ops.reverse_transaction(GUILD, row.id) for _ in range(20)), return_exceptions=True
    )
    counted = Counter(type(answer).__name__ for answer in answers)

    assert counted == {"BytesTransaction": 1, "AlreadyReversedError": 19}
