"""The table of operations is complete, and its entries are right."""

from __future__ import annotations

import pytest
from helpers.assertions import Check, ReadRows
from helpers.operations_table import KINDS, OPERATIONS, Case, World, count_changes, each_case


@pytest.mark.parametrize("kind", KINDS)
def test_operations_table_has_every_public_method(kind: type) -> None:
    """Every public operation is in the table, and so in the tests of all laws."""
    public = {name for name in vars(kind) if not name.startswith("_")}
    assert public - {operation.method for operation in OPERATIONS.values()} == set()


@each_case
async def test_operation_writes_what_the_table_says(
    case: Case, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """Each operation adds the rows that the table lists."""
    member = case.members[0]
    await case.operation.get_ready(world, member)
    before = await read_all_rows()
    await case.operation.run(world, member)
    await assert_ledger_consistent()
    assert count_changes(before, await read_all_rows()) == case.writes
