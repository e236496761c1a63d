"""The two databases that tests run on."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tortoise.models import Model

import bytes_squads
from bytes_squads import BytesBalance, BytesConfig, BytesTransaction, Squad, SquadMembership

LONG = 15.0
"""Seconds after which something hangs; what is waited for takes a fraction of one."""

MODELS = (BytesBalance, BytesTransaction, BytesConfig, Squad, SquadMembership)


def primary_key(model: type[Model]) -> str:
    """Return the name of the field that identifies a row of one of `MODELS`."""
    return "guild_id" if model is BytesConfig else "id"


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
