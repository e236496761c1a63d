"""`erase_member` removes the person's id and name, and keeps the bytes of the others."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Clock, Rows, TestData, make_transfer
from helpers.assertions import Check, ReadRows

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesTransaction,
    GuildOperations,
    IdempotencyConflictError,
    InsufficientBalanceError,
    InvalidSnowflakeError,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.archive.exporter import export_guild
from bytes_squads.archive.importer import import_guild
from bytes_squads.domain import ids as domain_ids
from bytes_squads.domain import validation
from bytes_squads.engine._tortoise import column_names
from bytes_squads.operations import guilds
from bytes_squads.sql import postings, privacy

MODERATOR = "300000000000000009"


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
    clock.advance(hours=1)
    await bytes_ops.grant_many(GUILD, {ALICE: 2, BOB: 2}, idempotency_key="event")
    clock.advance(hours=1)
    await bytes_ops.grant_many(GUILD, {CAROL: 2, BOB: 2}, idempotency_key="event of others")
    await bytes_ops.grant(GUILD, CAROL, 1, reason="by a moderator", actor_id=ALICE)
    await bytes_ops.grant(GUILD, CAROL, 1, reason=f"beat <@{ALICE}>", idempotency_key=f"x{ALICE}x")
    await bytes_ops.claim_daily(OTHER_GUILD, ALICE, "alice")
    await squad_ops.switch_squad(GUILD, ALICE, test_data.blue.id, username="alice")


def traces(rows: Rows, guild: str = GUILD) -> str:
    """All that the guild's rows hold, as text."""
    own = [row for table in rows.values() for row in table if row["guild_id"] == guild]
    return json.dumps(own, default=str)


def by_id(rows: Rows) -> dict[Any, dict[str, Any]]:
    """The rows of the ledger by id."""
    return {row["id"]: row for row in rows["bytes_transactions"]}


