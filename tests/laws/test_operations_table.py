"""The table of operations is complete; `test_transactions` shows that each entry is right."""

from __future__ import annotations

import pytest
from helpers.operations_table import KINDS, OPERATIONS


@pytest.mark.parametrize("kind", KINDS)
def test_operations_table_has_every_public_method(kind: type) -> None:
    """Every public operation is in the table, and so in the tests of all laws."""
    public = {name for name in vars(kind) if not name.startswith("_")}
    assert public - {operation.method for operation in OPERATIONS.values()} == set()
