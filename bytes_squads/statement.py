"""Statements for both dialects, and how each driver is asked.

A statement is written once, for PostgreSQL. For SQLite its placeholders ``$1`` become ``?1``, and
what SQLite neither has nor needs is taken out: casts (``::bigint``), the collation "C" (SQLite's
own) and row locks (``FOR UPDATE``; a SQLite transaction holds the lock of the whole database).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient

_POSTGRES_ONLY = re.compile(r"::[a-z]+|\s+COLLATE \"C\"")
_PLACEHOLDER = re.compile(r"\$(\d+)")
_SQLITE_PLACE = re.compile(r"\?(\d+)")
_ROW_LOCK = re.compile(r"\s+FOR UPDATE( OF \w+)?\b")


class Statement:
    """A statement in both dialects.

    Args:
        sql: The text for PostgreSQL.
        sqlite: Pieces of the text that read otherwise on SQLite.
    """

    def __init__(self, sql: str, sqlite: dict[str, str] | None = None) -> None:
        self.postgres = sql
        for piece, replacement in (sqlite or {}).items():
            sql = sql.replace(piece, replacement)
        self.sqlite = _PLACEHOLDER.sub(r"?\1", _ROW_LOCK.sub("", _POSTGRES_ONLY.sub("", sql)))

    async def rows(self, db: BaseDBAsyncClient, *values: Any) -> list[dict[str, Any]]:
        """Execute and return the rows.

        Args:
            db: The connection or transaction.
            values: What the placeholders stand for, in order.
        """
        if isinstance(db, SqliteClient):
            return await _on_sqlite(db, self.sqlite, values)
        return await _on_postgres(db, self.postgres, values)

    async def many(self, db: TransactionalDBClient, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once for each row of values, in as few round trips as the driver knows.

        Args:
            db: The transaction.
            rows: What the placeholders stand for, each time in order.
        """
        if isinstance(db, SqliteClient):
            await db.execute_many(self.sqlite, [[_sqlite_value(v) for v in row] for row in rows])
        else:
            await db.execute_many(self.postgres, [list(row) for row in rows])


class Pair:
    """A change and the ledger row that records it: both, or neither when the change finds no row.

    PostgreSQL takes them in one round trip, the change as a CTE of the record. SQLite has no CTEs
    that write, and executes one after the other.

    Args:
        change: An UPDATE.
        record: An INSERT … SELECT.
        before: CTEs that the change reads.
        sqlite: Pieces of ``before`` and ``change`` that read otherwise on SQLite.
    """

    def __init__(
        self, change: str, record: str, *, before: str = "", sqlite: dict[str, str] | None = None
    ) -> None:
        done = f"done AS ({change} RETURNING 1)"
        self.postgres = (
            f"WITH {f'{before}, {done}' if before else done}"
            f"{record} WHERE EXISTS (SELECT 1 FROM done) RETURNING id"
        )
        self._change = Statement(
            f"{f'WITH {before}' if before else ''} {change} RETURNING 1", sqlite
        )
        self._record = Statement(record)

    async def happens(self, db: BaseDBAsyncClient, *values: Any) -> bool:
        """Execute both. Returns whether the change found its rows.

        Args:
            db: The transaction; on PostgreSQL also a connection, as each statement is one.
            values: What the placeholders of both stand for, in order.
        """
        if not isinstance(db, SqliteClient):
            return bool(await _on_postgres(db, self.postgres, values))
        if not await _on_sqlite(db, self._change.sqlite, values):
            return False
        await _on_sqlite(db, self._record.sqlite, values)
        return True


async def _on_postgres(
    db: BaseDBAsyncClient, text: str, values: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """Execute on the connection that ``db`` is bound to, when nobody else does."""
    db.log.debug("%s: %s", text, values)
    async with cast("Any", db).acquire_connection() as connection:
        return cast("list[dict[str, Any]]", await connection.fetch(text, *values))


async def _on_sqlite(db: SqliteClient, text: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Execute with as many of the values as the text has a place for: SQLite takes no others."""
    places = max((int(place) for place in _SQLITE_PLACE.findall(text)), default=0)
    bound = [_sqlite_value(value) for value in values[:places]]
    rows: list[dict[str, Any]] = await db.execute_query_dict(text, bound)
    return rows


def _sqlite_value(value: Any) -> Any:
    """The value as the ORM stores it on SQLite, where it has no type of its own."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value


if sqlite3.sqlite_version_info < (3, 35):  # pragma: no cover  # RETURNING came with it
    raise ImportError(f"bytes_squads needs SQLite 3.35 or newer, not {sqlite3.sqlite_version}")
