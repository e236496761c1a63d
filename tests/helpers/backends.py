"""The two databases that tests run on."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg

import bytes_squads
from bytes_squads import BytesBalance, BytesConfig, BytesTransaction, Squad, SquadMembership

LONG = 15.0
"""Seconds after which something hangs; what is waited for takes a fraction of one."""

MODELS = (BytesBalance, BytesTransaction, BytesConfig, Squad, SquadMembership)


@dataclass(frozen=True)
class Database:
    """The database that a test runs on.

    Attributes:
        backend: ``sqlite`` or ``postgres``.
        url: As `bytes_squads.init` takes it.
    """

    backend: str
    url: str

    @property
    def is_postgres(self) -> bool:
        """Return whether it is PostgreSQL."""
        return self.backend == "postgres"


async def empty_tables(url: str) -> None:
    """Delete every row of the package's tables in a PostgreSQL database, as a superuser.

    The role of a replica leaves out triggers, which protect the ledger. For small tables this is
    several times faster than TRUNCATE, which makes new files.
    """
    connection = await asyncpg.connect(url)
    try:
        deletes = "; ".join(f"DELETE FROM {model._meta.db_table}" for model in MODELS)
        # On Citus, without a new connection for each shard.
        settings = (
            "session_replication_role = replica; SET citus.max_adaptive_executor_pool_size = 1"
        )
        await connection.execute(f"SET {settings}; {deletes}")
    finally:
        await connection.close()


def copy_sqlite(template: sqlite3.Connection, path: Path) -> None:
    """Copy an open SQLite database to a new file."""
    with closing(sqlite3.connect(path)) as copy:
        template.backup(copy)


async def delete_all_rows() -> None:
    """Delete every row of the package's tables in the open database."""
    for model in (SquadMembership, Squad, BytesTransaction, BytesBalance, BytesConfig):
        await model.all().delete()


async def close_and_join_threads() -> None:
    """Close a database that a test left open."""
    await bytes_squads.close()
    # After a failed opening aiosqlite's thread still answers to this loop, which is about to end.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, LONG)
