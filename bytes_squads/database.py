"""Open, close and migrate the database.

A bot calls `init` and `upgrade` when it starts and `close` when it stops. ``TORTOISE_ORM`` is the
same setup as a config for ``Tortoise.init`` and for the ``aerich`` command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext, get_current_context, set_global_context

from .domain.errors import StorageUnavailableError
from .engine._tortoise import (
    event_loop_of,
    list_clients,
    terminate_pool,
    unbind_event_loop,
)
from .engine.connections import current_client
from .engine.distribution import distribute_tables, is_distributed, require_distributable
from .engine.driver_errors import first_line
from .engine.migrations import OPEN_ERRORS, apply_migrations, require_folder, run_with_pending
from .engine.open_checks import require_own_event_loop
from .engine.tasks import drain, resume, run_to_completion
from .engine.transaction import read_connection
from .engine.urls import connection_config, database_url, describe_database, refused_config

__all__ = [
    "APP_LABEL",
    "CLOSE_TIMEOUT",
    "TORTOISE_ORM",
    "close",
    "connection_config",
    "database_url",
    "describe_database",
    "distribute",
    "init",
    "migrations_folder",
    "pending_migrations",
    "tortoise_config",
    "upgrade",
]

APP_LABEL = "bytes_squads"

CLOSE_TIMEOUT = 10.0
"""Seconds that `close` waits for operations in progress."""

_context: TortoiseContext | None = None


def tortoise_config(url: str) -> dict[str, Any]:
    """Return a Tortoise config for a database URL, in the form of ``TORTOISE_ORM``.

    Raises:
        StorageUnavailableError: The URL is invalid.
    """
    return _config_of(connection_config(url))


def _config_of(connection: dict[str, Any]) -> dict[str, Any]:
    return {
        "connections": {"default": connection},
        "apps": {
            APP_LABEL: {
                "models": ["bytes_squads.models", "aerich.models"],
                "default_connection": "default",
            }
        },
    }


async def init(url: str | None = None) -> None:
    """Open the database for every task of this event loop.

    Executes a query, so that a wrong address fails now and not at the first operation. An open
    database is closed first. A cancelled call leaves no database open.

    Args:
        url: The database's URL, see `database.connection_config`; by default that of
            ``DATABASE_URL``.

    Raises:
        StorageUnavailableError: The URL is invalid, the database cannot be reached, or another
            event loop has it open.
    """
    connection = connection_config(url or database_url())
    if _context is not None:
        await close()
    try:
        # In a separate task: a context entered here would survive close() and shadow the next
        # init(). Other tasks use the global fallback.
        await asyncio.create_task(_open(connection))
    except asyncio.CancelledError:
        await run_to_completion(_close())
        raise


async def _open(connection: dict[str, Any]) -> None:
    global _context
    EXECUTOR_CACHE.clear()  # keyed by connection name, also across databases
    context = TortoiseContext()
    try:
        with context:
            require_folder(connection)
            await context.init(config=_config_of(connection))
            set_global_context(context)
            async with read_connection() as db:
                await db.execute_query("SELECT 1")
            await is_distributed(current_client())
        _context = context
    except OPEN_ERRORS as error:
        await run_to_completion(context.close_connections())
        raise StorageUnavailableError(
            f"cannot open {describe_database(connection)}: {first_line(error)}"
        ) from error
    except BaseException:
        await run_to_completion(context.close_connections())
        raise


async def close() -> None:
    """Close the database after waiting up to ten seconds for operations in progress.

    Operations that start during or after the call raise `StorageUnavailableError`. A cancelled
    call still closes the database.

    Raises:
        StorageUnavailableError: Another event loop, which is running, has the database open.
    """
    await run_to_completion(_close())


async def _close() -> None:
    global _context
    context = _context or get_current_context()
    loop = asyncio.get_running_loop()
    for client in list_clients(context):
        home = event_loop_of(client)
        if home not in {None, loop}:
            if home.is_running():
                raise StorageUnavailableError(
                    "the database is open in another event loop: close() it there"
                )
            terminate_pool(client)
            unbind_event_loop(client)  # otherwise Tortoise would reopen it in order to close it
    _context = None
    deadline = loop.time() + CLOSE_TIMEOUT
    try:
        await drain(CLOSE_TIMEOUT)
    finally:
        try:
            await _close_connections(context, deadline)
        finally:
            resume()


async def _close_connections(context: TortoiseContext | None, deadline: float) -> None:
    """Close the context's connections; terminate them after the deadline.

    Args:
        context: The context, or None.
        deadline: The deadline in the event loop's time.
    """
    if context is None:
        return
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(max(deadline, loop.time() + 0.1)):
            await context.close_connections()
    except TimeoutError:
        for client in list_clients(context):
            terminate_pool(client)
        await context.close_connections()


async def upgrade(url: str | None = None) -> list[str]:
    """Apply the packaged migrations that the database does not have yet.

    Several processes may call it at the same time. A cancelled call finishes the migration first.

    Args:
        url: The database's URL; by default the open database, or else that of ``DATABASE_URL``.

    Returns:
        The versions applied, oldest first; empty if the database was up to date.

    Raises:
        StorageUnavailableError: The URL is invalid, the database cannot be reached, or a
            migration failed.
    """
    return await apply_migrations(_database(url), app=APP_LABEL, folder=migrations_folder())


async def distribute(
    url: str | None = None,
    *,
    shards: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Distribute an upgraded PostgreSQL database over the nodes of Citus, by guild.

    All rows of a guild are on one node. The rows that exist are moved, in one transaction; until it
    ends, operations wait, and fail with `StorageUnavailableError` if that takes too long. A
    cancelled call changes nothing. To call it again is harmless.

    Args:
        url: The URL of Citus's coordinator; by default the open database, or else that of
            ``DATABASE_URL``.
        shards: Number of parts of each table, which is also the largest useful number of nodes; by
            default Citus's ``citus.shard_count``, 32. It cannot be changed by this package later.
        on_progress: Called with the number of rows moved so far, and of all rows.

    Returns:
        Whether the tables were distributed now; False if they were before.

    Raises:
        StorageUnavailableError: The URL is invalid, the database cannot be reached, lacks a
            migration or Citus, or is not the coordinator; or Citus refused. Nothing was changed.
    """
    database = _database(url)
    require_distributable(database)
    return await run_with_pending(
        database,
        partial(distribute_tables, shards=shards, on_progress=on_progress),
        purpose="distribute",
        app=APP_LABEL,
        folder=migrations_folder(),
    )


