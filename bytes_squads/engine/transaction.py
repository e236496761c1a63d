"""Transactions and savepoints that are safe to cancel at any await.

A block holds the lock of the enclosing block, so that operations gathered inside one transaction
run one after another; otherwise their savepoints would interleave on its connection.

If the connection drops during COMMIT, the client cannot tell whether it succeeded. Each operation
therefore registers a commit check, which `commit_checks.find_outcome` executes.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.connection import ConnectionToken, get_connections

from ..domain.errors import OutcomeUnknownError, StorageUnavailableError
from ._tortoise import (
    adopt_transaction,
    bound_connection,
    is_finished,
    mark_finished,
    require_transaction,
    transaction_client,
)
from .commit_checks import CommitCheck, find_outcome
from .connections import begin_statement, bound_client, current_client, log, translate_loss
from .distribution import is_distributed
from .driver_errors import (
    DRIVER_ERRORS,
    RAISED_BY_DRIVERS,
    ConnectionLostError,
    translate,
    translate_driver_errors,
)
from .execution import AnyStatement, Rows, execute_on, execute_split_on
from .servers import Session, require_confirmed, session_of
from .tasks import is_draining, run_to_completion

CLOSED_MESSAGE = "the database was closed during the operation"


class _TransactionState:
    """The state of a transaction or savepoint besides its connection."""

    __slots__ = ("commit_checks", "ended", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.ended = False
        self.commit_checks: list[CommitCheck] = []


_states: weakref.WeakKeyDictionary[BaseDBAsyncClient, _TransactionState] = (
    weakref.WeakKeyDictionary()
)


def _state_of(client: BaseDBAsyncClient) -> _TransactionState:
    state = _states.get(client)
    if state is None:
        state = _states[client] = _TransactionState()
    return state


def in_transaction(
    connection_name: str | None = None,
) -> AbstractAsyncContextManager[TransactionalDBClient]:
    """Open a transaction: Tortoise's ``in_transaction``, safe to cancel at any await.

    The block commits at its end and rolls back if it raises. Inside another block it is a
    savepoint. Operations of this package inside the block join its transaction; gathered operations
    run one after another, and one that has not started at the end of the block raises.

    On PostgreSQL the isolation level is READ COMMITTED regardless of the server's defaults, and the
    server ends the transaction after 30 idle seconds.

    Args:
        connection_name: The connection's name in Tortoise's config; by default the models'.

    Raises:
        StorageUnavailableError: The database was not open or not reached; nothing was committed.
        OutcomeUnknownError: The connection broke during COMMIT, and the outcome could not be
            found out.
    """
    return _TransactionContext(connection_name)


@asynccontextmanager
async def read_connection() -> AsyncIterator[BaseDBAsyncClient]:
    """Get an ORM client for reads, in this task's transaction or outside a transaction."""
    client = current_client()
    if isinstance(client, TransactionalDBClient):
        async with take_turn(client):
            yield client
    else:
        async with bound_client(client) as db:
            yield db


async def execute_in_block(
    db: BaseDBAsyncClient,
    statement: AnyStatement,
    *parameters: Any,
    check: CommitCheck | None = None,
) -> Rows:
    """Execute a statement in a transaction and register its commit check.

    Args:
        db: The transaction of `in_transaction`.
        statement: The statement.
        parameters: Its parameters.
        check: The commit check, registered if the statement wrote.
    """
    with translate_driver_errors():  # so that the block's end detects a lost connection
        split = statement.distributed is not None and await is_distributed(db)
        rows = await (execute_split_on if split else execute_on)(db, statement, *parameters)
    if check is not None and has_written(rows):
        _state_of(db).commit_checks.append(check)
    return rows


def has_written(rows: Rows) -> bool:
    """Return whether a statement wrote: it returned a row, and a posting the outcome ``done``."""
    return bool(rows) and rows[0].get("outcome", "done") == "done"


