"""`delete_guild` deletes every row of the guild, and no row of another."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD, Rows, TestData, make_transfer
from helpers.assertions import Check, ReadRows

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesConfigUpdate,
    BytesOperations,
    GuildOperations,
    InvalidSnowflakeError,
    SquadCreate,
    SquadOperations,
)
from bytes_squads.operations import guilds


def rows_of(rows: Rows, guild: str) -> Rows:
    """The guild's rows by table."""
    return {
        table: [row for row in stored if row["guild_id"] == guild] for table, stored in rows.items()
    }


async def test_delete_guild_deletes_every_row_of_the_guild_and_no_other(
    guild_ops: GuildOperations, test_data: TestData, read_all_rows: ReadRows
) -> None:
    """All five tables; the other guild is as it was."""
    before = await read_all_rows()
    assert all(rows_of(before, GUILD).values())
    await guild_ops.delete_guild(int(GUILD))
    after = await read_all_rows()
    assert not any(rows_of(after, GUILD).values())
    assert after == rows_of(before, OTHER_GUILD)


async def test_delete_guild_twice_is_no_error(
    guild_ops: GuildOperations, test_data: TestData, read_all_rows: ReadRows
) -> None:
    """A guild without rows is deleted as well."""
    await guild_ops.delete_guild(GUILD)
    before = await read_all_rows()
    await guild_ops.delete_guild(GUILD)
    assert await read_all_rows() == before


async def test_delete_guild_frees_the_keys(
    guild_ops: GuildOperations, bytes_ops: BytesOperations, assert_ledger_consistent: Check
) -> None:
    """The next operation begins a new guild, in which a used key is free."""
    first = await bytes_ops.grant(GUILD, ALICE, 5, idempotency_key="key")
    await guild_ops.delete_guild(GUILD)
    again = await bytes_ops.grant(GUILD, ALICE, 5, idempotency_key="key")
    await assert_ledger_consistent()
    assert again.id != first.id
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 105


async def test_delete_guild_in_a_block_lets_the_block_begin_a_new_guild(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    assert_ledger_consistent: Check,
) -> None:
    """Operations after it in the block begin a new guild."""
    async with bytes_squads.in_transaction():
        await guild_ops.delete_guild(GUILD)
        await bytes_ops.create_transaction(make_transfer(ALICE, BOB))
    await assert_ledger_consistent()
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 99


@pytest.mark.parametrize("guild", ["0", "x", None, True])
async def test_delete_guild_refuses_a_bad_id(guild_ops: GuildOperations, guild: Any) -> None:
    """An invalid id is refused."""
    with pytest.raises(InvalidSnowflakeError):
        await guild_ops.delete_guild(guild)


async def test_delete_guild_while_it_is_in_use_keeps_the_ledger_consistent(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    assert_ledger_consistent: Check,
) -> None:
    """Each concurrent operation is deleted as a whole or kept as a whole."""
    other = rows_of(await read_all_rows(), OTHER_GUILD)

    async def use(number: int) -> list[Any]:
        newcomer = 5_000 + number
        return await asyncio.gather(
            bytes_ops.create_transaction(make_transfer(ALICE, BOB)),
            bytes_ops.create_transaction(make_transfer(CAROL, newcomer)),
            bytes_ops.create_transaction(make_transfer(newcomer, ALICE)),
            bytes_ops.get_balance(GUILD, newcomer + 100),
            bytes_ops.grant_many(GUILD, {BOB: 1, newcomer + 200: 1}),
            squad_ops.join_squad(GUILD, newcomer, test_data.blue.id),
            squad_ops.leave_squad(GUILD, ALICE),
            bytes_ops.update_config(GUILD, BytesConfigUpdate(daily_amount=number)),
            return_exceptions=True,
        )

    async def delete() -> None:
        for _ in range(5):
            await guild_ops.delete_guild(GUILD)
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(use(number)) for number in range(10)]
    await delete()
    answers = [answer for page in await asyncio.gather(*tasks) for answer in page]
    failures = [answer for answer in answers if isinstance(answer, BaseException)]

    await assert_ledger_consistent()
    assert all(isinstance(f, bytes_squads.RefusedError) for f in failures), failures
    assert rows_of(await read_all_rows(), OTHER_GUILD) == other


@pytest.mark.postgres
async def test_delete_guild_waits_for_a_block_that_holds_a_member(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
) -> None:
    """The rows of a block that creates a member are deleted with the rest."""
    moved = asyncio.Event()

    async def delete() -> None:
        await moved.wait()
        await guild_ops.delete_guild(GUILD)

    deletion = asyncio.create_task(delete())  # outside the block
    async with bytes_squads.in_transaction():
        await bytes_ops.create_transaction(make_transfer(ALICE, "777"))
        moved.set()
        await asyncio.sleep(0.2)
        assert not deletion.done()
    await deletion
    assert not any(rows_of(await read_all_rows(), GUILD).values())


@pytest.mark.postgres
async def test_delete_guild_deletes_a_member_who_is_committed_in_between(
    guild_ops: GuildOperations,
    bytes_ops: BytesOperations,
    test_data: TestData,
    read_all_rows: ReadRows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member who is committed between two of its statements has both rows or none."""
    execute, calls = guilds.execute_in_block, 0
    arrived = asyncio.Event()
    deleting = asyncio.Event()

    async def arrive() -> None:
        await deleting.wait()
        await bytes_ops.grant(GUILD, "777", 5)
        arrived.set()

    arrival = asyncio.create_task(arrive())  # outside the transaction

    async def execute_slowly(db: Any, statement: Any, *parameters: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if "DELETE FROM bytes_balances" in statement.postgres and not deleting.is_set():
            deleting.set()
            await arrived.wait()
        return await execute(db, statement, *parameters, **more)

    monkeypatch.setattr(guilds, "execute_in_block", execute_slowly)
    await guild_ops.delete_guild(GUILD)
    await arrival
    assert not any(rows_of(await read_all_rows(), GUILD).values())
    assert calls > 7


async def test_delete_guild_of_squads_only(
    guild_ops: GuildOperations, squad_ops: SquadOperations, read_all_rows: ReadRows
) -> None:
    """A guild may have squads and nothing else."""
    await squad_ops.create_squad(SquadCreate(guild_id=GUILD, role_id=1, name="Red"))
    await guild_ops.delete_guild(GUILD)
    assert not any((await read_all_rows()).values())


@pytest.mark.postgres
async def test_delete_guild_locks_members_before_their_ledger_rows(
    guild_ops: GuildOperations, bytes_ops: BytesOperations
) -> None:
    """A block that holds a member can still rewrite the member's rows: no deadlock."""
    await bytes_ops.grant(GUILD, ALICE, 5)
    outside = contextvars.copy_context()
    async with bytes_squads.in_transaction():
        await bytes_ops.charge(GUILD, ALICE, 1)
        deletion = asyncio.create_task(guild_ops.delete_guild(GUILD), context=outside)
        await asyncio.sleep(1.5)  # it looks for a deadlock once, after a second
        await guild_ops.erase_member(GUILD, ALICE)
    await deletion
    assert not await BytesBalance.filter(guild_id=GUILD).exists()
