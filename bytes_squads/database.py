"""Opening, closing and migrating the database.

A bot calls `init` and `upgrade` when it starts and `close` when it stops. ``TORTOISE_ORM`` is the
same set-up as a config for ``Tortoise.init`` and for the ``aerich`` command.
"""

from __future__ import annotations

import asyncio
import os
import urllib.parse
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aerich import Command
from aerich.models import Aerich
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext, get_current_context
from tortoise.exceptions import ConfigurationError, OperationalError

from .domain.errors import StorageUnavailableError
from .engine.connections import current_client, reset
from .engine.driver_errors import DRIVER_ERRORS
from .engine.tasks import accept, drain
from .engine.transaction import reading

DEFAULT_URL = "sqlite://bytes_squads.db"
APP_LABEL = "bytes_squads"

CLOSE_SECONDS = 10.0
"""Seconds that `close` waits for operations under way."""

BUSY_TIMEOUT_MS = 5_000
"""Milliseconds that a SQLite statement waits for another process's write lock."""

JOURNAL_BYTES = 16 * 2**20
"""Bytes of SQLite's write-ahead log that stay on disk to be written over."""

_SQLITE_DEFAULTS: dict[str, Any] = {
    "journal_mode": "WAL",  # readers do not block the writer, nor the writer them
    # Tortoise's 16 KiB cut the file off again and again, and syncing one that grows costs more.
    "journal_size_limit": JOURNAL_BYTES,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": "ON",  # off by default in SQLite: deleting a squad would keep its members
}

_POSTGRES_DEFAULTS: dict[str, Any] = {
    # With connections kept from the start, asyncpg logs each failed attempt while a server is away.
    "minsize": 0,
    "maxsize": 10,
    "timeout": 10.0,  # seconds to connect
    "command_timeout": 30.0,  # seconds for one statement
    "application_name": "bytes_squads",
    "reset": reset,
}

_POSTGRES_OPTIONS: dict[str, Callable[[str], Any]] = {
    "host": str,
    "port": int,
    "user": str,
    "password": str,
    "schema": str,
    "application_name": str,
    "minsize": int,
    "maxsize": int,
    "timeout": float,
    "connect_timeout": float,  # libpq's name for timeout
    "command_timeout": float,
    "ssl": str,
    "sslmode": str,  # libpq's name for ssl
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "max_inactive_connection_lifetime": float,
    "max_queries": int,
}
_LIBPQ_NAMES = {"connect_timeout": "timeout", "sslmode": "ssl"}

_OPEN_ERRORS: tuple[type[Exception], ...] = (*DRIVER_ERRORS, StorageUnavailableError, ValueError)

# What initialising a context writes into a model's class, for every context there is.
_MODEL_STATE = ("default_connection", "basetable", "basequery", "basequery_all_fields")

_context: TortoiseContext | None = None
# Aerich keeps its state in a class: one upgrade at a time. A lock belongs to an event loop.
_upgrading: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    weakref.WeakKeyDictionary()
)


def database_url() -> str:
    """The URL of the environment variable ``DATABASE_URL``, or a file in the working directory."""
    return os.environ.get("DATABASE_URL") or DEFAULT_URL


