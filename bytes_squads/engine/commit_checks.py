"""Find out whether a transaction whose connection broke was committed.

If the connection breaks during COMMIT, or during an autocommit statement, the client cannot tell
whether it succeeded. A delayed packet may even deliver the statement later. So the server process
is terminated first, with its processes on the workers of Citus; then the database is queried for a
row that only this transaction can have written. If there is no such row, nothing happened and
nothing will.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient

from ..domain.errors import OutcomeUnknownError
from ..sql.distribution import FIND_CITUS
from ..sql.postings import FIND_POSTED_ENTRY
from ..sql.sessions import (
    END_BACKEND,
    GET_NODE,
    GET_SESSION,
    RECOVER_PREPARED,
    RUN_ON_WORKERS,
    WAIT_FOR_STANDBY,
    end_worker_backends,
)
from ..sql.statement import Statement
from .connections import dedicated_connection, log
from .driver_errors import DRIVER_ERRORS, ConnectionLostError
from .execution import Rows, execute
from .servers import Session, require_confirmed, session_of
from .tasks import is_draining

_CHECK_FAILURES: tuple[type[Exception], ...] = (*DRIVER_ERRORS, ConnectionLostError)

RETRY_DEADLINE = 15.0
"""Seconds after which an operation stops retrying."""

BACKOFF_INITIAL = 0.02
BACKOFF_MAX = 1.0


@dataclass(frozen=True, slots=True)
class CommitCheck:
    """A query to find out whether a transaction was committed.

    Attributes:
        statement: A SELECT.
        parameters: Its parameters.
        committed_if_found: Whether a row means that it was committed.
        committed_if_absent: Whether no row means that it was committed; None if that is unknown.
    """

    statement: Statement
    parameters: tuple[Any, ...]
    committed_if_found: bool = True
    committed_if_absent: bool | None = None

    @classmethod
    def of_entry(cls, guild_id: str, entry_id: Any) -> CommitCheck:
        """Return the check of a transaction that inserts this ledger entry."""
        return cls(FIND_POSTED_ENTRY, (guild_id, entry_id), committed_if_absent=False)


async def find_outcome(
    client: BaseDBAsyncClient,
    checks: Sequence[CommitCheck],
    session: Session | None,
    broken: Exception,
) -> Rows | None:
    """Find out whether a transaction whose connection broke was committed.

    Args:
        client: The database's client.
        checks: The transaction's checks. One positive result is enough: the caller may have rolled
            back other statements with a savepoint of the ORM.
        session: The session of the transaction.
        broken: The driver's error.

    Returns:
        The rows of the positive check if it was committed; None if it was not, and never will be.

    Raises:
        OutcomeUnknownError: The outcome could not be found out.
    """
    unknown = OutcomeUnknownError("the connection broke during COMMIT: the outcome is unknown")
    if not checks or session is None or not isinstance(client, AsyncpgDBClient):
        raise unknown from broken
    try:
        async with asyncio.timeout(RETRY_DEADLINE):
            for attempt in range(1_000_000):
                try:
                    async with dedicated_connection(client) as connection:
                        committed, rows = await _run_checks(connection, checks, session)
                        if committed is None:
                            break
                        return rows if committed else None
                except _CHECK_FAILURES as error:
                    log.debug("checking the outcome of a COMMIT failed: %r", error)
                await asyncio.sleep(backoff_seconds(attempt))
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        if not is_draining():
            raise  # pragma: no cover  # the event loop ends
    raise unknown from broken


async def _run_checks(
    connection: Any, checks: Sequence[CommitCheck], lost: Session
) -> tuple[bool | None, Rows]:
    own = session_of(connection)
    if own and own.timeline and lost.timeline and own.timeline.system != lost.timeline.system:
        return None, []  # another cluster
    settings = (await execute(connection, GET_SESSION))[0]
    # A pooler between client and server reports other process ids.
    direct = settings["pid"] == connection.get_server_pid()
    citus = (await execute(connection, FIND_CITUS))[0]["version"] is not None
    if direct:
        # On another server, or a restarted one, there is no such process. What it has not
        # replicated before this one was promoted cannot arrive any more.
        while await execute(connection, END_BACKEND, lost.pid, lost.started):  # noqa: ASYNC110  # a process
            await asyncio.sleep(BACKOFF_INITIAL)
        if citus:
            await _end_on_workers(connection, lost.pid)
    results = set()
    for check in checks:
        rows = await execute(connection, check.statement, *check.parameters)
        result = check.committed_if_found if rows else check.committed_if_absent
        if result:
            # A terminated process does not wait for its standby; these commits do.
            if settings["synchronous"]:
                await execute(connection, WAIT_FOR_STANDBY)
                require_confirmed(connection)
            if citus:
                await _run_on_workers(connection, WAIT_FOR_STANDBY.postgres)
            return True, rows
        results.add(result)
    # Behind a pooler the statement may still arrive.
    return (False if direct and False in results else None), []


async def _end_on_workers(connection: Any, pid: int) -> None:
    """End the processes of a session on the workers, and what it has left prepared there.

    Args:
        connection: A driver's connection to the node that the session was on.
        pid: The session's process id there.

    Raises:
        ConnectionLostError: A worker cannot be reached.
    """
    node = (await execute(connection, GET_NODE, pid))[0]
    command = end_worker_backends(node["global_pid"], node["group_id"], pid)
    while set(await _run_on_workers(connection, command)) - {"0"}:
        if node["may_recover"]:
            await execute(connection, RECOVER_PREPARED)
        await asyncio.sleep(BACKOFF_INITIAL)


async def _run_on_workers(connection: Any, command: str) -> list[str]:
    rows = await execute(connection, RUN_ON_WORKERS, command)
    if not all(row["success"] for row in rows):
        raise ConnectionLostError("a worker of Citus could not be reached")
    return [row["result"] for row in rows]


def backoff_seconds(attempt: int) -> float:
    """Return the seconds to wait before the next attempt: doubling, with full jitter."""
    return random.uniform(0, min(BACKOFF_MAX, BACKOFF_INITIAL * 2 ** min(attempt, 16)))
