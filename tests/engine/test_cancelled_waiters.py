"""Tasks that are cancelled while the database is being closed get CancelledError.

Discord libraries cancel all tasks of a bot and then close it; who was cancelled must stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from helpers.engine_settings import set_timeout

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError, in_transaction

GUILD, ALICE = 1, 11
LONG = 20.0
"""Seconds after which closing hangs."""

ops = BytesOperations()


async def hold_alice(locked: asyncio.Event) -> None:
    """Lock Alice's row in the caller's own block until cancelled."""
    async with in_transaction():
        await ops.grant(GUILD, ALICE, 1)
        locked.set()
        await asyncio.sleep(3600)


async def start_waiting(count: int) -> tuple[asyncio.Task[None], list[asyncio.Task[Any]]]:
    """Start a block that holds Alice's row, and operations that wait for it."""
    locked = asyncio.Event()
    holder = asyncio.create_task(hold_alice(locked))
    await locked.wait()
    waiting = [asyncio.create_task(ops.grant(GUILD, ALICE, 1)) for _ in range(count)]
    await asyncio.sleep(0.1)
    return holder, waiting


@pytest.fixture
def short_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let closing wait for operations for a short time only."""
    set_timeout(monkeypatch, "close_timeout", 0.3)


@pytest.mark.usefixtures("short_close")
async def test_close_after_all_tasks_were_cancelled(migrated_url: str) -> None:
    """After all tasks were cancelled, close() ends and all tasks are cancelled."""
    await bytes_squads.init(migrated_url)
    holder, waiting = await start_waiting(20)
    for task in (holder, *waiting):
        task.cancel()
    async with asyncio.timeout(LONG):
        await bytes_squads.close()
        await asyncio.wait([holder, *waiting])
    assert [task.cancelled() for task in (holder, *waiting)] == [True] * 21
    await bytes_squads.init(migrated_url)
    assert (await ops.verify(GUILD)).ok
    await bytes_squads.close()


class ObservedTask(asyncio.Task[Any]):
    """A task that calls a function when it ends after a cancel."""

    on_end: Callable[[], None] | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task; `on_end` is called when it has ended."""
        if (on_end := ObservedTask.on_end) is not None:
            self.add_done_callback(lambda _: on_end())
        return super().cancel(msg)


@pytest.mark.usefixtures("short_close")
@pytest.mark.parametrize("turns", range(4))
async def test_task_cancelled_when_close_gives_up_is_cancelled(
    turns: int, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is cancelled that waits for an operation which `close` has just ended by force."""
    loop = asyncio.get_running_loop()
    await bytes_squads.init(migrated_url)
    loop.set_task_factory(lambda loop, work, **more: ObservedTask(work, loop=loop, **more))
    holder, waiting = await start_waiting(4)
    asked: set[asyncio.Task[Any]] = set()

    def cancel_waiting(left: int) -> None:
        if left:
            loop.call_soon(cancel_waiting, left - 1)
            return
        monkeypatch.setattr(ObservedTask, "on_end", None)
        asked.update(task for task in waiting if task.cancel())

    monkeypatch.setattr(ObservedTask, "on_end", lambda: cancel_waiting(turns))
    try:
        async with asyncio.timeout(LONG):
            await bytes_squads.close()
            await asyncio.wait(waiting)
    finally:
        loop.set_task_factory(None)
        monkeypatch.setattr(ObservedTask, "on_end", None)
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in asked] == [True] * len(asked)
    assert {type(end) for end in ends} <= {asyncio.CancelledError, StorageUnavailableError}
    assert asked or turns > 1


@pytest.mark.usefixtures("short_close")
async def test_block_cancelled_while_closing_is_cancelled(migrated_url: str) -> None:
    """A caller's block that is cancelled while `close` waits ends with CancelledError, undone."""
    await bytes_squads.init(migrated_url)
    await ops.get_balance(GUILD, ALICE)
    holder, _ = await start_waiting(0)
    closing = asyncio.create_task(bytes_squads.close())
    await asyncio.sleep(0)
    holder.cancel()
    async with asyncio.timeout(LONG):
        await asyncio.wait([holder])
        await closing
    assert holder.cancelled()
    await bytes_squads.init(migrated_url)
    assert (await ops.get_balance(GUILD, ALICE)).balance == 100
    await bytes_squads.close()
