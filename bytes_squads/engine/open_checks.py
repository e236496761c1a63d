"""Check that a database can be used: same event loop, same file, and how a file is opened."""

from __future__ import annotations

import asyncio
import os
import weakref
from pathlib import Path
from typing import Any

from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import get_current_context

from ..domain.errors import StorageUnavailableError
from ._tortoise import event_loop_of, list_clients, sqlite_connection

FileId = tuple[int, int]

_opened_files: weakref.WeakKeyDictionary[Any, FileId] = weakref.WeakKeyDictionary()


def require_own_event_loop() -> None:
    """Check that the open database was opened in the running event loop.

    Otherwise Tortoise would replace the other event loop's connection with a new one, which for
    SQLite in memory is an empty database.

    Raises:
        StorageUnavailableError: The database belongs to another event loop.
    """
    running = asyncio.get_running_loop()
    for client in list_clients(get_current_context()):
        if event_loop_of(client) not in {None, running}:
            raise StorageUnavailableError(
                "the database was opened in another event loop: use it there, or close() it there "
                "and call init() in this one"
            )


def require_same_file(client: SqliteClient) -> None:
    """Check that the open SQLite connection writes to the file that its path names.

    SQLite keeps writing to a file that was deleted or replaced, and those writes are lost. The cost
    is one ``os.stat``. A deletion between this check and COMMIT is not detected.

    Args:
        client: An open SQLite client; the first call for a connection stores its file.

    Raises:
        StorageUnavailableError: The file was deleted or replaced.
    """
    path = client.filename
    if path in {"", ":memory:"} or path.startswith("file:"):
        return
    try:
        status = os.stat(path)  # noqa: PTH116  # Path would double the cost
    except OSError:
        found = None
    else:
        found = (status.st_dev, status.st_ino)
    opened = found and _opened_files.setdefault(sqlite_connection(client), found)
    if found is None or found != opened:
        raise StorageUnavailableError(
            f"the SQLite database {path} was deleted or replaced while it was open: "
            "call close(), then init() again"
        )


_WAL_FORMAT = b"\2\2"
"""Bytes 18 and 19 of a SQLite file that has a write-ahead log ("Database File Format")."""


def read_only_uri(path: str) -> str | None:
    """Return the URI that opens a SQLite file which this process may only read, or None.

    SQLite creates two files beside one with a write-ahead log, unless the URI says that the file is
    immutable.

    Raises:
        StorageUnavailableError: The file's write-ahead log has changes that cannot be read here.
    """
    file = Path(path)
    if path in {"", ":memory:"} or path.startswith("file:") or not file.is_file():
        return None
    log, index, journal = (Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "-journal"))
    may_create = os.access(file.parent, os.W_OK)
    if os.access(file, os.W_OK) and (may_create or log.exists()):
        return None
    uri = f"{file.resolve().as_uri()}?mode=ro"
    if may_create or index.exists() or journal.exists():
        return uri
    with file.open("rb") as opened:
        if opened.read(20)[18:] != _WAL_FORMAT:
            return uri
    if log.exists() and log.stat().st_size:
        raise StorageUnavailableError(
            f"{log} has changes that cannot be read in a folder that is read-only: copy it and "
            f"{path} to another folder"
        )
    return f"{uri}&immutable=1"
