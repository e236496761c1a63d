"""Run Aerich: apply the migrations of a folder to a database."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from aerich import Command
from aerich.migrate import Migrate
from aerich.models import Aerich
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError

from ..domain.errors import StorageUnavailableError
from ._tortoise import save_aerich_state
from .driver_errors import DRIVER_ERRORS, first_line
from .tasks import run_shielded, run_to_completion
from .urls import connection_config, describe_database

T = TypeVar("T")

OPEN_ERRORS: tuple[type[Exception], ...] = (*DRIVER_ERRORS, StorageUnavailableError, ValueError)
"""Exceptions of the drivers, the ORM and this package when a database cannot be opened."""

# Aerich keeps state in a class, so upgrades run one at a time in each event loop.
_upgrade_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    weakref.WeakKeyDictionary()
)


async def apply_migrations(
    database: BaseDBAsyncClient | dict[str, Any], *, app: str, folder: Path
) -> list[str]:
    """Apply the pending migrations.

    A cancelled call finishes first, because Aerich's transactions are not safe to cancel.

    Args:
        database: An open client, or the connection config of a database to open.
        app: The app label, also the name of the subfolder of ``folder``.
        folder: The migrations' folder.

    Returns:
        The versions applied, oldest first.

    Raises:
        StorageUnavailableError: The database cannot be reached, or a migration failed.
    """
    work = partial(
        _run_with_command, database, app, folder, "migrate", lambda command, _: _upgrade(command)
    )
    async with _lock():
        # close() waits for the task if it uses the open database.
        return await run_to_completion(work() if isinstance(database, dict) else run_shielded(work))


async def run_with_pending(
    database: BaseDBAsyncClient | dict[str, Any],
    work: Callable[[BaseDBAsyncClient, list[str]], Awaitable[T]],
    *,
    purpose: str,
    app: str,
    folder: Path,
) -> T:
    """Run work that depends on the pending migrations. If it is cancelled, so is the work.

    Args:
        database: An open client, or the connection config of a database to open.
        work: Takes the database's client and the pending versions.
        purpose: A verb for messages: what cannot be done if it fails.
        app: The app label, also the name of the subfolder of ``folder``.
        folder: The migrations' folder.

    Raises:
        StorageUnavailableError: The database cannot be reached, or the work failed.
    """

    async def run_work(_: Command, client: BaseDBAsyncClient) -> T:
        applied = await _applied_versions(app)
        versions = Migrate.get_all_version_files()
        return await work(client, [version for version in versions if version not in applied])

    async with _lock():
        # In a separate task, because Aerich uses a separate Tortoise context.
        return await asyncio.create_task(
            _run_with_command(database, app, folder, purpose, run_work)
        )


def _lock() -> asyncio.Lock:
    return _upgrade_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


async def _run_with_command(
    database: BaseDBAsyncClient | dict[str, Any],
    app: str,
    folder: Path,
    purpose: str,
    work: Callable[[Command, BaseDBAsyncClient], Awaitable[T]],
) -> T:
    """Run work with Aerich's command on a database, in this task's own Tortoise context."""
    client = None if isinstance(database, dict) else database
    # An open client's config is not used.
    connection = database if isinstance(database, dict) else connection_config("sqlite://:memory:")
    # The ORM caches INSERT statements by connection name, so each dialect needs its own name.
    name = client.connection_name if client else f"bytes_squads_{connection['engine']}"
    # Only Aerich's model: the others keep the application's app and connection.
    config = {
        "connections": {name: connection},
        "apps": {app: {"models": ["aerich.models"], "default_connection": name}},
    }
    restore_aerich_state = save_aerich_state()
    context = TortoiseContext()
    try:
        with context:
            if client is not None:  # before init, which keeps existing connections
                context.connections.set(name, client)
            else:
                require_folder(connection)
            await context.init(config=config)
            opened = context.connections.get(name)
            # If connecting failed inside Aerich's transaction, SQLite's lock would stay locked.
            await opened.execute_query("SELECT 1")
            command = Command(config, app=app, location=str(folder))
            await command.init()
            return await work(command, opened)
    except OPEN_ERRORS as error:
        where = "the open database" if client else describe_database(connection)
        raise StorageUnavailableError(f"cannot {purpose} {where}: {first_line(error)}") from error
    finally:
        restore_aerich_state()
        if client is None:
            await run_to_completion(context.close_connections())


async def _upgrade(command: Command) -> list[str]:
    versions: list[str] | None = None
    while True:
        try:
            return await command.upgrade()
        except DRIVER_ERRORS:  # pragma: no cover  # needs a race between processes
            # Another process may have applied this migration: continue with the next one.
            before, versions = versions, await _applied_versions(command.app)
            if versions == before:
                raise


async def _applied_versions(app: str) -> list[str]:
    """Return the applied versions from Aerich's table."""
    try:
        return [str(row.version) for row in await Aerich.filter(app=app)]
    except OperationalError:  # no such table yet
        return []


def require_folder(connection: dict[str, Any]) -> None:
    """Check that a SQLite file's folder exists: SQLite's error does not mention it.

    Raises:
        ValueError: There is no such folder.
    """
    folder = Path(connection["credentials"].get("file_path", "")).parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
