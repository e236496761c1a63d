"""A ledger row is final: the database refuses to change its final columns.

Whoever writes: SQL of somebody's own, or the ORM, to whose users the refusal is an IntegrityError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Database, Ids, make_transfer
from helpers.assertions import Check, ReadRows, assert_refused
from helpers.schema_introspection import constraint_of
from tortoise.exceptions import IntegrityError

from bytes_squads import BytesOperations, BytesTransaction, in_transaction
from bytes_squads.engine.connections import current_client

RULE = "tr_bytes_transactions_final"
MOMENT = datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC)

ROW: dict[str, Any] = {
    "id": UUID("01951000-0000-7000-8000-0000000000aa"),
    "guild_id": GUILD,
    "giver_id": ALICE,
    "giver_username": "alice",
    "receiver_id": BOB,
    "receiver_username": "bob",
    "amount": 5,
    "reason": "for the cake",
    "created_at": MOMENT,
    "kind": "reversal",
    "reverses_id": UUID("01951000-0000-7000-8000-0000000000ff"),
    "idempotency_key": "key",
}
OTHER_VALUES: dict[str, Any] = {
    "id": UUID("01951000-0000-7000-8000-0000000000ab"),
    "guild_id": OTHER_GUILD,
    "giver_id": CAROL,
    "receiver_id": CAROL,
    "amount": 6,
    "kind": "grant",
    "created_at": MOMENT + timedelta(microseconds=1),
    "reverses_id": UUID("01951000-0000-7000-8000-0000000000ac"),
}
"""The columns that are final, each with another value that no other rule refuses."""


def literal(value: Any) -> str:
    """A value as SQL that both databases read."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f"'{value}'"


@pytest.fixture
async def row(db: Database) -> BytesTransaction:
    """The one row of the ledger."""
    return await BytesTransaction.create(**ROW)


async def execute(statement: str) -> None:
    await current_client().execute_query(statement)


# One row ------------------------------------------------------------------------------------------

Change = Callable[[BytesTransaction, str, Any], Awaitable[Any]]


async def by_sql(row: BytesTransaction, column: str, value: Any) -> None:
    await execute(
        f'UPDATE "bytes_transactions" SET "{column}" = {literal(value)} WHERE "id" = \'{row.id}\''
    )


async def by_saving(row: BytesTransaction, column: str, value: Any) -> None:
    loaded = await BytesTransaction.get(id=row.id)
    setattr(loaded, column, value)
    await loaded.save()


async def by_query(row: BytesTransaction, column: str, value: Any) -> None:
    await BytesTransaction.filter(id=row.id).update(**{column: value})


WAYS = (by_sql, by_saving, by_query)
by_each_way = pytest.mark.parametrize(
    ("column", "change"),
    [
        pytest.param(column, change, id=f"{column} {change.__name__}")
        for column in OTHER_VALUES
        for change in WAYS
        if column != "id" or change is by_sql  # the ORM does not change a primary key
    ],
)


@by_each_way
async def test_update_of_a_final_column_is_refused(
    row: BytesTransaction, read_all_rows: ReadRows, column: str, change: Change
) -> None:
    """Another value is refused with the rule's name, and the row does not change."""
    async with assert_refused(IntegrityError, read_all_rows) as caught:
        await change(row, column, OTHER_VALUES[column])

    assert constraint_of(caught.value) == RULE


@pytest.mark.parametrize("column", OTHER_VALUES)
async def test_update_of_a_final_column_to_null_is_refused(
    row: BytesTransaction, read_all_rows: ReadRows, column: str
) -> None:
    """Null is refused by the trigger, before NOT NULL."""
    async with assert_refused(IntegrityError, read_all_rows) as caught:
        await by_sql(row, column, None)

    assert constraint_of(caught.value) == RULE


@by_each_way
async def test_update_to_the_same_value_is_allowed(
    row: BytesTransaction, read_all_rows: ReadRows, column: str, change: Change
) -> None:
    """An update with equal values is allowed: an ORM writes all columns."""
    before = await read_all_rows()
    await change(row, column, ROW[column])

    assert await read_all_rows() == before


@pytest.mark.parametrize("change", WAYS)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("giver_username", ""),
        ("receiver_username", "somebody"),
        ("reason", "withdrawn"),
        ("reason", None),
    ],
)
async def test_update_of_usernames_and_reasons_is_allowed(
    row: BytesTransaction, read_all_rows: ReadRows, column: str, value: str | None, change: Change
) -> None:
    """Usernames and reasons can be changed, and nothing else of the row."""
    (before,) = (await read_all_rows())["bytes_transactions"]
    await change(row, column, value)

    assert (await read_all_rows())["bytes_transactions"] == [{**before, column: value}]