async def pending_migrations(url: str | None = None) -> list[str]:
    """Return the packaged migrations that the database does not have yet, oldest first.

    Args:
        url: The database's URL; by default the open database, or else that of ``DATABASE_URL``.

    Raises:
        StorageUnavailableError: The URL is invalid, or the database cannot be reached.
    """

    async def get_pending(_: BaseDBAsyncClient, pending: list[str]) -> list[str]:
        return pending

    return await run_with_pending(
        _database(url), get_pending, purpose="inspect", app=APP_LABEL, folder=migrations_folder()
    )


def _database(url: str | None) -> BaseDBAsyncClient | dict[str, Any]:
    if url:
        return connection_config(url)
    return _open_client() or connection_config(database_url())


def _open_client() -> BaseDBAsyncClient | None:
    require_own_event_loop()
    try:
        return current_client()
    except StorageUnavailableError:
        return None


def migrations_folder() -> Path:
    """Return the migrations' folder: in the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "migrations"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "migrations"


def _config_from_environment() -> dict[str, Any]:
    try:
        return tortoise_config(database_url())
    except StorageUnavailableError as error:  # pragma: no cover  # at import, in another process
        # Importing must not fail: Tortoise.init and aerich report the error.
        return _config_of(refused_config(str(error)))


TORTOISE_ORM: dict[str, Any] = _config_from_environment()
"""The config for ``Tortoise.init`` and ``aerich``; ``DATABASE_URL`` is read at import."""
