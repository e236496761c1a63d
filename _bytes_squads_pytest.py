"""The pytest plugin of bytes_squads, documented in `bytes_squads.testing`.

pytest imports its plugins when it starts. This module is outside the package, so that the package,
which reads ``DATABASE_URL`` at import, is imported only by the first test that uses a fixture.
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
    """Create the migrated database that each test gets a copy of."""
    from bytes_squads import testing

    template = testing.run_in_thread(testing.migrated_template())
    yield template
    template.close()


@pytest.fixture
def bytes_squads_db(_bytes_squads_template: sqlite3.Connection) -> Iterator[None]:
    """Open a new, migrated, empty SQLite database in memory for each test.

    It behaves as after ``init()`` and ``upgrade()``, in every task and event loop: with
    pytest-asyncio in both modes and any loop scope, with anyio's plugin, and with ``asyncio.run``
    in a plain test. It has the checks, keys and triggers of the migrations. After the test the
    fixture waits up to ten seconds for running operations and closes the database.

    The fixture has no value: operations and models use the open database. A test that calls
    ``init()`` itself replaces this database and has to ``close()`` its own.
    """
    from bytes_squads import testing

    testing.run_in_thread(testing.open_from_template(_bytes_squads_template))
    yield
    testing.run_in_thread(testing.close_database())


@pytest.fixture
def bytes_squads_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that stays at noon UTC on Monday, 2 March 2026, until the test sets it.

    Operations without a ``clock`` argument use it; pass ``clock=bytes_squads_clock`` to others.
    Set ``bytes_squads_clock.now`` to an aware datetime, or call
    ``bytes_squads_clock.advance(days=1)``.
    """
    from bytes_squads.domain.rules import utc_now
    from bytes_squads.testing import Clock

    clock = Clock()
    monkeypatch.setattr(utc_now, "override", clock)
    return clock


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Wait for operations that the test left running, before fixtures close its event loop."""
    try:
        return (yield)
    finally:
        if "bytes_squads_db" in getattr(item, "fixturenames", ()):
            from bytes_squads.testing import finish_operations

            finish_operations()
