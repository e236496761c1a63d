"""The three laws of every operation that writes, as one table.

1. Alone, it commits as a whole or changes nothing.
2. Inside the caller's transaction it joins it: the outer commit commits it, the outer rollback
   undoes it; several gathered inside one are run one after another.
3. Refused, it leaves the database as it was, and the caller's transaction usable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, Rows, TestData, make_transfer
from tortoise import transactions

import bytes_squads
from bytes_squads import (
    AlreadyInSquadError,
    BalanceOverflowError,
    BytesBalance,
    BytesConfigUpdate,
    BytesOperations,
    BytesSquadsError,
    DailyAlreadyClaimedError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    InvalidSnowflakeError,
    InvalidTextError,
    NotInSquadError,
    SquadCreate,
    SquadNotFoundError,
    SquadOperations,
    SquadRoleTakenError,
    SquadUpdate,
    StorageUnavailableError,
)
from bytes_squads.domain.ids import uuid7

NEWCOMER = "200000000000000009"
MAX = 2**63 - 1


@dataclass(frozen=True)
class World:
    """What an entry of the table acts on."""

    bytes: BytesOperations
    squads: SquadOperations
    data: TestData


@dataclass(frozen=True)
class Write:
    """An operation that writes: once as it succeeds, once as it is refused."""

    name: str
    succeed: Callable[[World], Awaitable[Any]]
    refused: Callable[[World], Awaitable[Any]]
    error: type[BytesSquadsError]


async def conflicting_key(world: World) -> None:
    await world.bytes.grant(GUILD, NEWCOMER, 1, idempotency_key="used for the squad")


WRITES = [
    Write(
        "get_balance",
        lambda w: w.bytes.get_balance(GUILD, NEWCOMER, "new"),
        lambda w: w.bytes.get_balance(GUILD, NEWCOMER, "\0"),
        InvalidTextError,
    ),
    Write(
        "update_config",
        lambda w: w.bytes.update_config(GUILD, BytesConfigUpdate(daily_amount=11)),
        lambda w: w.bytes.update_config(-1, BytesConfigUpdate(daily_amount=11)),
        InvalidSnowflakeError,
    ),
    Write(
        "create_transaction",
        lambda w: w.bytes.create_transaction(make_transfer(ALICE, NEWCOMER, 120)),
        lambda w: w.bytes.create_transaction(make_transfer(BOB, NEWCOMER, 201)),
        InsufficientBalanceError,
    ),
    Write(
        "claim_daily",
        lambda w: w.bytes.claim_daily(GUILD, NEWCOMER),
        lambda w: w.bytes.claim_daily(GUILD, CAROL),
        DailyAlreadyClaimedError,
    ),
    Write(
        "grant",
        lambda w: w.bytes.grant(GUILD, NEWCOMER, 5),
        lambda w: w.bytes.grant(GUILD, NEWCOMER, MAX),
        BalanceOverflowError,
    ),
    Write(
        "charge",
        lambda w: w.bytes.charge(GUILD, ALICE, 500),
        lambda w: w.bytes.charge(GUILD, NEWCOMER, 101),
        InsufficientBalanceError,
    ),
    Write(
        "grant_many",
        lambda w: w.bytes.grant_many(GUILD, {ALICE: 1, NEWCOMER: 2}, idempotency_key="event"),
        lambda w: w.bytes.grant_many(GUILD, {ALICE: MAX, NEWCOMER: 2}),
        BalanceOverflowError,
    ),
    Write(
        "create_squad",
        lambda w: w.squads.create_squad(SquadCreate(guild_id=GUILD, role_id=9, name="New")),
        lambda w: w.squads.create_squad(
            SquadCreate(guild_id=GUILD, role_id=w.data.red.role_id, name="New")
        ),
        SquadRoleTakenError,
    ),
    Write(
        "update_squad",
        lambda w: w.squads.update_squad(GUILD, w.data.red.id, SquadUpdate(name="Crimson")),
        lambda w: w.squads.update_squad(
            GUILD, w.data.red.id, SquadUpdate(name="Crimson", role_id=w.data.blue.role_id)
        ),
        SquadRoleTakenError,
    ),
    Write(
        "delete_squad",
        lambda w: w.squads.delete_squad(GUILD, w.data.red.id),
        lambda w: w.squads.delete_squad(GUILD, w.data.other_squad.id),
        SquadNotFoundError,
    ),
    Write(
        "join_squad",
        lambda w: w.squads.join_squad(GUILD, NEWCOMER, w.data.red.id),
        lambda w: w.squads.join_squad(GUILD, CAROL, w.data.red.id),
        InsufficientBalanceError,
    ),
    Write(
        "join_squad, free",
        lambda w: w.squads.join_squad(GUILD, NEWCOMER, w.data.blue.id),
        lambda w: w.squads.join_squad(GUILD, BOB, w.data.blue.id),
        AlreadyInSquadError,
    ),
    Write(
        "switch_squad",
        lambda w: w.squads.switch_squad(GUILD, BOB, w.data.red.id),
        lambda w: w.squads.switch_squad(GUILD, CAROL, w.data.red.id),
        NotInSquadError,
    ),
    Write(
        "leave_squad",
        lambda w: w.squads.leave_squad(GUILD, ALICE),
        lambda w: w.squads.leave_squad(GUILD, CAROL),
        NotInSquadError,
    ),
    Write(
        "an order with a used key",
        lambda w: w.bytes.grant(GUILD, NEWCOMER, 5, idempotency_key="fresh"),
        conflicting_key,
        IdempotencyConflictError,
    ),
]
TABLE = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)

OUTER = pytest.mark.parametrize(
    "outer",
    [bytes_squads.in_transaction, transactions.in_transaction],
    ids=["ours", "tortoise's"],
)
OpenOuter = Callable[[], AbstractAsyncContextManager[Any]]


class Undo(Exception):
    """Ends a caller's transaction."""


