"""The connection to PostgreSQL is cut after k bytes of an operation, in either direction."""

from __future__ import annotations

import pytest
from helpers import byte_sweep
from helpers.outcomes import open_through_relay, use_whole_pool
from helpers.postgres_relay import Direction

pytestmark = pytest.mark.postgres

STEPS = {"create_transaction": 5, "claim_daily": 29, "grant_many": 31, "join_squad": 29}
"""Bytes from one cut to the next; a run of tests/chaos/chaos.py cuts after each byte."""


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.value)
@pytest.mark.parametrize("name", byte_sweep.ACTS)
async def test_operation_cut_after_any_byte_happens_once(
    name: str, direction: Direction, copied_url: str
) -> None:
    """An operation whose connection is cut after k bytes, repeated with its key, happens once."""
    async with open_through_relay(copied_url) as relay:
        await byte_sweep.prepare()
        run = await byte_sweep.sweep(relay, name, direction, STEPS[name])
        await use_whole_pool()
    print(f"{name} {direction.value}: {run.cuts} cuts in {run.bytes} bytes, {run.longest:.1f} s")
    assert run.wrong == ()
    assert run.cuts > 3
