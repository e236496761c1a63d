"""What a driver's or the ORM's exception means for a unit of work.

The ORM translates only some of the drivers' errors: deadlocks, serialization failures and lost
connections arrive as they are, and what it does translate carries the driver's error as its
argument. PostgreSQL is judged by SQLSTATE ("PostgreSQL Error Codes", appendix A of its manual),
SQLite by result code ("Result and Error Codes" in its documentation).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import BaseORMException, IntegrityError

from ..domain.errors import StorageUnavailableError


class TransientError(StorageUnavailableError):
    """Nothing happened, and another attempt may well succeed."""


class ConnectionLostError(TransientError):
    """The database could not be reached, or the connection to it broke."""


DRIVER_ERRORS: tuple[type[Exception], ...] = (
    BaseORMException,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,  # TimeoutError is one
)
"""What the drivers and the ORM raise when a statement or a connection fails."""

FAILURES: tuple[type[Exception], ...] = (*DRIVER_ERRORS, ValueError)
"""With what aiosqlite raises after closing, which `meaning` tells from other ``ValueError``s."""

_LOST_STATES = ("08", "57P", "53")  # connection exceptions, shutdowns, out of connections
_CONFLICT_STATES = ("40", "55P03")  # serialization failures and deadlocks, lock not available
_UNIQUE_VIOLATION = "23505"
_NO_SCHEMA_STATES = ("42P01", "42703")  # undefined table, undefined column
_LOST_MESSAGES = ("no active connection", "Connection closed")


def meaning(error: Exception) -> StorageUnavailableError | None:
    """What the caller of an operation is told instead of this exception.

    Returns:
        The error to raise, a `TransientError` when another attempt may succeed, or None when the
        exception comes neither from a driver nor from the ORM.
    """
    if type(error) is ValueError and str(error) in _LOST_MESSAGES:
        return StorageUnavailableError("the database connection is closed")
    if not isinstance(error, DRIVER_ERRORS):
        return None
    cause = _driver_error(error)
    state = getattr(cause, "sqlstate", None) or ""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if state.startswith(_CONFLICT_STATES) or code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TransientError("the database stayed in conflict with other operations")
    if _is_unique_violation(cause, state):
        # Somebody else's row came first; the next attempt finds it.
        return TransientError("another operation with the same key did not end")
    if state.startswith(_LOST_STATES) or (
        isinstance(cause, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))
        and not isinstance(cause, asyncpg.DataError)
    ):
        return ConnectionLostError(f"the database could not be reached ({type(cause).__name__})")
    if state in _NO_SCHEMA_STATES or str(cause).startswith(("no such table", "no such column")):
        return StorageUnavailableError(
            f"the database lacks this version's tables ({cause}): run upgrade() first"
        )
    return StorageUnavailableError(f"the database refused a statement ({cause})")


@contextmanager
def translated() -> Iterator[None]:
    """Whatever a driver or the ORM raises in the block comes out as what it means."""
    try:
        yield
    except FAILURES as error:
        told = meaning(error)
        if told is None:
            raise
        raise told from error


def violates(error: IntegrityError, constraint: str, *columns: str) -> bool:
    """Whether a row was refused by this unique constraint.

    Args:
        error: What the ORM raised.
        constraint: The constraint's name in the migrations.
        columns: Its columns as ``table.column``, by which SQLite names it.
    """
    cause = _driver_error(error)
    name = getattr(cause, "constraint_name", None)
    # On a schema made by generate_schemas() the name is another; the detail tells the columns.
    detail = getattr(cause, "detail", None) or ""
    short = ", ".join(column.partition(".")[2] for column in columns)
    return name == constraint or f"Key ({short})=" in detail or ", ".join(columns) in str(cause)


def _driver_error(error: BaseException) -> BaseException:
    """The driver's own error inside the ORM's."""
    inner = error.args[0] if isinstance(error, BaseORMException) and error.args else None
    return inner if isinstance(inner, BaseException) else error


def _is_unique_violation(cause: BaseException, state: str) -> bool:
    return state == _UNIQUE_VIOLATION or (
        isinstance(cause, sqlite3.IntegrityError)
        and getattr(cause, "sqlite_errorcode", 0)
        in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    )
