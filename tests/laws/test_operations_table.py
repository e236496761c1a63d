"""The table of operations is complete, and each entry writes what it says."""

from __future__ import annotations

import pytest
from helpers.assertions import Check, ReadRows
from helpers.operations_table import KINDS, OPERATIONS, Case, World, count_changes, each_case


@pytest.mark.parametrize("kind", KINDS)
def test_operations_table_has_every_public_method(kind: type) -> None:
    """An operation that is not in the table would meet no law."""
    public = {name for name in vars(kind) if not name.startswith("_")}
    assert public - {operation.method for operation in OPERATIONS.values()} == set()


@each_case
async def test_operation_writes_what_the_table_says(
    case: Case, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """The rows that are there afterwards are those before and those of the table."""
    member = case.members[0]
    await case.operation.get_ready(world, member)
    before = await read_all_rows()
    await case.operation.run(world, member)
    await assert_ledger_consistent()
    assert count_changes(before, await read_all_rows()) == case.writes
