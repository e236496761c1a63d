"""Distribute the tables of a PostgreSQL database with Citus, and find out whether they are.

On a distributed database a statement is sent to one node as a whole only in some forms; those that
have another form there execute it in a transaction: see ``distributed`` in `sql.statement`.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient

from ..domain.errors import StorageUnavailableError
from ..sql.distribution import (
    BEGIN_DISTRIBUTION,
    COUNT_ROWS,
    DELETE_LOCAL_COPY,
    DISTRIBUTE_TABLE,
    FIND_CITUS,
    GET_DISTRIBUTION,
    IS_COORDINATOR,
    LIST_DISTRIBUTED,
    TABLES,
)
from ._tortoise import parent_of
from .connections import acquire_connection, dedicated_connection, is_sqlite
from .driver_errors import DRIVER_ERRORS
from .execution import execute
from .tasks import run_to_completion
from .urls import describe_database

RECHECK_INTERVAL = 60.0
"""Seconds after which a database that was not distributed is checked again. Until then the form for
a plain database is executed. A distributed one executes it more slowly, or does not support it:
then the database is checked at once."""

OLDEST_CITUS = 11
"""The first with global process ids and ``citus_is_coordinator``."""

DRIVER_TIMEOUT = 7 * 24 * 3600.0
"""Seconds that the driver waits for a statement of a distribution: a week."""

_LOCK_ATTEMPTS = 5

distributed_cache: weakref.WeakKeyDictionary[BaseDBAsyncClient, tuple[bool, float]] = (
    weakref.WeakKeyDictionary()
)


async def is_distributed(client: BaseDBAsyncClient) -> bool:
    """Return whether the package's tables are distributed.

    The first call queries the database; later ones again after `RECHECK_INTERVAL`, until they are.

    Args:
        client: The database's client, or a transaction.
    """
    if is_sqlite(client):
        return False
    database = _database_of(client)
    now = asyncio.get_running_loop().time()
    distributed, checked_at = distributed_cache.get(database, (False, -RECHECK_INTERVAL))
    if not distributed and now >= checked_at + RECHECK_INTERVAL:
        async with _connection_of(client) as connection:
            distributed = bool(await list_distributed(connection))
        distributed_cache[database] = distributed, now
    return distributed


def forget(client: BaseDBAsyncClient) -> bool:
    """Check the database again at the next call of `is_distributed`, unless it is distributed.

    Args:
        client: The database's client, or a transaction.

    Returns:
        Whether it will be checked.
    """
    database = _database_of(client)
    distributed, _ = distributed_cache.get(database, (False, 0.0))
    if not distributed:
        distributed_cache.pop(database, None)
    return not distributed


def _database_of(client: BaseDBAsyncClient) -> BaseDBAsyncClient:
    while isinstance(client, TransactionalDBClient):
        client = parent_of(client)
    return client


def _connection_of(client: BaseDBAsyncClient) -> AbstractAsyncContextManager[Any]:
    if isinstance(client, TransactionalDBClient):
        return cast("Any", client).acquire_connection()  # type: ignore[no-any-return]
    return acquire_connection(client)


async def list_distributed(connection: Any) -> list[str]:
    """Return the names of the package's tables that are distributed.

    Args:
        connection: A driver's connection to PostgreSQL.
    """
    if (await execute(connection, FIND_CITUS))[0]["version"] is None:
        return []
    rows = await execute(connection, LIST_DISTRIBUTED, list(TABLES))
    return [str(row["relname"]) for row in rows]


@dataclass(frozen=True)
class Distribution:
    """How the tables of a distributed database are divided.

    Attributes:
        shards: Number of parts of each table.
        nodes: Number of servers that have a part.
    """

    shards: int
    nodes: int


async def get_distribution(client: BaseDBAsyncClient) -> Distribution | None:
    """Return how the tables are divided, or None if they are not distributed.

    Args:
        client: The database's client, or a transaction.
    """
    if not await is_distributed(client):
        return None
    async with _connection_of(client) as connection:
        row = (await execute(connection, GET_DISTRIBUTION, TABLES[0]))[0]
    return Distribution(row["shards"], row["nodes"])


def require_distributable(database: BaseDBAsyncClient | dict[str, Any]) -> None:
    """Check that a database can be distributed, before it is opened.

    Args:
        database: An open client, or a connection config.

    Raises:
        StorageUnavailableError: It is SQLite, or the client is a transaction.
    """
    if isinstance(database, TransactionalDBClient):
        raise StorageUnavailableError("a database cannot be distributed inside a transaction")
    if isinstance(database, dict):
        what, postgres = describe_database(database), "file_path" not in database["credentials"]
    else:
        what, postgres = "the open database", isinstance(database, AsyncpgDBClient)
    if not postgres:
        raise StorageUnavailableError(
            f"cannot distribute {what}: only PostgreSQL with the extension Citus can be distributed"
        )


async def distribute_tables(
    client: BaseDBAsyncClient,
    pending: Sequence[str],
    *,
    shards: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> bool:
    """Distribute the package's tables by guild, in one transaction, and move their rows.

    Operations in progress finish first; later ones wait. If the call is cancelled, nothing is
    changed.

    Args:
        client: The database's client.
        pending: The migrations that the database lacks.
        shards: Number of parts of each table; None for the server's default.
        on_progress: Called with the number of rows moved, and of all rows.

    Returns:
        False if they were distributed before.

    Raises:
        StorageUnavailableError: The database cannot be distributed.
    """
    async with dedicated_connection(cast("AsyncpgDBClient", client)) as connection:
        await _require_coordinator(connection)
        if pending:
            raise StorageUnavailableError(
                f"it lacks migrations of this version ({', '.join(pending)}): run upgrade() first"
            )
        if set(await list_distributed(connection)) == set(TABLES):
            return False
        progress = Progress(on_progress)
        if on_progress is not None:
            progress.total = await connection.fetchval(COUNT_ROWS, timeout=DRIVER_TIMEOUT)
            connection.add_log_listener(progress.on_message)
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            try:
                changed = await distribute_missing(connection, shards, progress)
            except asyncpg.DeadlockDetectedError:  # with a caller's block
                if attempt == _LOCK_ATTEMPTS:
                    raise
            else:
                break
    distributed_cache.pop(client, None)
    return changed


async def _require_coordinator(connection: Any) -> None:
    """Check that the server is the coordinator of a Citus that this version works with.

    Raises:
        StorageUnavailableError: It is not.
    """
    version = (await execute(connection, FIND_CITUS))[0]["version"]
    if version is None:
        raise StorageUnavailableError(
            "it does not have the extension Citus (CREATE EXTENSION citus, on each node)"
        )
    if int(version.partition(".")[0]) < OLDEST_CITUS:
        raise StorageUnavailableError(f"it has Citus {version}, older than {OLDEST_CITUS}")
    if not (await execute(connection, IS_COORDINATOR))[0]["is_coordinator"]:
        raise StorageUnavailableError("it is a worker of Citus: use the URL of the coordinator")


async def distribute_missing(connection: Any, shards: int | None, progress: Progress) -> bool:
    """Distribute the tables that are not distributed, in one transaction.

    Args:
        connection: A driver's connection to the coordinator.
        shards: Number of parts of each table; None for the server's default.
        progress: Notes each table that is distributed.

    Returns:
        Whether there was one.
    """
    try:
        for statement in BEGIN_DISTRIBUTION:
            await connection.execute(statement, timeout=DRIVER_TIMEOUT)
        distributed = await list_distributed(connection)
        missing = [table for table in TABLES if table not in distributed]
        for table in missing:
            place = (distributed[0], None) if distributed else ("none", shards)
            await connection.execute(DISTRIBUTE_TABLE, table, *place, timeout=DRIVER_TIMEOUT)
            distributed.append(table)
            progress.end_table()
        for table in missing:
            await connection.execute(DELETE_LOCAL_COPY, table, timeout=DRIVER_TIMEOUT)
    except BaseException:
        with suppress(*DRIVER_ERRORS):  # without its connection it is rolled back
            await run_to_completion(connection.execute("ROLLBACK"))
        raise
    await run_to_completion(connection.execute("COMMIT", timeout=DRIVER_TIMEOUT))
    return bool(missing)


class Progress:
    """The number of rows copied, from the messages in which Citus counts those of a table.

    Args:
        on_progress: Called with the number of rows copied, and of all rows.
    """

    def __init__(self, on_progress: Callable[[int, int], None] | None) -> None:
        self.total = 0
        self._on_progress = on_progress
        self._before = self._of_table = 0

    def on_message(self, _connection: object, message: Any) -> None:
        """Read one of the server's messages."""
        if match := re.fullmatch(r"Copied (\d+) rows", message.message):
            self._of_table = int(match[1])
            if self._on_progress:
                done = self._before + self._of_table
                self._on_progress(done, max(done, self.total))

    def end_table(self) -> None:
        """Continue with the next table."""
        self._before, self._of_table = self._before + self._of_table, 0