def connection_config(url: str) -> dict[str, Any]:
    """Tortoise's connection config for a database URL, with this package's defaults.

    Args:
        url: ``postgres://`` or ``postgresql://`` with user, password, host, port, database and
            options (``minsize``, ``maxsize``, ``sslmode``, ``command_timeout``, …); or
            ``sqlite://`` with a path, whose options are pragmas.

    Raises:
        StorageUnavailableError: The URL is of no such form.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "sqlite"):
        raise StorageUnavailableError(
            f"{_shown(url)} is no database URL: it begins with postgres:// or sqlite://"
        )
    try:
        config: dict[str, Any]
        if scheme == "sqlite":
            config = expand_db_url(url)
            # Tortoise has defaults as well; ours go before these, and the URL's own before both.
            given = urllib.parse.parse_qs(url.partition("?")[2])
            config["credentials"] |= {
                pragma: value for pragma, value in _SQLITE_DEFAULTS.items() if pragma not in given
            }
            return config
        parts = urllib.parse.urlsplit(url)
        # Without its options, which Tortoise would take for whole numbers.
        config = expand_db_url(url.partition("?")[0])
        credentials = {**_POSTGRES_DEFAULTS, **config["credentials"]}
        for name, value in urllib.parse.parse_qsl(parts.query):
            if name == "channel_binding":  # libpq's; asyncpg decides for itself
                continue
            if name not in _POSTGRES_OPTIONS:
                raise ValueError(f"{name} is no option of a PostgreSQL URL here")
            credentials[_LIBPQ_NAMES.get(name, name)] = _POSTGRES_OPTIONS[name](value)
        if parts.username:
            credentials["user"] = urllib.parse.unquote(parts.username)
        if credentials.get("database"):
            credentials["database"] = urllib.parse.unquote(credentials["database"])
    except (ConfigurationError, ValueError) as error:
        raise StorageUnavailableError(f"{_shown(url)} is no database URL: {error}") from None
    config["credentials"] = credentials
    return config


def tortoise_config(url: str) -> dict[str, Any]:
    """A whole Tortoise config for a database URL, as ``TORTOISE_ORM`` is one.

    Raises:
        StorageUnavailableError: The URL is not of a known form.
    """
    return {
        "connections": {"default": connection_config(url)},
        "apps": {
            APP_LABEL: {
                "models": ["bytes_squads.models", "aerich.models"],
                "default_connection": "default",
            }
        },
    }


async def init(url: str | None = None) -> None:
    """Open the database for this process: from now on every task of the event loop can use it.

    Asks the server a question, so that a wrong address shows now and not at the first click.
    An open database is closed first.

    Args:
        url: The database's URL, see `database.connection_config`; by default that of
            ``DATABASE_URL``.

    Raises:
        StorageUnavailableError: The URL is of no known form, or the database cannot be reached.
    """
    global _context
    config = tortoise_config(url or database_url())
    if _context is not None:
        await close()
    # In a task of its own: a context that this task would keep for itself stayed there after
    # close(), in the way of the next init(). What others see is the global fallback.
    _context = await asyncio.create_task(_open(config))


async def _open(config: dict[str, Any]) -> TortoiseContext:
    EXECUTOR_CACHE.clear()  # it is keyed by connection name, whatever database that was
    context = TortoiseContext()
    try:
        with context:
            _refuse_missing_folder(config["connections"]["default"])
            await context.init(config=config, _enable_global_fallback=True)
            async with reading() as db:
                await db.execute_query("SELECT 1")
    except _OPEN_ERRORS as error:
        await context.close_connections()
        raise StorageUnavailableError(
            f"cannot open {place(config['connections']['default'])}: {_first_line(error)}"
        ) from error
    return context


async def close() -> None:
    """Close the database; waits for operations under way, ten seconds at most.

    Operations that come meanwhile, and after it, are refused with `StorageUnavailableError`.
    """
    global _context
    context = _context or get_current_context()
    _context = None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CLOSE_SECONDS
    try:
        await drain(CLOSE_SECONDS)
        if context is None or context._connections is None:
            return
        clients = context.connections.all() if context.connections._db_config else []
        try:
            async with asyncio.timeout_at(max(deadline, loop.time() + 0.1)):
                await context.close_connections()
        except TimeoutError:
            for client in clients:
                if getattr(client, "_pool", None) is not None:
                    client._pool.terminate()
            await context.close_connections()
    finally:
        accept()


async def upgrade(url: str | None = None) -> list[str]:
    """Apply the packaged migrations that the database does not have yet.

    Several processes may call it at once.

    Args:
        url: The database's URL; by default the open database, or else that of ``DATABASE_URL``.

    Returns:
        The versions applied, oldest first; empty when there was nothing to do.

    Raises:
        StorageUnavailableError: The URL is of no known form, the database cannot be reached, or
            it refuses a migration.
    """
    client: BaseDBAsyncClient | None = None
    if not url:
        try:
            client = current_client()
        except StorageUnavailableError:
            url = database_url()
    async with _upgrading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        # In a task of its own, because Aerich works in a Tortoise context of its own.
        return await asyncio.create_task(_upgrade(url, client))


async def _upgrade(url: str | None, client: BaseDBAsyncClient | None) -> list[str]:
    connection = connection_config(url) if url else connection_config("sqlite://:memory:")
    # The ORM caches INSERT texts by connection name, whatever the dialect: a name for each.
    name = client.connection_name if client else f"bytes_squads_{connection['engine']}"
    where = place(connection) if url else "the open database"
    # Only Aerich's own model: the others keep the app and connection that the host gave them.
    config = {
        "connections": {name: connection},
        "apps": {APP_LABEL: {"models": ["aerich.models"], "default_connection": name}},
    }
    before = {attribute: getattr(Aerich._meta, attribute) for attribute in _MODEL_STATE}
    context = TortoiseContext()
    try:
        with context:
            _refuse_missing_folder(connection)
            if client is not None:  # before init, which takes over the connections that are there
                context.connections.set(name, client)
            await context.init(config=config)
            # Aerich's own transaction would keep SQLite's lock for good if connecting failed in it.
            await context.connections.get(name).execute_query("SELECT 1")
            command = Command(config, app=APP_LABEL, location=str(migrations_folder()))
            await command.init()
            done: list[str] | None = None
            while True:
                try:
                    return await command.upgrade()
                except DRIVER_ERRORS:  # pragma: no cover  # a race of processes decides
                    # Another process may have been quicker with this migration: on to the next.
                    before_this, done = done, await _applied()
                    if done == before_this:
                        raise
    except _OPEN_ERRORS as error:
        raise StorageUnavailableError(f"cannot migrate {where}: {_first_line(error)}") from error
    finally:
        for attribute, value in before.items():
            setattr(Aerich._meta, attribute, value)
        if client is None:
            await context.close_connections()


async def _applied() -> list[str]:  # pragma: no cover  # only after such a race
    """The versions that the database has, by Aerich's own table."""
    try:
        return [str(row.version) for row in await Aerich.filter(app=APP_LABEL)]
    except OperationalError:  # there is no such table yet
        return []


def migrations_folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "migrations"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "migrations"


def _refuse_missing_folder(connection: dict[str, Any]) -> None:
    """SQLite says no more than that it cannot open the file, and the driver's thread lingers."""
    folder = Path(connection["credentials"].get("file_path", "")).parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")


def place(connection: dict[str, Any]) -> str:
    """A database as a message names it: with host and database, never with the password."""
    credentials = connection["credentials"]
    if "file_path" in credentials:
        return f"the SQLite database {credentials['file_path']}"
    host = credentials.get("host") or "the default host"
    return (
        f"the PostgreSQL database {credentials.get('database') or 'by default'} "
        f"on {host}:{credentials.get('port')}"
    )


def _shown(url: str) -> str:
    """A URL without its password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "a text without ://"
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _config_of_environment() -> dict[str, Any]:
    try:
        return tortoise_config(database_url())
    except StorageUnavailableError:  # pragma: no cover  # at import, tested in a process apart
        # Tortoise.init and aerich say what is wrong with it.
        return {**tortoise_config(DEFAULT_URL), "connections": {"default": database_url()}}


TORTOISE_ORM: dict[str, Any] = _config_of_environment()
"""The config for ``Tortoise.init`` and ``aerich``; ``DATABASE_URL`` is read at import."""
