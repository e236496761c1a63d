"""The three laws of every operation that writes, as one table.

1. Alone, it commits as a whole or changes nothing.
2. Inside the caller's transaction it joins it: the outer commit commits it, the outer rollback
   undoes it; several gathered inside one are run one after another.
3. Refused, it leaves the database as it was, and the caller's transaction usable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, make_transfer
from helpers.assertions import Check, ReadRows, assert_refused, naming
from helpers.operations_table import (
    BALANCE,
    KNOWN,
    Case,
    Refusal,
    World,
    count_changes,
    each_case,
    each_refusal,
)
from tortoise import transactions

import bytes_squads
from bytes_squads import (
    BytesBalance,
    InsufficientBalanceError,
    SquadNotFoundError,
    StorageUnavailableError,
)
from bytes_squads.domain.ids import uuid7

NEWCOMER = "200000000000000009"
MEMBER = KNOWN[0]

OpenOuter = Callable[[], AbstractAsyncContextManager[Any]]
BLOCKS: dict[str, OpenOuter] = {
    "our block": bytes_squads.in_transaction,
    "Tortoise's block": transactions.in_transaction,
}
each_block = pytest.mark.parametrize("outer", BLOCKS.values(), ids=list(BLOCKS))


class Undo(Exception):
    """Ends a caller's transaction."""


@each_case
async def test_operation_commits_alone_and_with_the_callers_block(
    case: Case, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """An operation writes what the table says, alone and inside a caller's transaction."""
    places = {"alone": nullcontext} | BLOCKS
    for (place, outer), member in zip(places.items(), case.members, strict=False):
        with naming(place):
            await case.operation.get_ready(world, member)
            before = await read_all_rows()
            async with outer():
                await case.operation.run(world, member)
            await assert_ledger_consistent()
            assert count_changes(before, await read_all_rows()) == case.writes


@each_case
async def test_operation_rolls_back_with_the_callers_block(
    case: Case, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """An operation is gone after the rollback of the block it is in; an outer block goes on."""
    member = case.members[0]
    await case.operation.get_ready(world, member)
    before = await read_all_rows()
    for block, outer in BLOCKS.items():
        with naming(block):
            with pytest.raises(Undo):
                async with outer():
                    await case.operation.run(world, member)
                    raise Undo
            assert await read_all_rows() == before
    async with bytes_squads.in_transaction():
        await world.bytes.grant(GUILD, BOB, 3)
        between = await read_all_rows()
        with pytest.raises(Undo):
            async with bytes_squads.in_transaction():
                await case.operation.run(world, member)
                raise Undo
    await assert_ledger_consistent()
    assert await read_all_rows() == between


@each_refusal
async def test_refused_operation_changes_nothing(
    refusal: Refusal, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """A refused operation leaves every row as it was; a caller's transaction goes on after it."""
    await refusal.get_ready(world, MEMBER)
    async with assert_refused(refusal.error, read_all_rows):
        await refusal.run(world, MEMBER)
    before = await read_all_rows()
    balance = (await world.bytes.get_balance(GUILD, ALICE)).balance
    for block, outer in BLOCKS.items():
        with naming(block):
            with pytest.raises(Undo):
                async with outer():
                    with pytest.raises(refusal.error):
                        await refusal.run(world, MEMBER)
                    assert (await world.bytes.get_balance(GUILD, ALICE)).balance == balance
                    await world.bytes.grant(GUILD, ALICE, 1)
                    assert (await world.bytes.get_balance(GUILD, ALICE)).balance == balance + 1
                    raise Undo
            await assert_ledger_consistent()
            assert await read_all_rows() == before


@each_block
async def test_operations_gathered_in_a_block_run_one_after_another(
    outer: OpenOuter, world: World, assert_ledger_consistent: Check
) -> None:
    """Operations and reads gathered inside one transaction run one after another."""
    async with outer():
        answers = await asyncio.gather(
            *(
                world.bytes.create_transaction(make_transfer(BOB, NEWCOMER, 1_500))
                for _ in range(10)
            ),
            *(world.bytes.get_balance(GUILD, BOB) for _ in range(5)),
            *(world.bytes.get_leaderboard(GUILD) for _ in range(5)),
            return_exceptions=True,
        )
    await assert_ledger_consistent()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    # 10,000 bytes are six transfers of 1,500, and 1,000 over.
    assert [type(error) for error in refused] == [InsufficientBalanceError] * 4
    assert (await world.bytes.get_balance(GUILD, BOB)).balance == 1_000


async def test_blocks_gathered_in_a_block_do_not_mix(
    world: World, assert_ledger_consistent: Check
) -> None:
    """Gathered inner blocks run one after another, and a failed one undoes only itself."""

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
    """Operations that have not begun when the caller rolls back are refused."""
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
    assert (await world.bytes.get_balance(GUILD, ALICE)).balance == BALANCE + 1


async def test_block_commits_and_undoes_the_callers_own_writes(
    world: World, read_all_rows: ReadRows
) -> None:
    """The caller's writes on the block's connection commit or roll back with the operations."""
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
    """A squad that does not exist is refused, and nothing is written."""
    before = await read_all_rows()
    with pytest.raises(SquadNotFoundError):
        await world.squads.join_squad(GUILD, NEWCOMER, uuid7())
    assert await read_all_rows() == before
