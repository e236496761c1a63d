"""Translation of exceptions of the drivers and the ORM."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from bytes_squads import InvalidTextError, StorageError, StorageUnavailableError
from bytes_squads.engine.driver_errors import ConnectionLostError, TransientError, translate


def of_sqlite(kind: type[sqlite3.Error], code: int, text: str = "told by SQLite") -> sqlite3.Error:
    error = kind(text)
    error.sqlite_errorcode = code
    return error


def of_postgres(state: str) -> asyncpg.PostgresError:
    return asyncpg.PostgresError.new({"C": state, "M": "told by PostgreSQL", "S": "ERROR"})


def _internal(text: str) -> asyncpg.PostgresError:
    return asyncpg.PostgresError.new({"C": "XX000", "M": text, "S": "ERROR"})


CONFLICTS = {
    "deadlock": of_postgres("40P01"),
    "serialization failure": of_postgres("40001"),
    "lock timeout": of_postgres("55P03"),
    "busy file": OperationalError(of_sqlite(sqlite3.OperationalError, sqlite3.SQLITE_BUSY)),
    "busy file, its snapshot too old": of_sqlite(
        sqlite3.OperationalError, sqlite3.SQLITE_BUSY_SNAPSHOT
    ),
    "locked table": of_sqlite(sqlite3.OperationalError, sqlite3.SQLITE_LOCKED),
    "two with one key, PostgreSQL": IntegrityError(of_postgres("23505")),
    "two with one key, SQLite": IntegrityError(
        of_sqlite(sqlite3.IntegrityError, sqlite3.SQLITE_CONSTRAINT_UNIQUE)
    ),
}

LOST = {
    "connection closed": asyncpg.ConnectionDoesNotExistError("closed"),
    "backend terminated": of_postgres("57P01"),
    "server is starting": of_postgres("57P03"),
    "too many connections": of_postgres("53300"),
    "broken protocol": asyncpg.InternalClientError("unexpected"),
    "refused": ConnectionRefusedError(),
    "not answered": TimeoutError(),
}

REFUSED = {
    "no such table, PostgreSQL": (of_postgres("42P01"), r"run upgrade\(\)"),
    "no such table, SQLite": (
        OperationalError(of_sqlite(sqlite3.OperationalError, 1, "no such table: squads")),
        r"run upgrade\(\)",
    ),
    "a disk that is full": (
        of_sqlite(sqlite3.OperationalError, sqlite3.SQLITE_FULL),
        "rejected a statement",
    ),
    "a value that the driver cannot encode": (
        asyncpg.DataError("too long"),
        "rejected a statement",
    ),
    "aiosqlite after closing": (ValueError("no active connection"), "is closed"),
}

NOT_OURS_TO_TRANSLATE = [RuntimeError("a bug"), ValueError("a bug"), InvalidTextError("name")]


@pytest.mark.parametrize("name", CONFLICTS)
def test_translate_conflict_may_be_retried(name: str) -> None:
    """A conflict is a TransientError."""
    translated = translate(CONFLICTS[name])
    assert isinstance(translated, TransientError)
    assert not isinstance(translated, ConnectionLostError)


@pytest.mark.parametrize("name", LOST)
def test_translate_lost_connection_may_be_retried(name: str) -> None:
    """A lost connection is a ConnectionLostError."""
    assert type(translate(LOST[name])) is ConnectionLostError


@pytest.mark.parametrize("name", REFUSED)
def test_translate_lasting_failure_is_not_retried(name: str) -> None:
    """A failure that a retry would repeat is a StorageUnavailableError."""
    error, message = REFUSED[name]
    found = translate(error)
    assert type(found) is StorageUnavailableError
    with pytest.raises(StorageUnavailableError, match=message):
        raise found


@pytest.mark.parametrize(
    "error",
    [
        of_postgres("23514"),
        of_postgres("23503"),
        of_postgres("22003"),
        of_sqlite(sqlite3.IntegrityError, sqlite3.SQLITE_CONSTRAINT_CHECK),
        of_sqlite(sqlite3.IntegrityError, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY),
    ],
    ids=["check", "foreign key", "range", "check of SQLite", "foreign key of SQLite"],
)
def test_translate_refused_change_is_a_storage_error(error: Exception) -> None:
    """An unexpected violation of a constraint is a StorageError."""
    translated = translate(error)
    assert type(translated) is StorageError
    assert "nothing was changed" in str(translated)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (of_postgres("25006"), False),
        (asyncpg.InvalidCachedStatementError("cached statement plan is invalid"), True),
        (of_postgres("58030"), True),
        (_internal("server closed the connection unexpectedly"), True),
        (_internal("could not commit transaction for shard 1 on at least one active node"), True),
        (_internal("cache lookup failed"), False),
    ],
    ids=[
        "read-only",
        "cached plan",
        "a node's I/O error",
        "a lost node",
        "a lost COMMIT",
        "internal",
    ],
)
def test_translate_marks_errors_that_another_attempt_may_avoid(
    error: Exception, transient: bool
) -> None:
    """An invalid plan and a lost node are transient; a read-only server is not."""
    assert transient == isinstance(translate(error), TransientError)


@pytest.mark.parametrize("error", NOT_OURS_TO_TRANSLATE, ids=repr)
def test_translate_returns_none_for_other_errors(error: Exception) -> None:
    """Other exceptions are not translated."""
    assert translate(error) is None
