"""Check that an open database can still be used: same event loop, same file."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import Any

from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import get_current_context

from ..domain.errors import StorageUnavailableError
from ._tortoise import event_loop_of, open_clients, sqlite_connection

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
    for client in open_clients(get_current_context()):
        if event_loop_of(client) not in {None, running}:
            raise StorageUnavailableError(
                "the database was opened in another event loop: use it there, or close() it there "
                "and call init() in this one"
            )


def require_database_file(client: SqliteClient) -> None:
    """Check that the open SQLite connection writes to the file that its path names.

    SQLite keeps writing to a file that was deleted or replaced, and those writes are lost. The cost
    is one ``os.stat``. A deletion between this check and COMMIT is not detected.

    Args:
        client: An open SQLite client; the first call for a connection remembers its file.

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
