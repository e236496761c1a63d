"""For the tests of a bot: a database in memory, ready in milliseconds, and a clock to set.

With the package installed, pytest knows two fixtures; a test takes them by name::

    async def test_a_claim_pays(bytes_squads_db, bytes_squads_clock):
        bytes_squads_clock.advance(days=1)
        assert (await bot.ops.claim_daily(GUILD, MEMBER)).amount == 10

`bytes_squads_db` opens an empty SQLite database in memory, as `init` and `upgrade` would, checks
and triggers included. `bytes_squads_clock` is what operations take for the time.

Nothing of this is imported when pytest starts: the plugin itself is a small module beside the
package, so that a conftest can still set ``DATABASE_URL`` before the package reads it. Where
plugins are not loaded by themselves (``PYTEST_DISABLE_PLUGIN_AUTOLOAD``), ``-p bytes_squads``
loads it, and ``-p no:bytes_squads`` keeps it away.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from tortoise.connection import get_connections

from .database import CLOSE_SECONDS, close, init, upgrade
from .engine.connections import current_client
from .engine.tasks import running

__all__ = ["Clock"]

URL = "sqlite://:memory:"

T = TypeVar("T")


class Clock:
    """A clock that stops until it is set; an operation takes it as its ``clock``.

    Args:
        now: The time it shows at first, timezone-aware; Monday, 2 March 2026, noon UTC, by default.

    Attributes:
        now: The time it shows, timezone-aware. Set it to go to any other time.
    """

    def __init__(self, now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time it shows."""
        return self.now

    @property
    def today(self) -> date:
        """The UTC date it shows."""
        return self.now.astimezone(UTC).date()

    def advance(self, **duration: float) -> None:
        """Go on, by the arguments of a `datetime.timedelta`: ``advance(days=1, hours=2)``."""
        self.now += timedelta(**duration)


async def migrated_template() -> sqlite3.Connection:
    """Return a migrated, empty SQLite database in memory, to copy from; the caller closes it.

    An open database of this process is closed first.
    """
    await init(URL)
    try:
        await upgrade()
        template = sqlite3.connect(":memory:", check_same_thread=False)  # read by drivers' threads
        await _run_on_sqlite_thread(lambda database: database.backup(template))
    finally:
        await close()
    return template


async def open_from_template(template: sqlite3.Connection) -> None:
    """Open a copy of the template in memory, as `init` opens a database, for every event loop."""
    await init(URL)
    await _run_on_sqlite_thread(template.backup)
    _unbind_event_loop()


async def close_database() -> None:
    """Close the database; also a SQLite database that the test has opened in its own event loop."""
    _unbind_event_loop()
    await close()


def _unbind_event_loop() -> None:
    """Unbind the connections from their event loop; in another, the ORM would open new ones.

    A new connection to a database in memory finds an empty one. A SQLite connection is a thread and
    works from any loop.
    """
    with suppress(RuntimeError):  # closed already
        for client in get_connections()._get_storage().values():
            client._bound_loop = None


async def _run_on_sqlite_thread(work: Callable[[sqlite3.Connection], None]) -> None:
    connection: Any = current_client()._connection
    await connection._execute(work, connection._conn)


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in a new event loop in a thread; this thread's loop is the test's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def finish_operations() -> None:
    """Wait for operations that a test has left behind, in the event loops that they run in."""
    tasks = set(running)
    for loop in {task.get_loop() for task in tasks}:
        if not loop.is_running() and not loop.is_closed():
            left = {task for task in tasks if task.get_loop() is loop}
            loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_SECONDS))