class _TransactionContext:
    """One transaction, or one savepoint inside it."""

    _client: BaseDBAsyncClient
    _nested: bool
    _session: Session | None
    _db: TransactionalDBClient
    _token: ConnectionToken
    _outside: AbstractAsyncContextManager[Any]

    def __init__(self, connection_name: str | None) -> None:
        self._connection_name = connection_name

    async def __aenter__(self) -> TransactionalDBClient:
        self._client = client = current_client(self._connection_name)
        self._nested = isinstance(client, TransactionalDBClient)
        try:
            if isinstance(client, TransactionalDBClient):
                self._outside = take_turn(client)
                await self._outside.__aenter__()
                self._db = transaction_client(client)
            else:
                self._outside = bound_client(client, begin=begin_statement(client))
                self._db = await self._outside.__aenter__()
            try:
                if self._nested:
                    await run_to_completion(self._db.savepoint())
                else:
                    adopt_transaction(self._db)
                # It raises if the connection was lost since: the pool has taken it back.
                self._session = session_of(bound_connection(self._db))
            except BaseException as error:
                await run_to_completion(self._rollback_and_release(error))
                raise
        except DRIVER_ERRORS as error:
            raise translate(error) or error from error
        self._token = get_connections().set(self._db.connection_name, self._db)
        return self._db

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        get_connections().reset(self._token)
        await run_to_completion(self._finish(exc))

    async def _finish(self, failure: BaseException | None) -> None:
        """Commit, or roll back after a failure; always release the connection."""
        state = _state_of(self._db)
        state.ended = True
        async with state.lock:  # waits for an operation that still runs inside
            if failure is not None:
                # An untranslated error may be about another connection, even an OSError of HTTP.
                translated = isinstance(failure, StorageUnavailableError)
                await self._rollback_and_release(failure if translated else None)
                return
            try:
                require_transaction(self._db)
                await (self._db.release_savepoint() if self._nested else self._db.commit())
                require_confirmed(bound_connection(self._db))
            except DRIVER_ERRORS as error:
                broken = error
                await self._rollback_and_release(error)
            except asyncio.CancelledError:  # by close(), after its timeout
                await self._rollback_and_release(None)
                if not is_draining():
                    raise  # pragma: no cover  # the event loop ends; tested in a subprocess
                raise OutcomeUnknownError(CLOSED_MESSAGE) from None
            else:
                self._pass_on(state.commit_checks)
                mark_finished(self._db)
                await self._outside.__aexit__(None, None, None)
                return
        lost = translate(broken)
        if (
            self._nested
            or not isinstance(lost, ConnectionLostError)
            or await find_outcome(self._client, state.commit_checks, self._session, broken) is None
        ):
            raise lost or broken from broken

    def _pass_on(self, checks: list[CommitCheck]) -> None:
        """Pass a released savepoint's checks on to the enclosing block."""
        if self._nested:
            _state_of(self._client).commit_checks.extend(checks)

    async def _rollback_and_release(self, failure: BaseException | None) -> None:
        """Roll back and release the connection; terminate it if the failure means its loss."""
        lost = translate_loss(failure)
        try:
            if not isinstance(lost, ConnectionLostError):
                await (self._db.savepoint_rollback() if self._nested else self._db.rollback())
        except RAISED_BY_DRIVERS as error:  # the server rolls back when the connection ends
            log.debug("rolling back failed, the connection is gone: %r", error)
        finally:
            mark_finished(self._db)
            await self._outside.__aexit__(type(lost) if lost else None, lost, None)


@asynccontextmanager
async def take_turn(client: TransactionalDBClient) -> AsyncIterator[None]:
    """Hold a transaction's lock for the length of a block."""
    state = _state_of(client)
    async with state.lock:
        if state.ended or is_finished(client):
            raise StorageUnavailableError(
                "the transaction ended before this operation started: nothing happened"
            )
        yield
