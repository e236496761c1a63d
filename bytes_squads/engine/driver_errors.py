"""Translate exceptions of the drivers and the ORM.

The ORM wraps only some of the drivers' errors, with the driver's error as argument. Deadlocks,
serialization failures and lost connections are not wrapped. PostgreSQL errors are classified by
SQLSTATE ("PostgreSQL Error Codes", appendix A of its manual), SQLite's by result code ("Result and
Error Codes" in its documentation).
"""

from __future__ import annotations

import sqlite3

import asyncpg
from tortoise.exceptions import BaseORMException

from ..domain.errors import StorageError, StorageUnavailableError


class TransientError(StorageUnavailableError):
    """Nothing happened; a retry may succeed."""


class ConnectionLostError(TransientError):
    """The database could not be reached, or the connection broke."""


class ReadOnlyServerError(StorageUnavailableError):
    """The server refuses writes: a standby, or one that was set to read-only."""


class UnsupportedStatementError(StorageUnavailableError):
    """The server does not support a statement; on a distributed database, in this form."""


class UniqueConflictError(TransientError):
    """A row with the same key exists; a retry reads it."""

    def is_about(self, constraint: str, *columns: str) -> bool:
        """Return whether this unique constraint was violated.

        Args:
            constraint: The constraint's name in the migrations.
            columns: Its columns as ``table.column``, the form of SQLite's message.
        """
        cause = self.__cause__
        # With generate_schemas() and on a distributed database the name differs or is missing;
        # the detail names the columns.
        detail = getattr(cause, "detail", None) or ""
        short = ", ".join(column.partition(".")[2] for column in columns)
        return (
            getattr(cause, "constraint_name", None) == constraint
            or f"Key ({short})=" in detail
            or ", ".join(columns) in str(cause)
        )


class NoServerError(ConnectionError):
    """None of the servers could be used. The message names each and the reason."""


class UnconfirmedCommitError(asyncpg.InterfaceError):  # type: ignore[misc]  # is untyped
    """The server committed, but stopped waiting for the standby."""


DRIVER_ERRORS: tuple[type[Exception], ...] = (
    BaseORMException,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,  # TimeoutError is one
)
"""Exceptions of the drivers and the ORM when a statement or a connection fails."""

RAISED_BY_DRIVERS: tuple[type[Exception], ...] = (*DRIVER_ERRORS, ValueError)
"""`DRIVER_ERRORS`, and aiosqlite's ValueError after closing, which `translate` recognises."""

# Connection exceptions, shutdowns, out of connections, I/O errors of a node.
_CONNECTION_SQLSTATES = ("08", "57P", "53", "58030")
_CONFLICT_SQLSTATES = ("40", "55P03")  # serialization failures and deadlocks, lock not available
_CONSTRAINT_SQLSTATES = ("23", "22003")  # integrity constraints, number out of range
_UNIQUE_VIOLATION = "23505"
_NO_SCHEMA_SQLSTATES = ("42P01", "42703")  # undefined table, undefined column
_READ_ONLY = "25006"
_NOT_SUPPORTED = "0A000"
_FAILED_TRANSACTION = "25P02"
_INTERNAL_ERROR = "XX000"
_LOST_WORKER = ("connection", "could not commit transaction")  # messages of Citus
_CLOSED_MESSAGES = ("no active connection", "Connection closed")
_UNIQUE_CODES = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def translate(error: Exception) -> StorageError | None:
    """Return the error that a caller gets instead of this exception.

    Returns:
        The error to raise, a `TransientError` if a retry may succeed, or None if the exception
        comes neither from a driver nor from the ORM.
    """
    if type(error) is ValueError and str(error) in _CLOSED_MESSAGES:
        return StorageUnavailableError("the database connection is closed")
    if not isinstance(error, DRIVER_ERRORS):
        return None
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause)
    return translate_postgres(cause)


def _translate_sqlite(cause: sqlite3.Error) -> StorageError:
    extended = getattr(cause, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TransientError("the database stayed in conflict with other operations")
    if extended in _UNIQUE_CODES:
        return UniqueConflictError("another operation with the same key is still in progress")
    if code == sqlite3.SQLITE_READONLY:
        return StorageUnavailableError(f"the database is read-only ({cause})")
    if isinstance(cause, sqlite3.IntegrityError):
        return StorageError(f"the database rejected the change ({cause}): nothing was changed")
    if str(cause).startswith(("no such table", "no such column")):
        return _missing_schema(cause)
    return StorageUnavailableError(f"the database rejected a statement ({cause})")


def translate_postgres(cause: BaseException) -> StorageError:
    """Return the error of ours for one of asyncpg, by its SQLSTATE."""
    state = getattr(cause, "sqlstate", None) or ""
    if state.startswith(_CONFLICT_SQLSTATES):
        return TransientError("the database stayed in conflict with other operations")
    if state == _UNIQUE_VIOLATION:
        return UniqueConflictError("another operation with the same key is still in progress")
    if isinstance(cause, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return TransientError("the tables were altered")
    if (
        state.startswith(_CONNECTION_SQLSTATES)
        or (state == _INTERNAL_ERROR and any(text in str(cause) for text in _LOST_WORKER))
        or (
            isinstance(cause, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))
            and not isinstance(cause, asyncpg.DataError)
        )
    ):
        reason = str(cause) if isinstance(cause, NoServerError) else type(cause).__name__
        return ConnectionLostError(f"the database could not be reached ({reason})")
    if state == _FAILED_TRANSACTION:
        return StorageUnavailableError(
            "a statement of the transaction had failed: it was rolled back as a whole"
        )
    if state == _READ_ONLY:
        return ReadOnlyServerError("the server is read-only: it is a standby or set to read-only")
    if state.startswith(_CONSTRAINT_SQLSTATES):
        return StorageError(f"the database rejected the change ({cause}): nothing was changed")
    if state in _NO_SCHEMA_SQLSTATES:
        return _missing_schema(cause)
    rejected = UnsupportedStatementError if state == _NOT_SUPPORTED else StorageUnavailableError
    return rejected(f"the database rejected a statement ({cause})")


def _missing_schema(cause: BaseException) -> StorageError:
    return StorageUnavailableError(
        f"the database lacks this version's tables ({cause}): run upgrade() first"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class translate_driver_errors:  # noqa: N801  # used as a function
    """Translate exceptions of a driver or the ORM in the block.

    A class, because every operation enters two: a generator takes three times as long.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if isinstance(error, RAISED_BY_DRIVERS) and (translated := translate(error)) is not None:
            raise translated from _driver_error(error)


def _driver_error(error: BaseException) -> BaseException:
    """Return the driver's error inside the ORM's."""
    inner = error.args[0] if isinstance(error, BaseORMException) and error.args else None
    return inner if isinstance(inner, BaseException) else error
