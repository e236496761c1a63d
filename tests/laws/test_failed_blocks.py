"""Blocks in which a statement fails, and how often a contended row is retried."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD, Clock, Database
from helpers.citus import ON_CITUS
from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.exceptions import OperationalError
from tortoise.log import db_client_logger
from tortoise.transactions import in_transaction as tortoise_in_transaction

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    OutcomeUnknownError,
    SquadCreate,
    SquadOperations,
    StorageUnavailableError,
)
from bytes_squads.engine._tortoise import find_socket
from bytes_squads.engine.connections import current_client
from bytes_squads.sql.squads import JOIN_SQUAD


@pytest.fixture
def after_commit(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Any], Awaitable[None]]]:
    """Return a list; its function is called with the connection after the next outermost COMMIT."""
    commit = TransactionWrapper.commit
    hooks: list[Callable[[Any], Awaitable[None]]] = []

    async def hooked(self: TransactionWrapper) -> None:
        await commit(self)
        if hooks and not isinstance(self._parent, TransactionWrapper):
            await hooks.pop()(self._connection)

    monkeypatch.setattr(TransactionWrapper, "commit", hooked)
    return hooks


async def lose(connection: Any) -> None:
    """Break the connection as if COMMIT's answer had been lost."""
    connection.terminate()
    raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")


async def committed(block: Callable[[], Awaitable[None]]) -> bool | None:
    """Return the outcome of a block: committed, not committed, or unknown."""
    try:
        async with bytes_squads.in_transaction():
            await block()
    except OutcomeUnknownError:
        return None
    except StorageUnavailableError:
        return False
    return True


async def count_grants() -> int:
    """Return how many grants the ledger has."""
    return await BytesTransaction.filter(kind="grant").count()


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["cancelled", "refused by the server"])
async def test_block_with_a_failed_read_is_committed(
    how: str, db: Database, bytes_ops: BytesOperations, squad_ops: SquadOperations
) -> None:
    """A block whose read timed out, and which ends without an error, is committed."""
    await bytes_ops.get_balance(GUILD, ALICE)
    other = await asyncpg.connect(db.url)
    try:
        await other.execute("BEGIN; LOCK TABLE squads IN ACCESS EXCLUSIVE MODE")
        async with bytes_squads.in_transaction() as block:
            await bytes_ops.grant(GUILD, ALICE, 5)
            if how == "cancelled":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await squad_ops.get_guild_squads(GUILD)
            else:
                await block.execute_query("SET LOCAL statement_timeout = 100")
                with contextlib.suppress(BytesSquadsError):
                    await squad_ops.get_guild_squads(GUILD)
            await asyncio.sleep(0.2)  # until the server has cancelled the statement
    finally:
        await other.close()
    assert await count_grants() == 1


async def test_block_that_ends_without_an_error_is_committed(
    db: Database, bytes_ops: BytesOperations
) -> None:
    """A block ends without an error exactly if it is committed."""
    await bytes_ops.get_balance(GUILD, ALICE)

    async def block() -> None:
        await bytes_ops.grant(GUILD, ALICE, 5)
        with contextlib.suppress(OperationalError):  # a caller's own statement, and its own mistake
            await current_client().execute_query("SELECT * FROM no_such_table")

    outcome = await committed(block)
    assert (await count_grants() == 1) is outcome


