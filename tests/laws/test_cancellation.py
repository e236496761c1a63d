"""Cancelled, timed out, abandoned operations: whole or nothing, without a leak."""

from __future__ import annotations

import asyncio
import random
import sys
import textwrap
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, Database, make_transfer
from helpers.assertions import Check, ReadRows
from helpers.operations_table import Case, World, count_changes, each_case
from tortoise.backends.asyncpg.client import TransactionWrapper as AsyncpgTransaction
from tortoise.backends.sqlite.client import SqliteTransactionWrapper as SqliteTransaction

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    OutcomeUnknownError,
    SquadOperations,
    StorageUnavailableError,
)
from bytes_squads.engine._tortoise import pool_of, sqlite_connection, sqlite_lock
from bytes_squads.engine.connections import current_client
from bytes_squads.engine.tasks import running_tasks as running

ROUNDS = 2_000
AT_ONCE = 20


async def settled() -> None:
    """Wait until every operation that was cancelled has ended."""
    while tasks := [task for task in running if not task.done()]:
        await asyncio.wait(tasks)
    await asyncio.sleep(0)


async def assert_nothing_leaked(db: Database) -> None:
    """Every pooled connection is back; SQLite's one connection is free and in no transaction."""
    await settled()
    client: Any = current_client()
    if db.is_postgres:
        assert pool_of(client).get_idle_size() == pool_of(client).get_size()
    else:
        assert not sqlite_lock(client).locked()
        assert not sqlite_connection(client).in_transaction


async def cancelled_after(steps: int, work: Awaitable[Any]) -> None:
    """Start the work, run so many iterations of the event loop, cancel it."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def timed_out_after(seconds: float, work: Awaitable[Any]) -> None:
    """Do the work under a deadline."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except (TimeoutError, BytesSquadsError):
        pass


@pytest.fixture
def chance() -> random.Random:
    """The same chance each time."""
    return random.Random(42)


