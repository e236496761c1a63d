"""One way to run a unit of work: cancel-safe, retried, its errors translated.

The shape of every operation::

    @operation
    async def leave_squad(self, ...):
        async with in_transaction() as db:
            ...

`operation` runs the method in a task of its own behind a `shield` when it is not already inside
a transaction: whoever awaits it may be cancelled at any point, the unit of work goes on to its end.
Conflicts and lost connections are retried there. Inside a caller's transaction the method runs
in the caller's task, without retries: the caller keeps control.

`in_transaction` opens a transaction, or a savepoint inside one. Where Tortoise's own takes
a connection and only then begins, and loses the connection for good when the task is cancelled
in between, this one gives it back whatever happens. A block holds the lock of the block around it,
so that units gathered inside one transaction run one after another; savepoints would otherwise
interleave on the one connection.

A connection that breaks while COMMIT is under way leaves the outcome open. Each operation
therefore leaves a `trace`: a question whose answer tells whether its transaction was committed.
The block asks it on a new connection and goes on as if nothing had happened, or starts anew.
"""

from __future__ import annotations

import asyncio
import random
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.connection import ConnectionToken, get_connections

from ..domain.errors import OutcomeUnknownError, StorageUnavailableError
from ..domain.ids import Uuid7Batch
from ..sql.statement import Pair, Statement
from .commit_checks import BACKEND_RUNS
from .connections import Loan, apart, begin, borrowed, current_client, log, server_pid, wrapper
from .driver_errors import DRIVER_ERRORS, FAILURES, ConnectionLostError, TransientError, meaning
from .tasks import closing, detached, finish

RETRY_SECONDS = 15.0
"""Seconds after which an operation that keeps meeting conflicts or a lost server gives up."""

CLOSED = "the database was closed meanwhile"

FIRST_BACKOFF = 0.02
LONGEST_BACKOFF = 1.0

T = TypeVar("T")
P = ParamSpec("P")
Self_ = TypeVar("Self_")


Trace = tuple[Statement, tuple[Any, ...]]
"""A question, and its values, that finds a row if, and only if, a transaction was committed."""


class _Scope:
    """What a transaction or savepoint needs beside its connection."""

    __slots__ = ("ended", "lock", "trace")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.ended = False
        self.trace: Trace | None = None


class _Operation:
    """An operation under way."""

    __slots__ = ("attempt", "client", "ids")

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self.client = client
        self.attempt = 1
        self.ids: Uuid7Batch | None = None


_scopes: weakref.WeakKeyDictionary[BaseDBAsyncClient, _Scope] = weakref.WeakKeyDictionary()
_operation: ContextVar[_Operation] = ContextVar("bytes_squads_operation")


