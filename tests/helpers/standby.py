"""A PostgreSQL server and its streaming standby, on the same machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg

import bytes_squads

from .postgres import PostgresServer, run_in_thread
from .postgres_process import PostgresProcess, start_private_server, start_standby

STARTED = 20.0
"""Seconds after which a standby follows its primary."""


@contextmanager
def start_pair(*, synchronous: bool) -> Iterator[tuple[PostgresProcess, PostgresProcess]]:
    """Start a migrated primary and a standby that follows it.

    Args:
        synchronous: Whether each COMMIT waits for the standby.
    """
    with start_private_server() as primary:
        # Tests kill processes, not machines: the operating system keeps what they have written.
        PostgresServer(primary.url).execute(
            "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"
        )
        run_in_thread(bytes_squads.upgrade(primary.url))
        with start_standby(primary) as standby:
            run_in_thread(_wait_for_standby(primary.url, synchronous=synchronous))
            yield primary, standby


async def _wait_for_standby(url: str, *, synchronous: bool) -> None:
    connection = await asyncpg.connect(url)
    if synchronous:
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await connection.execute("SELECT pg_reload_conf()")
    state = "sync" if synchronous else "async"
    async with asyncio.timeout(STARTED):
        while not await connection.fetchval(  # noqa: ASYNC110  # another process
            "SELECT count(*) FROM pg_stat_replication"
            " WHERE sync_state = $1 AND state = 'streaming'",
            state,
        ):
            await asyncio.sleep(0.05)
    await connection.close()


def url_of_both(first: str, second: str, options: str = "") -> str:
    """Return the URL of a database on two servers, each on a Unix socket.

    Args:
        first: The URL of the server that is tried first.
        second: The URL of the other one.
        options: More options of the URL, as ``&maxsize=4``.
    """
    folder = parse_qs(urlsplit(second).query)["host"][0]
    return f"{first},{folder}{options}"