@pytest.fixture
def act(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, chance: random.Random
) -> Callable[[], Awaitable[Any]]:
    """One thing of many that a bot does, alone or in the caller's own transaction."""

    async def in_a_block() -> None:
        async with bytes_squads.in_transaction() as db:
            await bytes_ops.create_transaction(make_transfer())
            await BytesBalance.filter(guild_id=GUILD).using_db(db).count()
            await bytes_ops.create_transaction(make_transfer(BOB, ALICE))

    async def nested() -> None:
        async with bytes_squads.in_transaction():
            await asyncio.gather(
                bytes_ops.grant(GUILD, ALICE, 1),
                bytes_ops.create_transaction(make_transfer()),
            )
            async with bytes_squads.in_transaction():
                await bytes_ops.charge(GUILD, BOB, 1)

    async def survived() -> None:
        async with bytes_squads.in_transaction():
            await timed_out_after(chance.random() / 1000, bytes_ops.grant(GUILD, BOB, 5))
            await bytes_ops.grant(GUILD, ALICE, 1)

    actions: list[Callable[[], Awaitable[Any]]] = [
        lambda: bytes_ops.create_transaction(make_transfer()),
        lambda: bytes_ops.create_transaction(make_transfer(BOB, ALICE)),
        lambda: bytes_ops.grant(GUILD, chance.randint(1, 50), 3),
        lambda: bytes_ops.claim_daily(GUILD, chance.randint(1, 500)),
        lambda: bytes_ops.get_balance(GUILD, chance.randint(1, 500)),
        lambda: bytes_ops.get_leaderboard(GUILD),
        lambda: bytes_ops.grant_many(GUILD, {ALICE: 1, BOB: 1}),
        in_a_block,
        nested,
        survived,
    ]
    return lambda: chance.choice(actions)()  # noqa: PLW0108  # another choice each time


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_operations_interrupted_two_thousand_times_leak_nothing(
    how: str,
    act: Callable[[], Awaitable[Any]],
    chance: random.Random,
    db: Database,
    bytes_ops: BytesOperations,
    assert_ledger_consistent: Check,
) -> None:
    """Operations and blocks interrupted anywhere leave no lock and are whole or undone."""
    await bytes_ops.grant(GUILD, ALICE, 10_000)
    await bytes_ops.grant(GUILD, BOB, 10_000)
    async with asyncio.timeout(120):
        for _ in range(ROUNDS // AT_ONCE):
            if how == "cancelled":
                work = [cancelled_after(chance.randint(0, 40), act()) for _ in range(AT_ONCE)]
            else:
                work = [timed_out_after(chance.random() / 50, act()) for _ in range(AT_ONCE)]
            await asyncio.gather(*work)
        await assert_nothing_leaked(db)
        await bytes_ops.grant(GUILD, ALICE, 1)
    await assert_ledger_consistent()


@each_case
async def test_operation_cancelled_at_every_step_is_whole_or_nothing(
    case: Case,
    db: Database,
    world: World,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """An operation cancelled after some iterations of the event loop is whole or nothing."""
    ends = []
    before = await read_all_rows()
    for steps, member in zip(range(0, 60, 4), case.members, strict=False):
        if case.operation.prepare is not None:
            await case.operation.get_ready(world, member)
            before = await read_all_rows()
        await cancelled_after(steps, case.operation.run(world, member))
        await assert_nothing_leaked(db)
        after = await read_all_rows()
        ends.append(count_changes(before, after))
        before = after
    await assert_ledger_consistent()
    assert all(end in ({}, case.writes) for end in ends)
    assert case.writes in ends


async def test_block_cancelled_at_every_step_is_undone_or_committed(
    db: Database, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """A caller's block of two movements, cancelled anywhere, has both or neither."""

    async def block() -> None:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
            await bytes_ops.grant(GUILD, BOB, 1)

    for steps in range(0, 120, 2):
        await cancelled_after(steps, block())
    await assert_nothing_leaked(db)
    await assert_ledger_consistent()
    both = [
        await BytesTransaction.filter(kind="grant", receiver_id=m).count() for m in (ALICE, BOB)
    ]
    assert both[0] == both[1]


async def test_block_cancelled_again_and_again_leaks_nothing(
    db: Database, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """A block cancelled at each iteration of the event loop releases its connection."""
    await bytes_ops.get_balance(GUILD, ALICE)

    async def block() -> None:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)

    ends: Counter[str] = Counter()
    for steps in range(60):
        task = asyncio.create_task(block())
        for _ in range(steps):
            await asyncio.sleep(0)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        ends[type((await asyncio.gather(task, return_exceptions=True))[0]).__name__] += 1
    await assert_nothing_leaked(db)
    await assert_ledger_consistent()
    assert ends.keys() <= {"CancelledError", "NoneType"}
    assert ends["CancelledError"] > 0


async def test_operation_goes_on_after_its_caller_was_cancelled(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """Cancelling the caller of an operation does not stop the operation."""
    task = asyncio.create_task(bytes_ops.grant(GUILD, ALICE, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()
    await assert_ledger_consistent()
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 101


async def test_operation_in_a_block_ends_when_it_is_cancelled(
    db: Database, bytes_ops: BytesOperations, read_all_rows: Callable[[], Awaitable[Any]]
) -> None:
    """A cancelled block of the caller undoes the operation inside it."""
    before = await read_all_rows()

    async def block() -> None:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
            await asyncio.sleep(3600)

    task = asyncio.create_task(block())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_nothing_leaked(db)
    assert await read_all_rows() == before


async def test_block_goes_on_after_a_timeout_inside_it(
    bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """After a timeout of an operation inside it, a block can commit."""
    async with bytes_squads.in_transaction():
        for milliseconds in range(20):
            await timed_out_after(milliseconds / 4000, bytes_ops.grant(GUILD, ALICE, 5))
            await bytes_ops.grant(GUILD, BOB, 1)
    await assert_ledger_consistent()
    assert (await bytes_ops.get_balance(GUILD, BOB)).balance == 120


async def test_close_waits_for_operations_and_refuses_new_ones(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operations in progress are finished, and new ones are refused."""
    await bytes_squads.upgrade(empty_url)
    await bytes_squads.init(empty_url)
    operations = BytesOperations()
    tasks = [asyncio.create_task(operations.grant(GUILD, ALICE, 1)) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    refused = 0

    async def keep_coming() -> None:
        nonlocal refused
        while True:
            try:
                await operations.grant(GUILD, BOB, 1)
            except StorageUnavailableError:
                refused += 1
            await asyncio.sleep(0.001)

    await asyncio.sleep(0.01)
    visitors = asyncio.create_task(keep_coming())
    async with asyncio.timeout(10):
        await bytes_squads.close()
    done = await asyncio.gather(*tasks)
    await asyncio.sleep(0.01)
    visitors.cancel()
    await bytes_squads.init(empty_url)
    report = await operations.verify()
    alice = await operations.get_balance(GUILD, ALICE)
    await bytes_squads.close()
    assert report.ok
    assert refused > 0
    assert (len(done), alice.balance) == (20, 120)


async def test_close_gives_up_an_operation_that_does_not_end(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing stops waiting for an operation after its timeout."""
    monkeypatch.setattr("bytes_squads.database.CLOSE_TIMEOUT", 0.3)
    await bytes_squads.upgrade(empty_url)
    await bytes_squads.init(empty_url)
    operations = BytesOperations()
    entered = asyncio.Event()

    async def hold() -> None:
        async with bytes_squads.in_transaction():
            await operations.grant(GUILD, ALICE, 1)
            entered.set()
            await asyncio.sleep(3600)

    holder = asyncio.create_task(hold())
    await entered.wait()
    waiting = asyncio.create_task(operations.grant(GUILD, ALICE, 1))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await bytes_squads.close()
    holder.cancel()
    await asyncio.gather(holder, waiting, return_exceptions=True)
    await bytes_squads.init(empty_url)
    report = await operations.verify()
    await bytes_squads.close()
    assert report.ok
    assert isinstance(waiting.exception(), StorageUnavailableError)


@pytest.mark.parametrize("how", ["in a block", "at once"])
async def test_close_during_a_commit_leaves_the_outcome_unknown(
    how: str, backend: str, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A COMMIT that closing has stopped waiting for is OutcomeUnknownError."""
    monkeypatch.setattr("bytes_squads.database.CLOSE_TIMEOUT", 0.1)
    await bytes_squads.upgrade(empty_url)
    await bytes_squads.init(empty_url)
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    committing = asyncio.Event()

    async def never(*arguments: Any) -> None:
        committing.set()
        await asyncio.sleep(3600)

    if how == "in a block":
        for wrapper in (AsyncpgTransaction, SqliteTransaction):
            monkeypatch.setattr(wrapper, "commit", never)
    else:
        monkeypatch.setattr("bytes_squads.engine.operation.execute_autocommit", never)
    member = BOB if how == "in a block" else ALICE  # a new member is made known in a block
    task = asyncio.create_task(operations.grant(GUILD, member, 10, idempotency_key="click"))
    async with asyncio.timeout(5):
        await committing.wait()
        await bytes_squads.close()
    with pytest.raises(OutcomeUnknownError):
        await task
    monkeypatch.undo()
    await bytes_squads.init(empty_url)
    await operations.grant(GUILD, member, 10, idempotency_key="click")
    balance = await operations.get_balance(GUILD, member)
    await bytes_squads.close()
    assert balance.balance == 110


ABANDONED = """
    import asyncio, os, sys
    import bytes_squads
    from bytes_squads import BytesOperations

    async def main():
        await bytes_squads.init(sys.argv[1])
        operations = BytesOperations()
        tasks = [asyncio.ensure_future(operations.grant(1, 2, 1)) for _ in range(100)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    asyncio.run(main())  # cancels what is left, without close()
    os._exit(0)
"""


async def test_process_that_exits_leaves_each_operation_whole(migrated_url: str) -> None:
    """A process that exits without close() leaves each operation whole or undone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(ABANDONED),
        migrated_url,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    assert (process.returncode, b"unhandled exception" in said) == (0, False)
    await bytes_squads.init(migrated_url)
    report = await BytesOperations().verify()
    await bytes_squads.close()
    assert report.ok
    assert report.transactions >= 2
