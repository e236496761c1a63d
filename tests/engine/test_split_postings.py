"""Postings as two statements on a distributed PostgreSQL: verdict and changes, then the record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, Database, MakeMember, MakeSquad, make_transfer

import bytes_squads
from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    RefusedError,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.engine import execution
from bytes_squads.engine import operation as engine_operation
from bytes_squads.sql.bulk_grants import POST_GRANTS
from bytes_squads.sql.postings import INSERT_ENTRY
from bytes_squads.sql.statement import PostingStatement

pytestmark = pytest.mark.postgres


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> list[PostingStatement]:
    """Execute each posting of one entry as two statements in a transaction; return which."""
    executed: list[PostingStatement] = []

    async def execute(connection: Any, statement: Any, *parameters: Any) -> Any:
        if not isinstance(statement, PostingStatement) or statement is POST_GRANTS:
            return await execution.execute_autocommit(connection, statement, *parameters)
        executed.append(statement)
        async with connection.transaction():
            return await execution.execute_split(connection, statement, INSERT_ENTRY, *parameters)

    monkeypatch.setattr(engine_operation, "execute_autocommit", execute)
    return executed


async def test_split_posting_does_what_one_statement_does(
    db: Database,
    split: list[PostingStatement],
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    make_member: MakeMember,
    make_squad: MakeSquad,
    assert_ledger_consistent: Callable[[], Awaitable[None]],
) -> None:
    """Transfer, claim, join, switch and leave move the bytes and write one row each."""
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
    with pytest.raises(RefusedError):
        await bytes_ops.charge(GUILD, BOB, 31)
    await assert_ledger_consistent()

    rows = await BytesTransaction.exclude(kind="starting").order_by("id")
    assert first.id == repeated.id
    assert [(row.kind, row.amount) for row in rows] == [
        ("transfer", 30),
        ("daily", 10),
        ("squad", 50),
        ("squad", 50),
        ("squad", 0),
    ]
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 200 - 30 + 10 - 50 - 50
    assert await SquadMembership.all().count() == 0
    assert len({id(statement) for statement in split}) == 5
    assert rows[-1].receiver_id == bytes_squads.SYSTEM_ID
