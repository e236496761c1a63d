"""What several tests share: that a refusal changes nothing, and a row as plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tortoise.models import Model

from conftest import Rows

MAX = 2**63 - 1
ReadRows = Callable[[], Awaitable[Rows]]
Check = Callable[[], Awaitable[None]]


@asynccontextmanager
async def refused(
    error: type[Exception], rows: ReadRows, **attributes: Any
) -> AsyncIterator[pytest.ExceptionInfo[Exception]]:
    """Expect exactly this error with these attributes, and every table as it was before."""
    before = await rows()
    with pytest.raises(error) as caught:
        yield caught
    assert error is caught.type
    assert attributes == {name: getattr(caught.value, name) for name in attributes}
    assert before == await rows()


def plain(row: Model) -> dict[str, Any]:
    """The values of a row by field, to compare two rows by."""
    return {name: getattr(row, name) for name in row._meta.fields_db_projection}
