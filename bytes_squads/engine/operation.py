"""Run an operation as one transaction: safe to cancel, retried, driver errors translated.

Every operation has this form::

    @operation
    async def leave_squad(self, run: Operation, guild_id: str | int, ...) -> None:
        rows = await run.execute(LEAVE_SQUAD, ..., check=...)

Outside a transaction the method runs in its own task: cancelling the caller does not cancel it,
and conflicts and lost connections are retried. Inside a caller's transaction it runs in the
caller's task, without retries.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient

from ..domain.errors import OutcomeUnknownError, StorageUnavailableError
from ..domain.ids import Uuid7Batch
from ..sql.statement import Statement
from . import commit_checks
from .commit_checks import CommitCheck, backoff_seconds, find_outcome
from .connections import (
    acquire_connection,
    current_client,
    is_read_write_wanted,
    is_sqlite,
    log,
)
from .distribution import forget, is_distributed
from .driver_errors import (
    DRIVER_ERRORS,
    ConnectionLostError,
    ReadOnlyServerError,
    TransientError,
    UnsupportedStatementError,
    translate,
    translate_driver_errors,
)
from .execution import AnyStatement, Rows, execute, execute_autocommit
from .servers import require_confirmed, session_of
from .tasks import is_draining, run_shielded
from .transaction import (
    CLOSED_MESSAGE,
    execute_in_block,
    has_written,
    in_transaction,
    take_turn,
)

T = TypeVar("T")
P = ParamSpec("P")
SelfT = TypeVar("SelfT")


class Operation:
    """One run of an operation.

    Attributes:
        client: The database's client, or the caller's transaction.
        attempt: Number of the attempt, from 1.
    """

    __slots__ = ("_ids", "attempt", "client")

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self.client = client
        self.attempt = 1
        self._ids: Uuid7Batch | None = None

    @property
    def is_nested(self) -> bool:
        """Whether it runs inside a caller's transaction."""
        return isinstance(self.client, TransactionalDBClient)

    def draw_ids(self, count: int) -> Uuid7Batch:
        """Return new row ids in ascending order, the same in each attempt.

        Args:
            count: Number of ids that the operation needs in total.
        """
        if self._ids is None:
            self._ids = Uuid7Batch(count)
        return self._ids

    async def fetch(self, statement: Statement, *parameters: Any) -> Rows:
        """Execute a SELECT.

        Args:
            statement: The SELECT.
            parameters: Its parameters.
        """
        client = self.client
        if isinstance(client, TransactionalDBClient):
            async with (
                take_turn(client),
                client.acquire_connection() as connection,
                # A read that fails must not undo the caller's work, as it does on PostgreSQL.
                nullcontext() if is_sqlite(client) else connection.transaction(),
            ):
                return await execute(connection, statement, *parameters)
        async with acquire_connection(client) as connection:
            return await execute(connection, statement, *parameters)

    async def execute(self, statement: AnyStatement, *parameters: Any, check: CommitCheck) -> Rows:
        """Execute a statement that writes: in autocommit mode, or in a caller's transaction.

        Args:
            statement: The statement.
            parameters: Its parameters.
            check: The commit check, used if the result is lost. Its rows then replace the result.

        Raises:
            OutcomeUnknownError: The result is lost and the outcome could not be found out.
        """
        with translate_driver_errors():
            if self.is_nested:
                async with in_transaction() as db:
                    return await execute_in_block(db, statement, *parameters, check=check)
            if statement.distributed is not None and await is_distributed(self.client):
                return await _execute_in_new_transaction(statement, *parameters, check=check)
            return await self._execute_autocommit(statement, *parameters, check=check)

    async def _execute_autocommit(
        self, statement: AnyStatement, *parameters: Any, check: CommitCheck
    ) -> Rows:
        connection = session = None
        try:
            async with acquire_connection(self.client) as connection:
                session = session_of(connection)
                rows = await execute_autocommit(connection, statement, *parameters)
                require_confirmed(connection)
                return rows
        except asyncio.CancelledError:  # by close(), after its timeout
            if connection is None or not is_draining():
                raise  # pragma: no cover  # the event loop ends; tested in a subprocess
            raise OutcomeUnknownError(CLOSED_MESSAGE) from None
        except DRIVER_ERRORS as error:
            translated = translate(error)
            if session is not None and isinstance(translated, ConnectionLostError):
                found = await find_outcome(self.client, [check], session, error)
                if found is not None:
                    return found
            raise


class _NotWrittenError(Exception):
    """Roll back a transaction that has written nothing: its COMMIT need not be checked."""


async def _execute_in_new_transaction(
    statement: AnyStatement, *parameters: Any, check: CommitCheck
) -> Rows:
    """Execute a statement that consists of several in a transaction."""
    with suppress(_NotWrittenError):
        async with in_transaction() as db:
            rows = await execute_in_block(db, statement, *parameters, check=check)
            if not has_written(rows):
                raise _NotWrittenError
    return rows


def operation(
    method: Callable[Concatenate[SelfT, Operation, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SelfT, P], Coroutine[Any, Any, T]]:
    """Turn a method into an operation, with its `Operation` as the first argument.

    Raises:
        StorageUnavailableError: Nothing happened: the database was not open, no connection was
            free within `connections.POOL_TIMEOUT`, or retries failed for
            `commit_checks.RETRY_DEADLINE`.
        OutcomeUnknownError: The connection broke during COMMIT, and the outcome could not be
            found out.
    """

    @wraps(method)
    async def call(self: SelfT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        run = Operation(current_client())
        if run.is_nested:
            try:
                return await _translate_errors(method(self, run, *args, **kwargs))
            except UnsupportedStatementError:
                forget(run.client)
                raise
        return await run_shielded(
            lambda: _run_with_retries(run, lambda: method(self, run, *args, **kwargs))
        )

    signature = inspect.signature(method)
    visible = [part for name, part in signature.parameters.items() if name != "run"]
    call.__signature__ = signature.replace(parameters=visible)  # type: ignore[attr-defined]
    return call


async def _run_with_retries(run: Operation, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the work; retry after conflicts and lost connections until the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + commit_checks.RETRY_DEADLINE
    while True:
        try:
            return await _translate_errors(work())
        except UnsupportedStatementError:
            # The tables may have been distributed since the database was checked.
            if not forget(run.client) or not await _translate_errors(is_distributed(run.client)):
                raise
            continue
        except (TransientError, ReadOnlyServerError) as error:
            if isinstance(error, ReadOnlyServerError) and not is_read_write_wanted(run.client):
                raise
            pause = backoff_seconds(run.attempt)
            if loop.time() + pause > deadline:
                raise StorageUnavailableError(
                    f"{error} (gave up after {run.attempt} attempts)"
                ) from error.__cause__
            log.debug("attempt %d: %s", run.attempt, error)
        await asyncio.sleep(pause)
        run.attempt += 1


async def _translate_errors(work: Awaitable[T]) -> T:
    with translate_driver_errors():
        return await work
