"""Test a bot: a database in memory, ready in milliseconds, and a clock that tests set.

The package registers two pytest fixtures::

    async def test_a_claim_pays(bytes_squads_db, bytes_squads_clock):
        bytes_squads_clock.advance(days=1)
        assert (await bot.ops.claim_daily(GUILD, MEMBER)).amount == 10

`bytes_squads_db` opens an empty SQLite database in memory, with all checks and triggers, as `init`
and `upgrade` do. `bytes_squads_clock` sets the time of operations.

The plugin is a small module beside the package and does not import it when pytest starts, so that
a conftest can set ``DATABASE_URL`` before the package reads it. Without plugin autoloading
(``PYTEST_DISABLE_PLUGIN_AUTOLOAD``), load it with ``-p bytes_squads``; ``-p no:bytes_squads``
disables it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from tortoise.context import get_current_context

from .database import CLOSE_TIMEOUT, close, init, upgrade
from .engine._tortoise import list_clients, run_on_sqlite_thread, unbind_event_loop
from .engine.connections import current_client
from .engine.tasks import running_tasks

__all__ = ["Clock"]

URL = "sqlite://:memory:"

T = TypeVar("T")


class Clock:
    """A clock that does not advance by itself; pass it to operations as ``clock``.

    Args:
        now: The initial time, timezone-aware; Monday, 2 March 2026, noon UTC, by default.

    Attributes:
        now: The current time, timezone-aware; can be set.
    """

    def __init__(self, now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the current time."""
        return self.now

    @property
    def today(self) -> date:
        """The current UTC date."""
        return self.now.astimezone(UTC).date()

    def advance(self, **duration: float) -> None:
        """Advance by the arguments of `datetime.timedelta`: ``advance(days=1, hours=2)``."""
        self.now += timedelta(**duration)


async def migrated_template() -> sqlite3.Connection:
    """Return a migrated, empty SQLite database in memory as a template; the caller closes it.

    An open database is closed first.
    """
    await init(URL)
    try:
        await upgrade()
        template = sqlite3.connect(":memory:", check_same_thread=False)  # drivers' threads read it
        await run_on_sqlite_thread(current_client(), lambda database: database.backup(template))
    finally:
        await close()
    return template


async def open_from_template(template: sqlite3.Connection) -> None:
    """Open a copy of the template in memory, usable from every event loop."""
    await init(URL)
    await run_on_sqlite_thread(current_client(), template.backup)
    _unbind_event_loop()


async def close_database() -> None:
    """Close the database, including a SQLite database opened in the test's event loop."""
    _unbind_event_loop()
    await close()


def _unbind_event_loop() -> None:
    """Unbind the connections from their event loop, so that the ORM does not replace them.

    A new connection to a database in memory would be empty. A SQLite connection is a thread and
    works from any event loop.
    """
    for client in list_clients(get_current_context()):
        unbind_event_loop(client)


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in a new event loop in a thread: this thread's loop belongs to the test."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def finish_operations() -> None:
    """Wait for operations that a test left running, each in its event loop."""
    tasks = set(running_tasks)
    for loop in {task.get_loop() for task in tasks}:
        if not loop.is_running() and not loop.is_closed():
            left = {task for task in tasks if task.get_loop() is loop}
            loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_TIMEOUT))