def others(rows: Rows) -> Rows:
    """The rows of the guild that have nothing to do with Alice."""
    return {
        table: [row for row in stored if ALICE not in json.dumps(row, default=str)]
        for table, stored in rows.items()
    }


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_leaves_no_trace(
    guild_ops: GuildOperations, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """Neither id nor name is in any row of the guild, and every balance equals its ledger."""
    before = await read_all_rows()
    pseudonym = await guild_ops.erase_member(int(GUILD), int(ALICE))
    after = await read_all_rows()

    await assert_ledger_consistent()
    assert ALICE not in traces(after)
    assert "alice" not in traces(after)
    assert traces(after, OTHER_GUILD) == traces(before, OTHER_GUILD)
    assert validation.snowflake(pseudonym) == pseudonym
    assert 2**47 <= int(pseudonym) < 2**48


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_retires_the_bytes_and_the_seat(
    guild_ops: GuildOperations, read_all_rows: ReadRows, clock: Clock, test_data: TestData
) -> None:
    """It writes a charge of all bytes and a leave; the row is that of a member who left."""
    before = await read_all_rows()
    clock.advance(hours=1)
    pseudonym = await guild_ops.erase_member(GUILD, ALICE)
    after = await read_all_rows()

    (old,) = [
        r for r in before["bytes_balances"] if (r["guild_id"], r["user_id"]) == (GUILD, ALICE)
    ]
    (new,) = [row for row in after["bytes_balances"] if row["user_id"] == pseudonym]
    charge, leave = sorted(
        (row for id_, row in by_id(after).items() if id_ not in by_id(before)),
        key=lambda row: row["id"],
    )
    assert new == old | {
        "user_id": pseudonym,
        "balance": 0,
        "total_sent": old["total_received"],
        "last_daily": None,
        "streak_count": 0,
        "last_transfer_at": None,
        "left_at": clock.now,
        "updated_at": new["updated_at"],
    }
    assert new["updated_at"] > old["updated_at"]
    common = {
        "guild_id": GUILD,
        "giver_id": pseudonym,
        "giver_username": "",
        "receiver_id": "SYSTEM",
        "receiver_username": "SYSTEM",
        "created_at": clock.now,
        "reason": None,
        "actor_id": None,
        "idempotency_key": None,
        "reverses_id": None,
    }
    assert charge == common | {
        "id": charge["id"],
        "kind": "charge",
        "amount": old["balance"],
        "details": None,
    }
    assert leave == common | {
        "id": leave["id"],
        "kind": "squad",
        "amount": 0,
        "details": {"action": "leave", "squad_id": str(test_data.blue.id)},
    }
    assert await SquadMembership.filter(guild_id=GUILD).values_list("user_id", flat=True) == [BOB]


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_keeps_the_rows_of_others_to_the_byte(
    guild_ops: GuildOperations, read_all_rows: ReadRows
) -> None:
    """Rows without the member do not change; in the others only names, ids and reasons do."""
    before = await read_all_rows()
    pseudonym = await guild_ops.erase_member(GUILD, ALICE)
    after = await read_all_rows()

    kept, changed = others(before), by_id(after)
    # Bob's row of the bulk grant to Alice and him has the digest, or Alice's has.
    for row in kept["bytes_transactions"]:
        if row["idempotency_key"] == "event":
            row["details"] = {"members": 2}
    for table, rows in kept.items():
        assert [row for row in rows if row not in after[table]] == []
    for row in before["bytes_transactions"]:
        if row["guild_id"] == GUILD:
            assert changed[row["id"]] == erased(row, pseudonym)


def erased(row: dict[str, Any], pseudonym: str) -> dict[str, Any]:
    """A row of the ledger after Alice was erased."""
    new = dict(row)
    for party in ("giver", "receiver"):
        if row[f"{party}_id"] == ALICE:
            new |= {f"{party}_id": pseudonym, f"{party}_username": "", "reason": None}
    if row["idempotency_key"] == "event":
        new["details"] = {"members": 2}
    for text in ("actor_id", "reason", "idempotency_key"):
        new[text] = new[text] and new[text].replace(ALICE, pseudonym)
    return new


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_keeps_the_digests_of_others(guild_ops: GuildOperations) -> None:
    """Only digests of bulk requests with the member are removed."""
    await guild_ops.erase_member(GUILD, ALICE)
    keys = await BytesTransaction.filter(kind="grant", idempotency_key__startswith="event")
    assert {row.idempotency_key: set(row.details or ()) for row in keys} == {
        "event": {"members"},
        "event of others": {"members", "digest"},
    }


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_lowers_the_circulation_by_the_balance(
    guild_ops: GuildOperations, bytes_ops: BytesOperations
) -> None:
    """The bytes are retired, and the pseudonym is in no leaderboard."""

    async def circulation() -> int:
        balances = await BytesBalance.filter(guild_id=GUILD).values_list("balance", flat=True)
        return sum(map(int, balances))

    before, own = await circulation(), (await bytes_ops.get_balance(GUILD, ALICE)).balance
    pseudonym = await guild_ops.erase_member(GUILD, ALICE)
    assert await circulation() == before - own
    assert {entry.user_id for entry in await bytes_ops.get_leaderboard(GUILD)} == {BOB, CAROL}
    assert await bytes_ops.get_rank(GUILD, pseudonym) is None


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_who_comes_back_is_a_new_member(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """A new member has the starting balance and no history, and gets another pseudonym."""
    first = await guild_ops.erase_member(GUILD, ALICE)
    again = await bytes_ops.claim_daily(GUILD, ALICE)
    assert (again.streak, again.balance) == (1, 110)
    assert len((await guild_ops.export_member(GUILD, ALICE)).transactions) == 2
    second = await guild_ops.erase_member(GUILD, ALICE)
    await assert_ledger_consistent()
    assert first != second
    assert await BytesBalance.filter(user_id__in=[first, second]).count() == 2


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_keeps_keys_used(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, read_all_rows: ReadRows
) -> None:
    """A repeated request from before the erasure moves nothing."""
    await bytes_ops.create_transaction(make_transfer(BOB, ALICE, idempotency_key="gift"))
    await guild_ops.erase_member(GUILD, ALICE)
    before = await read_all_rows()
    with pytest.raises(IdempotencyConflictError):
        await bytes_ops.create_transaction(make_transfer(BOB, ALICE, idempotency_key="gift"))
    with pytest.raises(IdempotencyConflictError):
        await bytes_ops.charge(GUILD, ALICE, 3, idempotency_key="hat")
    with pytest.raises(IdempotencyConflictError):
        await bytes_ops.claim_daily(GUILD, ALICE, idempotency_key="claim")
    with pytest.raises(IdempotencyConflictError):
        await bytes_ops.grant_many(GUILD, {ALICE: 2, BOB: 2}, idempotency_key="event")
    assert await read_all_rows() == before


@pytest.mark.parametrize("user", ["999", MODERATOR])
@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_of_an_unknown_member_changes_nothing(
    guild_ops: GuildOperations, read_all_rows: ReadRows, user: str
) -> None:
    """It creates no member, and returns a pseudonym."""
    before = await read_all_rows()
    assert validation.snowflake(await guild_ops.erase_member(GUILD, user))
    assert await read_all_rows() == before


@pytest.mark.postgres
async def test_erase_member_of_an_unknown_member_spares_one_who_comes_meanwhile(
    guild_ops: GuildOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    assert_ledger_consistent: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member who joins a squad after the look-up is not erased in part."""
    outside = contextvars.copy_context()
    execute = guilds.execute_in_block

    async def execute_late(db: Any, statement: Any, *parameters: Any, **options: Any) -> Any:
        if statement is privacy.REMOVE_DIGESTS:
            joining = squad_ops.join_squad(GUILD, 999, test_data.red.id)
            await asyncio.create_task(joining, context=outside)
        return await execute(db, statement, *parameters, **options)

    monkeypatch.setattr(guilds, "execute_in_block", execute_late)
    pseudonym = await guild_ops.erase_member(GUILD, 999)
    await assert_ledger_consistent()
    assert await SquadMembership.filter(user_id="999").exists()
    assert await BytesBalance.filter(user_id="999", left_at=None).exists()
    assert not await BytesTransaction.filter(giver_id=pseudonym).exists()


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_of_an_unknown_moderator_rewrites_the_orders(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, read_all_rows: ReadRows
) -> None:
    """A moderator need not be a member; the reasons of the orders stay."""
    await bytes_ops.grant(GUILD, BOB, 1, reason="helped", actor_id=MODERATOR)
    before = await read_all_rows()
    pseudonym = await guild_ops.erase_member(GUILD, MODERATOR)
    after = await read_all_rows()
    expected = traces(before).replace(MODERATOR, pseudonym)
    assert sorted(traces(after)) == sorted(expected)
    assert [r["reason"] for r in after["bytes_transactions"] if r["actor_id"] == pseudonym] == [
        "helped"
    ]


async def test_erase_member_with_a_short_id_leaves_texts_alone(
    guild_ops: GuildOperations, bytes_ops: BytesOperations
) -> None:
    """A short id, which Discord does not issue, is part of many numbers."""
    await bytes_ops.grant(GUILD, 10, 5, idempotency_key="10")
    await bytes_ops.grant(GUILD, 11, 5, reason="10 points", idempotency_key="1010")
    await guild_ops.erase_member(GUILD, 10)
    rows = await BytesTransaction.filter(kind="grant").order_by("id")
    assert [row.idempotency_key for row in rows] == ["10", "1010"]
    assert rows[1].reason == "10 points"


async def test_erase_member_without_bytes_writes_no_charge(
    guild_ops: GuildOperations, test_data: TestData, assert_ledger_consistent: Check
) -> None:
    """A movement of no bytes is no charge."""
    pseudonym = await guild_ops.erase_member(GUILD, CAROL)
    await assert_ledger_consistent()
    assert await BytesBalance.filter(guild_id=GUILD, user_id=pseudonym, balance=0).exists()
    assert not await BytesTransaction.filter(guild_id=GUILD, giver_id=pseudonym).exists()


async def test_erase_member_draws_an_unused_pseudonym(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pseudonym is no member and no moderator of the guild."""
    await bytes_ops.grant(GUILD, BOB, 1, actor_id="200")
    await bytes_ops.grant(OTHER_GUILD, "300", 1)
    drawn = iter([BOB, "200", "300"])
    monkeypatch.setattr(domain_ids, "draw_pseudonym", lambda: next(drawn))
    assert await guild_ops.erase_member(GUILD, ALICE) == "300"


def test_erase_member_copies_every_column_of_the_ledger() -> None:
    """A column that is added to the ledger is added to the statement that rewrites it."""
    columns = {name.strip() for name in postings.ENTRY_COLUMNS.split(",")}
    assert columns == set(column_names(BytesTransaction))


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_leaves_a_guild_that_can_be_moved(
    guild_ops: GuildOperations, read_all_rows: ReadRows
) -> None:
    """What it leaves can be exported and imported."""
    await guild_ops.erase_member(GUILD, ALICE)
    before = await read_all_rows()
    archive = io.BytesIO()
    await export_guild(GUILD, archive)
    for table in ("squad_memberships", "squads", "bytes_transactions", "bytes_balances"):
        async with bytes_squads.in_transaction() as db:
            await db.execute_query(f"DELETE FROM {table} WHERE guild_id = '{GUILD}'")
    async with bytes_squads.in_transaction() as db:
        await db.execute_query(f"DELETE FROM bytes_configs WHERE guild_id = '{GUILD}'")
    archive.seek(0)
    await import_guild(archive)
    after = await read_all_rows()
    assert by_id(after) == by_id(before)


@pytest.mark.parametrize("arguments", [("0", ALICE), (GUILD, "x"), (GUILD, None)])
async def test_erase_member_refuses_bad_ids(
    guild_ops: GuildOperations, arguments: tuple[Any, Any]
) -> None:
    """An invalid id is refused."""
    with pytest.raises(InvalidSnowflakeError):
        await guild_ops.erase_member(*arguments)


# At the same time ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("busy_guild")
async def test_erase_member_while_others_transfer_keeps_every_byte(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
    test_data: TestData,
) -> None:
    """Each concurrent operation is on the old row or on a new member."""
    work = [
        *(bytes_ops.create_transaction(make_transfer(BOB, ALICE)) for _ in range(20)),
        *(bytes_ops.create_transaction(make_transfer(ALICE, BOB)) for _ in range(20)),
        *(bytes_ops.grant(GUILD, ALICE, 1) for _ in range(10)),
        *(bytes_ops.grant_many(GUILD, {BOB: 1, ALICE: 1}) for _ in range(5)),
        squad_ops.leave_squad(GUILD, ALICE),
        squad_ops.join_squad(GUILD, ALICE, test_data.red.id),
        bytes_ops.claim_daily(GUILD, ALICE),
    ]
    erasures = [asyncio.create_task(guild_ops.erase_member(GUILD, ALICE)) for _ in range(3)]
    answers = await asyncio.gather(*work, return_exceptions=True)
    pseudonyms = await asyncio.gather(*erasures)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    rows = await read_all_rows()

    await assert_ledger_consistent()
    assert all(isinstance(f, bytes_squads.RefusedError) for f in failures), failures
    for pseudonym in pseudonyms:
        found = [row for row in rows["bytes_balances"] if row["user_id"] == pseudonym]
        assert [row["balance"] for row in found] in ([0], [])
    last = [r for r in rows["bytes_balances"] if (r["guild_id"], r["user_id"]) == (GUILD, ALICE)]
    if not last:
        assert ALICE not in traces(rows)


@pytest.mark.postgres
async def test_erase_member_waits_for_a_transfer_that_holds_the_row(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    assert_ledger_consistent: Check,
) -> None:
    """A transfer in a caller's block is before the erasure."""
    transferred = asyncio.Event()

    async def erase() -> str:
        await transferred.wait()
        return await guild_ops.erase_member(GUILD, ALICE)

    erasure = asyncio.create_task(erase())  # outside the block
    async with bytes_squads.in_transaction():
        entry = await bytes_ops.create_transaction(make_transfer(BOB, ALICE, 7))
        transferred.set()
        await asyncio.sleep(0.2)
        assert not erasure.done()
    pseudonym = await erasure
    await assert_ledger_consistent()
    assert (await BytesTransaction.get(id=entry.id)).receiver_id == pseudonym


async def test_erase_member_in_a_block_precedes_later_transfers(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    assert_ledger_consistent: Check,
) -> None:
    """A later transfer in the block is to a new member."""
    async with bytes_squads.in_transaction():
        pseudonym = await guild_ops.erase_member(GUILD, ALICE)
        with pytest.raises(InsufficientBalanceError):
            await bytes_ops.charge(GUILD, pseudonym, 1)
        await bytes_ops.create_transaction(make_transfer(BOB, ALICE, 7))
    await assert_ledger_consistent()
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 107
