"""The functions of docs/how-to/privacy.md, with a member who has done everything there is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Clock, Ids, TestData, make_transfer
from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT

from bytes_squads import (
    BytesBalance,
    BytesOperations,
    SquadOperations,
)

PAGE = ROOT / "docs" / "how-to" / "privacy.md"

ReadRows = Callable[[], Awaitable[dict[str, list[dict[str, Any]]]]]
Check = Callable[[], Awaitable[None]]


@pytest.fixture
def privacy() -> Any:
    """The page's file privacy.py."""
    (file,) = [block for block in read_blocks(PAGE) if block.file == "privacy.py"]
    functions: dict[str, Any] = {}
    exec(compile(file.code, str(PAGE), "exec"), functions)
    return SimpleNamespace(**functions)


@pytest.fixture
async def populated_guild(
    test_data: TestData, bytes_ops: BytesOperations, squad_ops: SquadOperations, clock: Clock
) -> None:
    """Alice has done in the first guild all that a member can do, and ordered things as well."""
    await bytes_ops.claim_daily(GUILD, ALICE, "alice", idempotency_key="claim")
    clock.advance(hours=1)
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30, reason="from alice"))
    await bytes_ops.create_transaction(make_transfer(BOB, ALICE, 5, reason="for alice"))
    await bytes_ops.create_transaction(make_transfer(BOB, CAROL, 7, reason="between others"))
    await bytes_ops.grant(GUILD, ALICE, 9, username="alice", reason="alice won", actor_id=BOB)
    await bytes_ops.charge(GUILD, ALICE, 3, username="alice", idempotency_key="hat")
    await bytes_ops.grant_many(GUILD, {ALICE: 2, BOB: 2}, idempotency_key="event")
    await bytes_ops.grant(GUILD, CAROL, 1, actor_id=ALICE)
    await squad_ops.switch_squad(GUILD, ALICE, test_data.blue.id, username="alice")


def traces(rows: dict[str, list[dict[str, Any]]], guild: str = GUILD) -> str:
    """All that the guild's rows hold, as text."""
    own = [row for table in rows.values() for row in table if row["guild_id"] == guild]
    return json.dumps(own, default=str)


def parties(row: dict[str, Any]) -> set[str]:
    return {row["giver_id"], row["receiver_id"]}


@pytest.mark.usefixtures("populated_guild")
async def test_the_export_has_every_row_of_the_member(
    privacy: Any, bytes_ops: BytesOperations
) -> None:
    """The amounts add up to the balance, and no other member's name is among it."""
    told = await privacy.export(GUILD, ALICE)
    ledger = told["ledger"]

    assert sum(line["amount"] for line in ledger) == told["balance"]["balance"]
    assert {line["kind"] for line in ledger} == {
        "starting",
        "daily",
        "transfer",
        "grant",
        "charge",
        "squad",  # joining was free
    }
    assert told["squad"]["user_id"] == ALICE
    assert told["orders as moderator"] == 1
    assert "bob" not in json.dumps(told, default=str)


@pytest.mark.usefixtures("db")
async def test_the_export_of_nobody_is_empty(privacy: Any) -> None:
    """Whoever has never been here gets no row by asking."""
    told = await privacy.export(GUILD, ALICE)

    assert told == {"balance": None, "squad": None, "ledger": [], "orders as moderator": 0}


@pytest.mark.usefixtures("populated_guild")
async def test_forgotten_names_are_gone(
    privacy: Any, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """No row of the guild has the name any more; the ids and the other rows are as they were."""
    before = await read_all_rows()
    await privacy.forget_names(GUILD, ALICE)
    after = await read_all_rows()

    await assert_ledger_consistent()
    assert "alice" not in traces(after)
    assert ALICE in traces(after)
    untouched = [r for r in before["bytes_transactions"] if ALICE not in parties(r)]
    assert [r for r in after["bytes_transactions"] if ALICE not in parties(r)] == untouched


@pytest.mark.usefixtures("populated_guild")
async def test_an_anonymised_member_leaves_no_trace(
    privacy: Any, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """Neither id nor name is in any row of the guild, and every balance is what the ledger says."""
    before = await read_all_rows()
    nobody = await privacy.anonymise(GUILD, ALICE)
    after = await read_all_rows()

    await assert_ledger_consistent()
    assert ALICE not in traces(after)
    assert "alice" not in traces(after)
    assert traces(after, OTHER_GUILD) == traces(before, OTHER_GUILD)
    (left,) = [row for row in after["bytes_balances"] if row["user_id"] == nobody]
    assert (left["balance"], left["streak_count"], left["last_daily"]) == (0, 0, None)


@pytest.mark.usefixtures("populated_guild")
async def test_others_keep_their_history(
    privacy: Any, bytes_ops: BytesOperations, ids: Ids
) -> None:
    """The other party's rows keep id, amount, kind and time; balances do not change by a byte."""

    async def history(user: str) -> list[tuple[Any, ...]]:
        page = await bytes_ops.get_transaction_history(GUILD, user, limit=100)
        return [(row.id, row.amount, row.kind, row.created_at) for row in page]

    async def balances() -> dict[str, int]:
        page = await bytes_ops.get_leaderboard(GUILD, limit=100)
        return {entry.user_id: entry.balance for entry in page if entry.user_id in {BOB, CAROL}}

    before = await history(BOB), await history(CAROL), await balances()
    await privacy.anonymise(GUILD, ALICE)

    assert (await history(BOB), await history(CAROL), await balances()) == before


@pytest.mark.usefixtures("populated_guild")
async def test_an_anonymised_member_comes_back_as_a_new_one(
    privacy: Any, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """With a starting balance and without a past."""
    await privacy.anonymise(GUILD, ALICE)
    again = await bytes_ops.claim_daily(GUILD, ALICE)

    await assert_ledger_consistent()
    assert (again.streak, again.balance) == (1, 110)
    assert len((await privacy.export(GUILD, ALICE))["ledger"]) == 2


@pytest.mark.usefixtures("db")
async def test_nobody_can_be_anonymised(privacy: Any, read_all_rows: ReadRows) -> None:
    """A member who has never been here leaves no row by asking."""
    await privacy.anonymise(GUILD, ALICE)

    assert traces(await read_all_rows()) == "[]"


@pytest.mark.usefixtures("populated_guild")
async def test_bytes_that_move_meanwhile_are_in_the_books(
    privacy: Any, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """Transfers to a member who is being anonymised go to the old row or to a new member."""
    transfers = [bytes_ops.create_transaction(make_transfer(BOB, ALICE)) for _ in range(40)]
    nobody, *moved = await asyncio.gather(
        asyncio.create_task(privacy.anonymise(GUILD, ALICE)), *transfers
    )
    found = await BytesBalance.filter(guild_id=GUILD, user_id=ALICE).first()
    before = await BytesBalance.get(guild_id=GUILD, user_id=nobody)

    await assert_ledger_consistent()
    assert len({row.id for row in moved}) == len(transfers)
    assert before.balance == 0
    assert found is None or found.balance > 100