@pytest.fixture
async def world(
    bytes_ops: BytesOperations, squad_ops: SquadOperations, test_data: TestData
) -> World:
    """Operations on the test data; Carol has claimed, and one key is used."""
    await bytes_ops.claim_daily(GUILD, CAROL)
    await bytes_ops.charge(GUILD, BOB, 1, idempotency_key="used for the squad")
    await bytes_ops.grant(GUILD, BOB, 1)
    return World(bytes_ops, squad_ops, test_data)


ReadRows = Callable[[], Awaitable[Rows]]
Check = Callable[[], Awaitable[None]]


@TABLE
async def test_operation_alone_commits(
    write: Write, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """An operation's change is there when it returns, and the books balance."""
    before = await read_all_rows()
    await write.succeed(world)
    await assert_ledger_consistent()
    assert await read_all_rows() != before


@TABLE
async def test_refused_operation_alone_changes_nothing(
    write: Write, world: World, read_all_rows: ReadRows
) -> None:
    """A refused operation leaves every row of every table as it was."""
    before = await read_all_rows()
    with pytest.raises(write.error):
        await write.refused(world)
    assert await read_all_rows() == before


@TABLE
@OUTER
async def test_operation_in_a_block_commits_with_the_block(
    write: Write,
    outer: OpenOuter,
    world: World,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """An operation inside a caller's transaction is there after the caller's commit."""
    before = await read_all_rows()
    async with outer():
        await write.succeed(world)
    await assert_ledger_consistent()
    assert await read_all_rows() != before


@TABLE
@OUTER
async def test_operation_in_a_block_rolls_back_with_the_block(
    write: Write, outer: OpenOuter, world: World, read_all_rows: ReadRows
) -> None:
    """An operation inside a caller's transaction is gone after the caller's rollback."""
    before = await read_all_rows()
    with pytest.raises(Undo):
        async with outer():
            await write.succeed(world)
            raise Undo
    assert await read_all_rows() == before


@TABLE
@OUTER
async def test_refused_operation_leaves_the_block_usable(
    write: Write,
    outer: OpenOuter,
    world: World,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """After a refusal the caller's transaction goes on, and holds nothing of what was refused."""
    async with outer():
        await world.bytes.grant(GUILD, ALICE, 7)
    before = await read_all_rows()
    with pytest.raises(Undo):
        async with outer():
            with pytest.raises(write.error):
                await write.refused(world)
            assert (await world.bytes.get_balance(GUILD, ALICE)).balance == 507
            await world.bytes.grant(GUILD, ALICE, 1)
            assert (await world.bytes.get_balance(GUILD, ALICE)).balance == 508
            raise Undo
    await assert_ledger_consistent()
    assert await read_all_rows() == before


@TABLE
async def test_nested_block_undoes_only_itself(
    write: Write, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """A failed block inside a block takes its operations with it and leaves the outer one's."""
    async with bytes_squads.in_transaction():
        await world.bytes.grant(GUILD, BOB, 3)
        between = await read_all_rows()
        with pytest.raises(Undo):
            async with bytes_squads.in_transaction():
                await write.succeed(world)
                raise Undo
    await assert_ledger_consistent()
    assert await read_all_rows() == between


@OUTER
async def test_operations_gathered_in_a_block_run_one_after_another(
    outer: OpenOuter, world: World, assert_ledger_consistent: Check
) -> None:
    """Operations and reads gathered inside one transaction all happen, those refused excepted."""
    async with outer():
        answers = await asyncio.gather(
            *(world.bytes.create_transaction(make_transfer(BOB, NEWCOMER, 30)) for _ in range(10)),
            *(world.bytes.get_balance(GUILD, BOB) for _ in range(5)),
            *(world.bytes.get_leaderboard(GUILD) for _ in range(5)),
            return_exceptions=True,
        )
    await assert_ledger_consistent()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    # 200 bytes are six transfers of 30, and 20 over.
    assert [type(error) for error in refused] == [InsufficientBalanceError] * 4
    assert (await world.bytes.get_balance(GUILD, BOB)).balance == 20


async def test_blocks_gathered_in_a_block_do_not_mix(
    world: World, assert_ledger_consistent: Check
) -> None:
    """Blocks gathered inside one transaction take turns, and a failed one undoes only itself."""

    async def pay(number: int) -> None:
        async with bytes_squads.in_transaction():
            await world.bytes.grant(GUILD, NEWCOMER, 1)
            await asyncio.sleep(0)
            await world.bytes.grant(GUILD, NEWCOMER, 10)
            if number % 2:
                raise Undo

    async with bytes_squads.in_transaction():
        await asyncio.gather(*(pay(number) for number in range(6)), return_exceptions=True)
    await assert_ledger_consistent()
    # 100 to start with, and 11 from each of the three even blocks.
    assert (await world.bytes.get_balance(GUILD, NEWCOMER)).balance == 133


async def test_reads_gathered_in_a_block_wait_for_its_statements(world: World) -> None:
    """Reads gathered with the caller's own queries share the connection, one after another."""
    async with bytes_squads.in_transaction() as db:
        answers = await asyncio.gather(
            *(world.bytes.get_rank(GUILD, ALICE) for _ in range(5)),
            *(BytesBalance.filter(guild_id=GUILD).using_db(db).count() for _ in range(5)),
        )
    assert len({repr(answer) for answer in answers}) == 2


async def test_operations_waiting_at_the_rollback_are_refused(
    world: World, read_all_rows: ReadRows
) -> None:
    """Operations still waiting for their turn when the caller rolls back are refused."""
    before = await read_all_rows()
    tasks: list[asyncio.Task[Any]] = []
    with pytest.raises(Undo):
        async with bytes_squads.in_transaction():
            tasks += [asyncio.create_task(world.bytes.grant(GUILD, ALICE, 1000)) for _ in range(5)]
            await asyncio.sleep(0)
            raise Undo
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert await read_all_rows() == before
    assert StorageUnavailableError in {type(answer) for answer in answers}


async def test_operation_in_a_task_that_outlives_its_block_commits_alone(world: World) -> None:
    """An operation called in a task after the transaction it began in has ended commits alone."""
    ended = asyncio.Event()

    async def later() -> None:
        await ended.wait()
        await world.bytes.grant(GUILD, ALICE, 1)

    with pytest.raises(Undo):
        async with bytes_squads.in_transaction():
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
            raise Undo
    ended.set()
    await task
    assert (await world.bytes.get_balance(GUILD, ALICE)).balance == 501


async def test_block_commits_and_undoes_the_callers_own_writes(
    world: World, read_all_rows: ReadRows
) -> None:
    """What the caller writes through the block's connection stands or falls with the operations."""
    before = await read_all_rows()
    with pytest.raises(Undo):
        async with bytes_squads.in_transaction() as db:
            await BytesBalance.create(guild_id=GUILD, user_id="5", using_db=db)
            await BytesBalance.create(guild_id=GUILD, user_id="6")
            await world.bytes.grant(GUILD, "5", 1)
            raise Undo
    assert await read_all_rows() == before


async def test_join_squad_with_an_unknown_id_changes_nothing(
    world: World, read_all_rows: ReadRows
) -> None:
    """A squad that does not exist is refused before anything is touched."""
    before = await read_all_rows()
    with pytest.raises(SquadNotFoundError):
        await world.squads.join_squad(GUILD, NEWCOMER, uuid7())
    assert await read_all_rows() == before
