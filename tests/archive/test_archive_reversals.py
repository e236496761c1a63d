"""Reversals in archives: imported, and refused if no operation can have written them."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, Database, make_transfer
from helpers.archives import Record, export_records, find_record, write_archive
from helpers.backends import MODELS

from bytes_squads import BytesOperations, BytesTransaction
from bytes_squads.archive.format import ArchiveError
from bytes_squads.archive.importer import import_guild


@pytest.fixture
async def records(db: Database, bytes_ops: BytesOperations) -> list[Record]:
    """An archive with a transfer of 30 that was taken back, and a charge of 30 that was not."""
    transfer = await bytes_ops.create_transaction(make_transfer(ALICE, BOB, 30))
    await bytes_ops.charge(GUILD, CAROL, 30)
    await bytes_ops.reverse_transaction(GUILD, transfer.id, idempotency_key="k")
    lines = await export_records()
    for model in MODELS:
        await model.all().delete()
    return lines


async def test_import_keeps_reversals(records: list[Record], bytes_ops: BytesOperations) -> None:
    """The imported ledger is consistent, and the row cannot be reversed again."""
    await import_guild(write_archive(records))
    again = await export_records()
    reversal = find_record(again, "transaction", kind="reversal")
    assert (await bytes_ops.verify()).ok
    assert reversal["reverses_id"] == find_record(again, "transaction", kind="transfer")["id"]
    assert records[1:] == again[1:]


WRONG: dict[str, dict[str, Any]] = {
    "unknown": {"reverses_id": "01951000-0000-7000-8000-0000000000aa"},
    "itself": {"reverses_id": "id"},
    "another kind": {"reverses_id": "starting"},
    "other parties": {"reverses_id": "charge"},
}


@pytest.mark.parametrize("what", WRONG)
async def test_import_refuses_a_reversal_of_another_row(records: list[Record], what: str) -> None:
    """A row that is not there, that cannot be reversed, or whose parties are others."""
    reversal = find_record(records, "transaction", kind="reversal")
    ids = {line["kind"]: line["id"] for line in records if line["type"] == "transaction"}
    target = WRONG[what]["reverses_id"]
    reversal["reverses_id"] = reversal["id"] if target == "id" else ids.get(target, target)
    with pytest.raises(ArchiveError, match="does not take back"):
        await import_guild(write_archive(records))
    assert await BytesTransaction.all().count() == 0


async def test_import_refuses_a_reversal_of_another_amount(records: list[Record]) -> None:
    """A reversal of a transfer of 30 by 29 bytes is refused."""
    find_record(records, "transaction", kind="reversal")["amount"] = 29
    alice = find_record(records, "balance", user_id=ALICE)
    bob = find_record(records, "balance", user_id=BOB)
    alice |= {"balance": 99, "total_sent": 1}
    bob |= {"balance": 101, "total_received": 101}
    with pytest.raises(ArchiveError, match="does not take back"):
        await import_guild(write_archive(records))


async def test_import_refuses_a_second_reversal(records: list[Record]) -> None:
    """A row is taken back once, by the number of the line."""
    reversal = find_record(records, "transaction", kind="reversal")
    second = reversal | {"id": "01951000-0000-7000-8000-0000000000aa"}
    del second["idempotency_key"]
    records.insert(-1, second)
    records[-1]["transactions"] += 1
    with pytest.raises(ArchiveError, match="the database rejected it"):
        await import_guild(write_archive(records))
