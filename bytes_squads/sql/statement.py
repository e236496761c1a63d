"""Statements for both dialects, and how each driver is asked.

A statement is written once, for PostgreSQL. For SQLite its placeholders ``$1`` become ``?1``, and
what SQLite neither has nor needs is taken out: casts (``::bigint``), the collation "C" (SQLite's
own) and row locks (``FOR UPDATE``; a SQLite transaction holds the lock of the whole database).
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

import aiosqlite
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.log import db_client_logger as log

_POSTGRES_ONLY = re.compile(r"::[a-z]+|\s+COLLATE \"C\"")
_PLACEHOLDER = re.compile(r"\$(\d+)")
_SQLITE_PLACE = re.compile(r"\?(\d+)")
_ROW_LOCK = re.compile(r"\s+FOR UPDATE( OF \w+)?\b")

_NOTHING_RECORDED = "INSERT 0 0"

BEGIN_ON_SQLITE = "BEGIN IMMEDIATE"
"""How a transaction begins on SQLite: with the write lock. One that reads before it writes would
otherwise fail at once when another process writes in between, without waiting for its turn."""


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
        places = _SQLITE_PLACE.findall(self.sqlite)
        self._places = max(map(int, places), default=0)

    async def rows(self, db: BaseDBAsyncClient, *values: Any) -> list[Any]:
        """Execute on the connection that ``db`` is bound to, when nobody else does.

        Args:
            db: The connection or transaction.
            values: What the placeholders stand for, in order.

        Returns:
            The rows, each a mapping.
        """
        async with cast("Any", db).acquire_connection() as connection:
            return await self.ask(connection, *values)

    async def ask(self, connection: Any, *values: Any) -> list[Any]:
        """Execute on a driver's own connection; otherwise as `rows`."""
        if isinstance(connection, aiosqlite.Connection):
            log.debug("%s: %s", self.sqlite, values)
            found = await connection.execute_fetchall(self.sqlite, self.bound(values))
            return [dict(row) for row in found]
        log.debug("%s: %s", self.postgres, values)
        return cast("list[Any]", await connection.fetch(self.postgres, *values))

    def bound(self, values: tuple[Any, ...]) -> list[Any]:
        """As many of the values as the text has a place for, as SQLite stores them.

        Lists are the columns of a batch, equally long. SQLite knows no arrays: in the place of the
        first it gets the rows, as JSON.
        """
        return [
            _rows_from(values, place) if isinstance(value, list) else _sqlite_value(value)
            for place, value in enumerate(values[: self._places])
        ]

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
    that write: there one follows the other, in one visit to the connection's thread.

    Args:
        change: An UPDATE.
        record: An INSERT … SELECT.
        before: CTEs that the change reads.
        sqlite: Pieces of these that read otherwise on SQLite.
    """

    def __init__(
        self, change: str, record: str, *, before: str = "", sqlite: dict[str, str] | None = None
    ) -> None:
        done = f"done AS ({change} RETURNING 1)"
        self.postgres = (
            f"WITH {f'{before}, {done}' if before else done}"
            f"{record} WHERE EXISTS (SELECT 1 FROM done)"
        )
        self._change = Statement(
            f"{f'WITH {before}' if before else ''} {change} RETURNING 1", sqlite
        )
        self._record = Statement(record, sqlite)

    async def happens(self, db: BaseDBAsyncClient, *values: Any) -> bool:
        """Execute both as a part of a transaction. Returns whether the change found its rows.

        Args:
            db: The transaction.
            values: What the placeholders of both stand for, in order.
        """
        async with cast("Any", db).acquire_connection() as connection:
            return await self._execute(connection, self._both, values)

    async def happens_alone(self, connection: Any, *values: Any) -> bool:
        """Execute both as a transaction of their own, on a driver's connection that is in none.

        The rest is as in `happens`.
        """
        return await self._execute(connection, self._transaction, values)

    async def _execute(self, connection: Any, on_sqlite: Any, values: tuple[Any, ...]) -> bool:
        log.debug("%s: %s", self.postgres, values)
        if isinstance(connection, aiosqlite.Connection):
            visit = cast("Any", connection)._execute(on_sqlite, connection._conn, values)
            return bool(await visit)
        # The server's tag tells how many rows were recorded; they need not come back themselves.
        return bool(await connection.execute(self.postgres, *values) != _NOTHING_RECORDED)

    def _transaction(self, connection: sqlite3.Connection, values: tuple[Any, ...]) -> bool:
        connection.execute(BEGIN_ON_SQLITE)
        try:
            happened = self._both(connection, values)
            connection.execute("COMMIT")
            return happened
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _both(self, connection: sqlite3.Connection, values: tuple[Any, ...]) -> bool:
        change, record = self._change, self._record
        if not connection.execute(change.sqlite, change.bound(values)).fetchall():
            return False
        connection.execute(record.sqlite, record.bound(values))
        return True


def _sqlite_value(value: Any) -> Any:
    """The value as the ORM stores it on SQLite, where it has no type of its own."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value


def _rows_from(values: tuple[Any, ...], place: int) -> str | None:
    """The batch whose first column is at this place; None at the place of another column."""
    columns = [value for value in values if isinstance(value, list)]
    if values[place] is not columns[0]:
        return None
    return json.dumps(list(zip(*columns, strict=True)), separators=(",", ":"))


if sqlite3.sqlite_version_info < (3, 35):  # pragma: no cover  # RETURNING came with it
    raise ImportError(f"bytes_squads needs SQLite 3.35 or newer, not {sqlite3.sqlite_version}")
