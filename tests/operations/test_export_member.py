"""`export_member` returns all data of one person, and only ids of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Clock, TestData, make_transfer
from helpers.assertions import ReadRows

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    GuildOperations,
    InvalidSnowflakeError,
    MemberExport,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.engine._tortoise import column_names

OTHERS_NAMES = {"giver_username", "receiver_username"}


@pytest.fixture
async def busy_guild(
    test_data: TestData, bytes_ops: BytesOperations, squad_ops: SquadOperations, clock: Clock
) -> None:
    """Alice has used every operation, also as a moderator."""
    await bytes_ops.claim_daily(GUILD, ALICE, "alice", idempotency_key="claim")
    clock.advance(hours=1)
    await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30, reason="from alice"))
    await bytes_ops.create_transaction(make_transfer(BOB, ALICE, 5, reason="for alice"))
    await bytes_ops.create_transaction(make_transfer(BOB, CAROL, 7, reason="between others"))
    await bytes_ops.grant(GUILD, ALICE, 9, username="alice", reason="alice won", actor_id=BOB)
    await bytes_ops.charge(GUILD, ALICE, 3, username="alice", idempotency_key="hat")
    await bytes_ops.grant_many(GUILD, {ALICE: 2, BOB: 2}, idempotency_key="event")
    await bytes_ops.grant(GUILD, CAROL, 1, actor_id=ALICE)
    await bytes_ops.grant(GUILD, BOB, 1, actor_id=ALICE)
    await squad_ops.switch_squad(GUILD, ALICE, test_data.blue.id, username="alice")


def plain(value: Any) -> Any:
    """A value of a row as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value if value is None or isinstance(value, int | dict) else str(value)


@pytest.mark.usefixtures("busy_guild")
async def test_export_member_has_every_column_of_every_row(
    guild_ops: GuildOperations, test_data: TestData, read_all_rows: ReadRows
) -> None:
    """It has the stored rows, oldest first, without the other party's name."""
    rows = {
        table: [
            {name: plain(value) for name, value in row.items()}
            for row in stored
            if row["guild_id"] == GUILD
        ]
        for table, stored in (await read_all_rows()).items()
    }
    export = await guild_ops.export_member(int(GUILD), int(ALICE))

    (balance,) = [row for row in rows["bytes_balances"] if row["user_id"] == ALICE]
    (seat,) = [row for row in rows["squad_memberships"] if row["user_id"] == ALICE]
    mine = [r for r in rows["bytes_transactions"] if ALICE in (r["giver_id"], r["receiver_id"])]
    mine.sort(key=lambda row: (row["created_at"], row["id"]))
    for row in mine:
        del row["receiver_username" if row["giver_id"] == ALICE else "giver_username"]
    assert (export.guild_id, export.user_id) == (GUILD, ALICE)
    assert balance == export.balance
    assert seat | {"name": test_data.blue.name} == export.squad
    assert mine == export.transactions
    assert export.ordered_as_moderator == 2
    assert {row["kind"] for row in mine} >= {"daily", "transfer", "grant", "charge", "squad"}


@pytest.mark.usefixtures("busy_guild")
async def test_export_member_is_plain_json_without_the_names_of_others(
    guild_ops: GuildOperations,
) -> None:
    """Its JSON equals that of the json module, without the names of others."""
    export = await guild_ops.export_member(GUILD, ALICE)
    text = export.model_dump_json()

    assert "bob" not in text
    assert "carol" not in text
    assert "alice" in text
    assert MemberExport.model_validate_json(text) == export
    assert json.loads(json.dumps(export.model_dump())) == json.loads(text)


async def test_export_member_has_every_column_of_the_models(
    guild_ops: GuildOperations, squad_ops: SquadOperations, test_data: TestData
) -> None:
    """A column that is added to a model is added to the export."""
    await squad_ops.leave_squad(GUILD, BOB)
    await squad_ops.join_squad(GUILD, BOB, test_data.blue.id)
    export = await guild_ops.export_member(GUILD, BOB)

    assert export.balance is not None
    assert export.squad is not None
    assert set(column_names(BytesBalance)) == set(export.balance)
    assert {*column_names(SquadMembership), "name"} == set(export.squad)
    columns = set(column_names(BytesTransaction))
    for row in export.transactions:
        name = "giver_username" if row["giver_id"] == BOB else "receiver_username"
        assert columns - OTHERS_NAMES | {name} == set(row)


async def test_export_member_of_an_unknown_member_is_empty_and_creates_no_member(
    guild_ops: GuildOperations, test_data: TestData, read_all_rows: ReadRows
) -> None:
    """Neither another guild's rows nor a new member."""
    before = await read_all_rows()
    export = await guild_ops.export_member(GUILD, "999")

    assert export == MemberExport(guild_id=GUILD, user_id="999")
    assert (export.balance, export.squad, export.transactions) == (None, None, [])
    assert await read_all_rows() == before
    alice = (await guild_ops.export_member(OTHER_GUILD, ALICE)).balance
    assert alice is not None
    assert alice["balance"] == 70


async def test_export_member_counts_the_orders_of_an_unknown_moderator(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, test_data: TestData
) -> None:
    """A moderator need not be a member of the economy."""
    await bytes_ops.grant(GUILD, BOB, 1, actor_id="999")
    export = await guild_ops.export_member(GUILD, "999")

    assert (export.balance, export.transactions, export.ordered_as_moderator) == (None, [], 1)


async def test_export_member_in_a_block_sees_its_own_changes(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, test_data: TestData
) -> None:
    """Inside a block it reads the block's changes."""
    async with bytes_squads.in_transaction():
        entry = await bytes_ops.grant(GUILD, ALICE, 9, username="alice")
        export = await guild_ops.export_member(GUILD, ALICE)

    assert export.balance is not None
    assert export.balance["balance"] == 509
    assert export.transactions[-1]["id"] == str(entry.id)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
async def test_export_member_has_times_in_utc_whatever_the_session(
    guild_ops: GuildOperations, test_data: TestData, backend: str, clock: Clock, zone: str
) -> None:
    """PostgreSQL writes times in JSON in the session's time zone."""
    async with bytes_squads.in_transaction() as db:
        if backend == "postgres":
            await db.execute_query(f"SET LOCAL TIME ZONE '{zone}'")
        export = await guild_ops.export_member(GUILD, ALICE)

    assert [clock.now.isoformat()] == [row["created_at"] for row in export.transactions]


@pytest.mark.parametrize("arguments", [("0", ALICE), (GUILD, "x")])
async def test_export_member_refuses_bad_ids(
    guild_ops: GuildOperations, arguments: tuple[Any, Any]
) -> None:
    """An invalid id is refused."""
    with pytest.raises(InvalidSnowflakeError):
        await guild_ops.export_member(*arguments)