def operation(
    method: Callable[Concatenate[Self_, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Self_, P], Coroutine[Any, Any, T]]:
    """Make a method one unit of work: as a whole or not at all, whatever happens to its caller.

    Raises:
        StorageUnavailableError: Nothing happened: the database was not open, not reached within
            `connections.POOL_TIMEOUT`, or in conflict throughout `RETRY_SECONDS`.
        OutcomeUnknownError: The connection broke while committing, and the database stayed away
            for `RETRY_SECONDS`.
    """

    @wraps(method)
    async def call(self: Self_, /, *args: P.args, **kwargs: P.kwargs) -> T:
        this = _Operation(current_client())
        token = _operation.set(this)
        try:
            if isinstance(this.client, TransactionalDBClient):
                return await _translated(method(self, *args, **kwargs))
            return await detached(lambda: _attempts(this, lambda: method(self, *args, **kwargs)))
        finally:
            _operation.reset(token)

    return call


def operation_ids(count: int) -> Uuid7Batch:
    """The running operation's ids for ledger rows and squads, in the order of time.

    Drawn once and the same in each of its attempts: so an attempt whose COMMIT broke can be told
    from one that never happened.

    Args:
        count: How many the operation needs in all, the same at each call.
    """
    this = _operation.get()
    if this.ids is None:
        this.ids = Uuid7Batch(count)
    return this.ids


def retried() -> bool:
    """Whether this is not the running operation's first attempt."""
    return _operation.get().attempt > 1


def in_transaction(
    connection_name: str | None = None,
) -> AbstractAsyncContextManager[TransactionalDBClient]:
    """Tortoise's ``in_transaction``, safe to cancel at any await.

    The block commits when it ends, and rolls back when it raises. Inside another block it is
    a savepoint. Operations of this package inside the block join it; those gathered in it run one
    after another, and one that had not begun when the block ended is refused.

    Args:
        connection_name: The connection's name in Tortoise's config; by default that of the models.

    Raises:
        StorageUnavailableError: The database was not open or not reached; nothing was committed.
        OutcomeUnknownError: The connection broke while committing and the outcome could not
            be found out.
    """
    return _Block(connection_name)


@asynccontextmanager
async def reading() -> AsyncIterator[BaseDBAsyncClient]:
    """A connection for reads: the transaction that this task is in, or one of its own."""
    client = current_client()
    if isinstance(client, TransactionalDBClient):
        async with _inside(client):
            yield client
    else:
        async with borrowed(client) as db:
            yield db


async def ask(statement: Statement, *values: Any) -> list[Any]:
    """Let an operation read with one statement.

    Args:
        statement: A SELECT.
        values: Its values.

    Returns:
        The rows, each a mapping.
    """
    client = _operation.get().client
    if isinstance(client, TransactionalDBClient):
        async with _inside(client):
            return await statement.rows(client, *values)
    async with Loan(client) as connection:
        return await statement.ask(connection, *values)


async def at_once(pair: Pair, *values: Any, trace: Trace) -> bool:
    """Let a pair of statements happen as a transaction of its own, in one round trip.

    Not in a caller's transaction, where it could not be undone alone; and not when the operation is
    repeated, which has to look for its key first.

    Returns:
        Whether it happened; if not, nothing did.

    Raises:
        OutcomeUnknownError: As `in_transaction` does.
    """
    this = _operation.get()
    if this.attempt > 1 or isinstance(this.client, TransactionalDBClient):
        return False
    pid = None
    try:
        async with Loan(this.client) as connection:
            pid = server_pid(connection)
            return await pair.happens_alone(connection, *values)
    except asyncio.CancelledError:  # by close() when it has waited long enough
        if pid is None or not closing():
            raise  # pragma: no cover  # the event loop ends; tested in a process of its own
        raise OutcomeUnknownError(CLOSED) from None
    except DRIVER_ERRORS as error:
        lost = meaning(error)
        if (
            pid is None  # not even a connection
            or not isinstance(lost, ConnectionLostError)
            or not await _was_committed(this.client, trace, pid, error)
        ):
            raise lost or error from error
        return True


def leave_trace(db: BaseDBAsyncClient, statement: Statement, *values: Any) -> None:
    """Name the question that tells, after a broken COMMIT, whether this transaction happened.

    Args:
        db: The transaction, as `in_transaction` gave it.
        statement: A SELECT that finds a row if, and only if, the transaction was committed.
        values: Its values.
    """
    _scope(db).trace = (statement, values)


class _Block:
    """One transaction, or one savepoint inside it."""

    _client: BaseDBAsyncClient
    _nested: bool
    _pid: int
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
                self._outside = _inside(client)
                await self._outside.__aenter__()
                self._db = wrapper(client)
                start: Callable[[], Awaitable[Any]] = self._db.savepoint
            else:
                self._outside = borrowed(client)
                self._db = await self._outside.__aenter__()
                start = begin(self._db)
            try:
                await finish(start())
                self._pid = server_pid(cast("Any", self._db)._connection)
            except BaseException:
                await finish(self._leave())
                raise
        except DRIVER_ERRORS as error:
            raise meaning(error) or error from error
        self._token = get_connections().set(self._db.connection_name, self._db)
        return self._db

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        get_connections().reset(self._token)
        await finish(self._end(committing=exc_type is None))

    async def _end(self, *, committing: bool) -> None:
        """Commit or undo, and give the connection back whatever comes of it."""
        scope = _scope(self._db)
        scope.ended = True
        async with scope.lock:  # whatever is still running inside ends first
            if not committing:
                await self._leave()
                return
            try:
                await (self._db.release_savepoint() if self._nested else self._db.commit())
            except DRIVER_ERRORS as error:
                broken = error
                await self._leave()
            except asyncio.CancelledError:  # by close() when it has waited long enough
                await self._leave()
                if not closing():
                    raise  # pragma: no cover  # likewise
                raise OutcomeUnknownError(CLOSED) from None
            else:
                if self._nested and scope.trace:
                    _scope(self._client).trace = scope.trace
                self._db._finalized = True
                await self._outside.__aexit__(None, None, None)
                return
        lost = meaning(broken)
        if (
            self._nested
            or not isinstance(lost, ConnectionLostError)
            or not await _was_committed(self._client, scope.trace, self._pid, broken)
        ):
            raise lost or broken from broken

    async def _leave(self) -> None:
        """Undo, as far as the connection still allows, and give the connection back."""
        try:
            await (self._db.savepoint_rollback() if self._nested else self._db.rollback())
        except FAILURES as error:  # a server that is gone has undone it itself
            log.debug("undoing failed, the connection is gone: %r", error)
        finally:
            self._db._finalized = True
            await self._outside.__aexit__(None, None, None)


async def _was_committed(
    client: BaseDBAsyncClient, trace: Trace | None, pid: int, broken: Exception
) -> bool:
    """Whether the transaction happened whose connection broke during COMMIT."""
    unknown = OutcomeUnknownError("the connection broke while committing, the outcome is unknown")
    if trace is None:
        raise unknown from broken
    statement, values = trace
    try:
        async with asyncio.timeout(RETRY_SECONDS):
            for attempt in range(1_000_000):
                try:
                    async with apart(client) as db:
                        # The old server process may still be committing: first it must be gone,
                        # then the question is asked, with a view of the data taken after that.
                        if not await BACKEND_RUNS.rows(db, pid):
                            return bool(await statement.rows(db, *values))
                except DRIVER_ERRORS as error:
                    log.debug("asking for the outcome of a COMMIT failed: %r", error)
                await asyncio.sleep(_backoff(attempt))
    except TimeoutError:
        pass
    raise unknown from broken


async def _attempts(this: _Operation, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the unit of work until it ends in something else than a conflict or a lost connection."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + RETRY_SECONDS
    while True:
        try:
            return await _translated(work())
        except TransientError as error:
            pause = _backoff(this.attempt)
            if loop.time() + pause > deadline:
                raise StorageUnavailableError(
                    f"{error} (gave up after {this.attempt} attempts)"
                ) from error.__cause__
            log.debug("attempt %d: %s", this.attempt, error)
        await asyncio.sleep(pause)
        this.attempt += 1


def _backoff(attempt: int) -> float:
    """Seconds to wait before the next attempt: doubling, with full jitter."""
    return random.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempt, 16)))


async def _translated(work: Awaitable[T]) -> T:
    try:
        return await work
    except FAILURES as error:
        told = meaning(error)
        if told is None:
            raise
        raise told from error


@asynccontextmanager
async def _inside(client: TransactionalDBClient) -> AsyncIterator[None]:
    """Take one's turn on a transaction's connection."""
    scope = _scope(client)
    async with scope.lock:
        if scope.ended or client._finalized:
            raise StorageUnavailableError(
                "the transaction that this was a part of ended before its turn: nothing happened"
            )
        yield


def _scope(client: BaseDBAsyncClient) -> _Scope:
    scope = _scopes.get(client)
    if scope is None:
        scope = _scopes[client] = _Scope()
    return scope
