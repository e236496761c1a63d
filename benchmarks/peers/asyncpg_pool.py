"""asyncpg's pool, as it comes and without its reset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ..settings import POOL_SIZE


async def _leave(connection: Any) -> None:
    """Give a connection back as it is."""


@asynccontextmanager
async def pools(
    url: str, *, plan_once: bool = False
) -> AsyncIterator[tuple[asyncpg.Pool, asyncpg.Pool]]:
    """Two pools.

    The first is as asyncpg makes it: it resets a connection each time it is given back, which is
    a round trip more. The second leaves that out, which is safe with statements that change no
    setting of the session.

    Args:
        url: The database.
        plan_once: Whether a statement keeps its plan, whatever its values. Left to itself,
            PostgreSQL plans a statement with many cases anew each time, which costs more than it
            gains when rows are looked up by their keys.
    """
    options = {
        "min_size": 0,
        "max_size": POOL_SIZE,
        "server_settings": {"plan_cache_mode": "force_generic_plan"} if plan_once else {},
    }
    async with (
        asyncpg.create_pool(url, **options) as plain,
        asyncpg.create_pool(url, **options, reset=_leave) as bare,
    ):
        yield plain, bare