@pytest.mark.parametrize("column", OTHER_VALUES)
async def test_update_of_username_and_a_final_column_is_refused(
    row: BytesTransaction, read_all_rows: ReadRows, column: str
) -> None:
    """An update of a reason that touches a final column as well is refused as a whole."""
    value = literal(OTHER_VALUES[column])
    async with assert_refused(IntegrityError, read_all_rows) as caught:
        await execute(f'UPDATE bytes_transactions SET reason = NULL, "{column}" = {value}')

    assert constraint_of(caught.value) == RULE


@pytest.mark.parametrize(
    "delete",
    [
        pytest.param(lambda row: row.delete(), id="by the model"),
        pytest.param(lambda row: BytesTransaction.filter(id=row.id).delete(), id="by a query"),
        pytest.param(lambda _: execute("DELETE FROM bytes_transactions"), id="by SQL"),
    ],
)
async def test_delete_of_a_ledger_row_is_allowed(
    row: BytesTransaction, delete: Callable[[BytesTransaction], Awaitable[Any]]
) -> None:
    """Ledger rows can be deleted."""
    await delete(row)

    assert await BytesTransaction.all().count() == 0


# Many rows, and what is around them ---------------------------------------------------------------


async def all_by_query() -> None:
    await BytesTransaction.all().update(reason=None, amount=5)


async def all_in_bulk() -> None:
    rows = await BytesTransaction.all()
    for row in rows:
        row.reason, row.amount = None, 5
    await BytesTransaction.bulk_update(rows, fields=["reason", "amount"])


@pytest.mark.parametrize("change", [all_by_query, all_in_bulk])
@pytest.mark.parametrize("amounts", [(6, 5, 5), (5, 6, 5), (5, 5, 6), (7, 8, 9)])
async def test_update_of_many_rows_is_refused_for_one(
    db: Database,
    read_all_rows: ReadRows,
    amounts: tuple[int, ...],
    change: Callable[[], Awaitable[None]],
) -> None:
    """If one row is refused, no other row of the statement is changed."""
    for number, amount in enumerate(amounts):
        own = {"id": UUID(int=ROW["id"].int + number), "idempotency_key": None}
        own["reverses_id"] = UUID(int=number)
        await BytesTransaction.create(**ROW | own | {"amount": amount})
    async with assert_refused(IntegrityError, read_all_rows) as caught:
        await change()

    assert constraint_of(caught.value) == RULE


async def test_upsert_of_a_ledger_row_is_refused(
    db: Database, row: BytesTransaction, read_all_rows: ReadRows
) -> None:
    """An insert that turns into an update where the row is there already is refused."""
    again = BytesTransaction(**ROW | {"idempotency_key": None, "amount": 6})
    key = ["id", "guild_id"] if db.is_postgres else ["id"]
    async with assert_refused(IntegrityError, read_all_rows) as caught:
        await BytesTransaction.bulk_create([again], on_conflict=key, update_fields=["amount"])

    assert constraint_of(caught.value) == RULE


async def test_block_goes_on_after_a_refused_update(
    row: BytesTransaction, bytes_ops: BytesOperations
) -> None:
    """The refusal undoes its own statement only; the rest of the block commits."""
    async with in_transaction():
        await bytes_ops.grant(GUILD, CAROL, 1)
        with pytest.raises(IntegrityError):
            async with in_transaction():
                await by_query(row, "amount", 6)
        await bytes_ops.grant(GUILD, CAROL, 2)
    rows = BytesTransaction.exclude(kind="starting").order_by("amount")

    assert await rows.values_list("amount") == [(1,), (2,), (5,)]


async def test_ledger_rows_of_a_member_can_be_anonymized(
    bytes_ops: BytesOperations, ids: Ids, assert_ledger_consistent: Check
) -> None:
    """Without a member's names and reasons the ledger is consistent."""
    await bytes_ops.grant(GUILD, ALICE, 9, username="alice", reason="welcome")
    for number in range(3):
        await bytes_ops.create_transaction(make_transfer(amount=1 + number))
    given = BytesTransaction.filter(giver_id=ALICE)
    received = BytesTransaction.filter(receiver_id=ALICE)
    sent = await given.update(giver_username="", reason=None)
    got = await received.update(receiver_username="", reason=None)

    await assert_ledger_consistent()
    assert await BytesTransaction.filter(giver_username="alice").count() == 0
    assert await BytesTransaction.filter(receiver_username="alice").count() == 0
    assert (sent, got) == (3, 2)  # three transfers; the starting balance and the grant
