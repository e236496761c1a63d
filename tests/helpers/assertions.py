"""Assertions: a refusal changes nothing, and rows as plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from tortoise.models import Model

from bytes_squads import BytesBalance, SquadMembership
from bytes_squads.engine._tortoise import column_names

from .sample_data import Ids, Rows

MAX_BYTES = 2**63 - 1
ReadRows = Callable[[], Awaitable[Rows]]
Check = Callable[[], Awaitable[None]]


@contextmanager
def naming(*values: object) -> Iterator[None]:
    """Name the case of a loop in the report of a failure."""
    try:
        yield
    except BaseException as error:  # pytest's "did not raise" is no Exception
        error.add_note("in the case " + ", ".join(map(_short, values)))
        raise


def _short(value: object) -> str:
    # An int of more than 4,300 digits has no text in base 10.
    text = hex(value) if isinstance(value, int) and abs(value) >= 2**100 else ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@asynccontextmanager
async def assert_refused(
    error: type[Exception], rows: ReadRows, **attributes: Any
) -> AsyncIterator[pytest.ExceptionInfo[Exception]]:
    """Expect exactly this error with these attributes, and every table as it was before."""
    before = await rows()
    with pytest.raises(error) as caught:
        yield caught
    assert error is caught.type
    assert attributes == {name: getattr(caught.value, name) for name in attributes}
    assert before == await rows()


def as_dict(row: Model) -> dict[str, Any]:
    """The values of a row by field, to compare two rows by."""
    return {name: getattr(row, name) for name in column_names(type(row))}


async def balance_and_totals(ids: Ids, user_id: str) -> tuple[int, int, int]:
    """A member's balance, total received and total sent."""
    member = await BytesBalance.get(guild_id=ids.guild, user_id=user_id)
    return member.balance, member.total_received, member.total_sent


def membership_values(membership: SquadMembership) -> tuple[Any, ...]:
    """Return the guild, the member, the squad and the time of joining."""
    return membership.guild_id, membership.user_id, membership.squad_id, membership.joined_at