@pytest.mark.postgres
async def test_committed_block_does_not_raise_when_its_connection_ends(
    db: Database, bytes_ops: BytesOperations, after_commit: list[Any]
) -> None:
    """A server process that ends between a block's COMMIT and its release is no error."""
    await bytes_ops.get_balance(GUILD, ALICE)

    async def end(connection: Any) -> None:
        other = await asyncpg.connect(db.url)
        await other.execute("SELECT pg_terminate_backend($1::int)", connection.get_server_pid())
        await other.close()

    for _ in range(5):
        after_commit.append(end)
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
    assert await count_grants() == 5


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["grant", "claim_daily", "join_squad"])
async def test_operation_of_a_new_member_whose_connection_breaks_after_its_commit_is_done(
    name: str,
    db: Database,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    after_commit: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that breaks after COMMIT was answered does not make the operation fail."""
    monkeypatch.setattr("bytes_squads.engine.commit_checks.RETRY_DEADLINE", 1.0)
    squad = await squad_ops.create_squad(
        SquadCreate(guild_id=GUILD, role_id=9, name="Free", switch_cost=0)
    )

    async def abort(connection: Any) -> None:
        find_socket(connection).shutdown(socket.SHUT_RDWR)

    after_commit.append(abort)
    if name == "grant":
        await bytes_ops.grant(GUILD, ALICE, 1)
    elif name == "claim_daily":
        await bytes_ops.claim_daily(GUILD, ALICE)
    else:
        await squad_ops.join_squad(GUILD, ALICE, squad.id)


@pytest.mark.postgres
async def test_block_with_an_undone_savepoint_of_the_orm_is_committed(
    db: Database, bytes_ops: BytesOperations, after_commit: list[Any]
) -> None:
    """A block is committed although its last grant was undone by the ORM's own savepoint."""
    await bytes_ops.grant_many(GUILD, {ALICE: 1, BOB: 1})
    before = await count_grants()

    async def block() -> None:
        await bytes_ops.grant(GUILD, BOB, 1)
        with contextlib.suppress(ZeroDivisionError):
            async with tortoise_in_transaction("default"):
                await bytes_ops.grant(GUILD, ALICE, 3)
                raise ZeroDivisionError

    after_commit.append(lose)
    outcome = await committed(block)
    assert await count_grants() == before + 1
    assert outcome is not False


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["get_balance", "update_config twice"])
async def test_block_with_one_checked_write_has_a_known_outcome(
    name: str, db: Database, bytes_ops: BytesOperations, after_commit: list[Any]
) -> None:
    """A block with one write that has a commit check is found to be committed."""

    async def block() -> None:
        if name == "get_balance":
            await bytes_ops.get_balance(GUILD, ALICE)
        else:
            await bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=3))
            await bytes_ops.update_config(GUILD, BytesConfigUpdate(max_transfer=4))

    after_commit.append(lose)
    assert await committed(block) is True


@pytest.mark.postgres
async def test_claim_daily_of_a_busy_member_is_paid(
    db: Database, bytes_ops: BytesOperations, clock: Clock
) -> None:
    """Claims on six dates succeed while grants to the same member go on."""
    await bytes_squads.close()
    await bytes_squads.init(f"{db.url}{'&' if '?' in db.url else '?'}maxsize=32")
    await bytes_ops.get_balance(GUILD, ALICE)
    paid = asyncio.Event()

    async def keep_granting() -> None:
        while not paid.is_set():
            await bytes_ops.grant(GUILD, ALICE, 1)

    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(keep_granting())
        await asyncio.sleep(0.3)
        try:
            for _ in range(6):
                async with asyncio.timeout(30 if ON_CITUS else 4):
                    await bytes_ops.claim_daily(GUILD, ALICE)
                clock.now += timedelta(days=1)
        finally:
            paid.set()


@pytest.mark.postgres
async def test_join_squad_of_limited_size_executes_at_most_three_times(
    db: Database,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each of 150 members who join at once executes its statement three times at the most.

    The first may find the squad's row changed; so may the second, in a transaction, while it waits
    for the lock; the third has it. So the number does not depend on how many others wait.
    """
    await bytes_squads.close()
    await bytes_squads.init(f"{db.url}{'&' if '?' in db.url else '?'}maxsize=50")
    members = [str(number) for number in range(10_000, 10_150)]
    await bytes_ops.grant_many(GUILD, dict.fromkeys(members, 1))
    squad = await squad_ops.create_squad(
        SquadCreate(guild_id=GUILD, role_id=9, name="Big", switch_cost=1, max_members=200)
    )
    with caplog.at_level(logging.DEBUG, db_client_logger.name):
        await asyncio.gather(*(squad_ops.join_squad(GUILD, member, squad.id) for member in members))
    calls = [record.args for record in caplog.records if isinstance(record.args, tuple)]
    executions = Counter(
        values[2]
        for statement, values in (call for call in calls if len(call) == 2)
        if statement == JOIN_SQUAD.postgres and isinstance(values, tuple)
    )
    assert sorted(executions) == members
    assert 1 < max(executions.values()) <= 3
