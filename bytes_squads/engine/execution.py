"""Execute statements on a driver's connection, in both dialects.

A SQLite connection is a thread. All parts of a statement are executed in one call on it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

import aiosqlite
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.log import db_client_logger as log

from ..sql.statement import PostingStatement, Statement
from ._tortoise import run_on_thread

SQLITE_BEGIN = "BEGIN IMMEDIATE"
"""Begin with the write lock. A SQLite transaction that reads before it writes fails immediately,
without waiting, if another process writes in between."""

AnyStatement = Statement | PostingStatement
Rows = list[Mapping[str, Any]]


async def execute(connection: Any, statement: AnyStatement, *parameters: Any) -> Rows:
    """Execute a statement in the connection's current transaction.

    Args:
        connection: A driver's connection.
        statement: The statement.
        parameters: The values of $1, $2, …; lists are the columns of a batch, equally long.

    Returns:
        The rows; of a `PostingStatement` one row, its verdict.
    """
    return await _execute(connection, statement, parameters, _run_on_sqlite)


async def execute_autocommit(connection: Any, statement: AnyStatement, *parameters: Any) -> Rows:
    """Execute a statement in autocommit mode, in one round trip; see `execute`."""
    return await _execute(connection, statement, parameters, _run_as_transaction)


async def execute_on(db: BaseDBAsyncClient, statement: AnyStatement, *parameters: Any) -> Rows:
    """Execute a statement on an ORM client's connection once no other task uses it."""
    async with cast("Any", db).acquire_connection() as connection:
        return await execute(connection, statement, *parameters)


async def execute_split_on(
    db: BaseDBAsyncClient, statement: AnyStatement, *parameters: Any
) -> Rows:
    """Execute a statement on a distributed PostgreSQL as several statements.

    Args:
        db: The transaction.
        statement: A statement that has ``distributed`` steps.
        parameters: Its parameters.
    """
    assert statement.distributed is not None
    log.debug("%s: %s", statement.postgres, parameters)
    async with cast("Any", db).acquire_connection() as connection:
        return list(await statement.distributed(connection.fetch, *parameters))


async def execute_many(
    db: BaseDBAsyncClient, statement: Statement, rows: Iterable[Sequence[Any]]
) -> None:
    """Execute a statement once for each row of parameters, in few round trips.

    Args:
        db: The transaction.
        statement: The statement.
        rows: The parameters of each execution.
    """
    if db.capabilities.dialect == "sqlite":
        values = [cast("Any", bind_sqlite(row)) for row in rows]
        await db.execute_many(statement.sqlite[0], values)
    else:
        await db.execute_many(statement.postgres, [list(row) for row in rows])


Runner = Callable[[sqlite3.Connection, AnyStatement, dict[str, Any]], Rows]


async def _execute(
    connection: Any, statement: AnyStatement, parameters: tuple[Any, ...], on_sqlite: Runner
) -> Rows:
    log.debug("%s: %s", statement.postgres, parameters)
    if isinstance(connection, aiosqlite.Connection):
        return await run_on_thread(connection, on_sqlite, statement, bind_sqlite(parameters))
    return cast("Rows", await connection.fetch(statement.postgres, *parameters))


def _run_as_transaction(
    connection: sqlite3.Connection, statement: AnyStatement, parameters: dict[str, Any]
) -> Rows:
    if isinstance(statement, Statement) and len(statement.sqlite) == 1:
        return _run_on_sqlite(connection, statement, parameters)
    connection.execute(SQLITE_BEGIN)
    try:
        rows = _run_on_sqlite(connection, statement, parameters)
        connection.execute("COMMIT")
        return rows
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _run_on_sqlite(
    connection: sqlite3.Connection, statement: AnyStatement, parameters: dict[str, Any]
) -> Rows:
    if isinstance(statement, Statement):
        return [
            dict(row)
            for text in statement.sqlite
            for row in connection.execute(text, parameters).fetchall()
        ]
    verdict = dict(connection.execute(statement.sqlite_verdict, parameters).fetchall()[0])
    if verdict["outcome"] == "done":
        parameters |= {name: verdict[name] for name in PostingStatement.COMPUTED}
        for text in statement.sqlite_writes:
            for row in connection.execute(text, parameters).fetchall():
                verdict |= dict(row)
    return [verdict]


def bind_sqlite(parameters: Sequence[Any]) -> dict[str, Any]:
    """Return the parameters by name, in the form that SQLite stores.

    SQLite has no arrays: the first list becomes a JSON array of the batch's rows.
    """
    columns = [value for value in parameters if isinstance(value, list)]
    return {
        f"p{position}": (
            _batch_as_json(columns) if columns and value is columns[0] else _sqlite_value(value)
        )
        for position, value in enumerate(parameters, 1)
    }


def _sqlite_value(value: Any) -> Any:
    """Return a value in the form in which the ORM stores it on SQLite."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return None if isinstance(value, list) else value


def _batch_as_json(columns: list[list[Any]]) -> str:
    return json.dumps(list(zip(*columns, strict=True)), separators=(",", ":"), default=str)


if sqlite3.sqlite_version_info < (3, 35):  # pragma: no cover  # the first with RETURNING
    raise ImportError(f"bytes_squads needs SQLite 3.35 or newer, not {sqlite3.sqlite_version}")
