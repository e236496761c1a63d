"""Distribution of the tables on connections that fail."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from bytes_squads.engine.distribution import Progress, distribute_missing


class LostConnection:
    """A connection that is lost when the work on it is cancelled."""

    async def execute(self, statement: str, *_: object, **__: object) -> None:
        """Fail: the work is cancelled, and then there is no connection to roll back on."""
        if statement == "ROLLBACK":
            raise asyncpg.InterfaceError("connection is closed")
        raise asyncio.CancelledError


async def test_distribute_is_cancelled_although_it_cannot_roll_back() -> None:
    """The cancel reaches the caller, not the error of the lost connection."""
    with pytest.raises(asyncio.CancelledError):
        await distribute_missing(LostConnection(), None, Progress(None))
