"""The pytest plugin of bytes_squads; `bytes_squads.testing` says how to use it.

A module beside the package, because pytest imports its plugins when it starts, before anything
else: here that costs nothing and decides nothing. The package itself, which reads ``DATABASE_URL``
when it is imported, comes with the first test that takes a fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import sqlite3

    from bytes_squads.testing import Clock


@pytest.fixture(scope="session")
def _bytes_squads_template() -> Iterator[sqlite3.Connection]:
    """Make the migrated database that each test gets a copy of."""
    from bytes_squads import testing

    template = testing.run_in_thread(testing.migrated_template())
    yield template
    template.close()


@pytest.fixture
def bytes_squads_db(_bytes_squads_template: sqlite3.Connection) -> Iterator[None]:
    """Open a migrated, empty SQLite database in memory; another one for each test.

    It is open as after ``init()`` and ``upgrade()``, for all tasks, in any event loop: under
    pytest-asyncio in either mode and with any loop scope, under anyio's plugin, and for
    ``asyncio.run`` in a plain test. The checks, keys and triggers of the migrations are in force.
    Afterwards operations that the test has left behind are waited for, ten seconds at most, and
    the database is closed.

    The fixture has no value: operations and models find the database by themselves. It is not a
    coroutine, so that it depends on no event loop. A test that calls ``init()`` itself leaves
    this database for that one, and has to ``close()``.
    """
    from bytes_squads import testing

    testing.run_in_thread(testing.open_from_template(_bytes_squads_template))
    yield
    testing.run_in_thread(testing.close_database())


@pytest.fixture
def bytes_squads_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that stops at noon UTC on Monday, 2 March 2026, until the test sets it.

    Operations that were made without a clock follow it, wherever they were made; others when they
    are made with ``clock=bytes_squads_clock``. Set ``bytes_squads_clock.now`` to an aware datetime,
    or go on with ``bytes_squads_clock.advance(days=1)``.
    """
    from bytes_squads.domain.rules import utc_now
    from bytes_squads.testing import Clock

    clock = Clock()
    monkeypatch.setattr(utc_now, "override", clock)
    return clock


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Wait for operations left behind by the test: fixtures may end its event loop before ours."""
    try:
        return (yield)
    finally:
        if "bytes_squads_db" in getattr(item, "fixturenames", ()):
            from bytes_squads.testing import finish_operations

            finish_operations()
