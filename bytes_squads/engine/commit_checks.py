"""Find out whether a transaction was committed whose connection broke.

When a connection breaks during COMMIT, or during a statement that is its own transaction, the
client does not know whether it happened. The statement may even reach the server later. So the
server process is ended first, and seen to be gone; then the database is asked for a row that only
this transaction can have written. Only then is it known that nothing happened and nothing will.
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
from ..sql.postings import FIND_POSTED_ENTRY
from ..sql.sessions import END_BACKEND, GET_SESSION, WAIT_FOR_STANDBY
from ..sql.statement import Statement
from .connections import dedicated_connection, log
from .driver_errors import DRIVER_ERRORS
from .execution import Rows, execute
from .tasks import is_draining

RETRY_DEADLINE = 15.0
"""Seconds after which an operation that meets conflicts or a lost server gives up."""

BACKOFF_INITIAL = 0.02
BACKOFF_MAX = 1.0


@dataclass(frozen=True, slots=True)
class CommitCheck:
    """A question that tells whether a transaction was committed.

    Attributes:
        statement: A SELECT.
        parameters: Its values.
        found: What a row means: True that it was committed, False that it was not.
        absent: What no row means; None that the outcome is unknown.
    """

    statement: Statement
    parameters: tuple[Any, ...]
    found: bool = True
    absent: bool | None = None

    @classmethod
    def of_entry(cls, guild_id: str, entry_id: Any) -> CommitCheck:
        """Return the check of a transaction that writes this ledger row: its id proves it."""
        return cls(FIND_POSTED_ENTRY, (guild_id, entry_id), absent=False)


async def find_outcome(
    client: BaseDBAsyncClient, checks: Sequence[CommitCheck], pid: int, broken: Exception
) -> Rows | None:
    """Find out whether the transaction was committed whose connection broke.

    Args:
        client: The database.
        checks: The transaction's checks. One that says yes is enough; a caller may have undone,
            by a savepoint of the ORM, what another one asks for.
        pid: The server process that held the transaction, as the client knows it.
        broken: What the driver raised.

    Returns:
        The rows of a check when it was committed; None when it was not, and never will be.

    Raises:
        OutcomeUnknownError: It cannot be known.
    """
    unknown = OutcomeUnknownError("the connection broke while committing, the outcome is unknown")
    if not checks or not isinstance(client, AsyncpgDBClient):
        raise unknown from broken
    try:
        async with asyncio.timeout(RETRY_DEADLINE):
            for attempt in range(1_000_000):
                try:
                    async with dedicated_connection(client) as connection:
                        committed, rows = await _ask(connection, checks, pid)
                        if committed is None:
                            break
                        return rows if committed else None
                except DRIVER_ERRORS as error:
                    log.debug("asking for the outcome of a COMMIT failed: %r", error)
                await asyncio.sleep(backoff(attempt))
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        if not is_draining():
            raise  # pragma: no cover  # the event loop ends
    raise unknown from broken


async def _ask(
    connection: Any, checks: Sequence[CommitCheck], pid: int
) -> tuple[bool | None, Rows]:
    session = (await execute(connection, GET_SESSION))[0]
    # A pooler between client and server gives out process ids of its own.
    direct = session["pid"] == connection.get_server_pid()
    while direct and await execute(connection, END_BACKEND, pid):  # noqa: ASYNC110  # a process
        await asyncio.sleep(BACKOFF_INITIAL)
    answers = set()
    for check in checks:
        rows = await execute(connection, check.statement, *check.parameters)
        answer = check.found if rows else check.absent
        if answer:
            if session["synchronous"]:
                # Ending the process also ended its wait for the standby; this commit waits.
                await execute(connection, WAIT_FOR_STANDBY)
            return True, rows
        answers.add(answer)
    # Behind a pooler the statement may still be on its way.
    return (False if direct and False in answers else None), []


def backoff(attempt: int) -> float:
    """Return the seconds to wait before the next attempt: doubling, with full jitter."""
    return random.uniform(0, min(BACKOFF_MAX, BACKOFF_INITIAL * 2 ** min(attempt, 16)))
