"""init, upgrade and close cancelled at each await: the database stays usable."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, GUILD
from helpers.migrations import VERSIONS
from helpers.schema_introspection import applied_versions, is_postgres
from helpers.stepwise_canceller import cancel_at_every_step
from tortoise.context import get_current_context

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError
from bytes_squads.engine._tortoise import pool_of, sqlite_connection, sqlite_lock
from bytes_squads.engine.connections import current_client

pytestmark = pytest.mark.usefixtures("close_after_test")


async def assert_usable(url: str) -> None:
    """Assert that an operation and an upgrade work, and no connection is in use."""
    await BytesOperations().grant(GUILD, ALICE, 1)
    assert await bytes_squads.upgrade() == []
    client: Any = current_client()
    if is_postgres(url):
        assert pool_of(client).get_idle_size() == pool_of(client).get_size()
    else:
        assert not sqlite_lock(client).locked()
        assert not sqlite_connection(client).in_transaction


@pytest.fixture
def no_complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    """Check that asyncio logged no pending task and no unretrieved exception."""
    caplog.set_level(logging.WARNING)

    def check() -> None:
        gc.collect()
        assert [record.getMessage() for record in caplog.records] == []

    return check


@pytest.mark.parametrize("again", [False, True])
async def test_init_cancelled_at_every_step_leaves_nothing_open(
    copied_url: str, again: bool, no_complaints: Callable[[], None]
) -> None:
    """A cancelled init() opens nothing, and the next one works."""

    async def check() -> None:
        await bytes_squads.init(copied_url)
        await assert_usable(copied_url)
        await bytes_squads.close()
        with pytest.raises(StorageUnavailableError):
            await BytesOperations().get_balance(GUILD, ALICE)

    async def init_or_close() -> None:
        await bytes_squads.init(copied_url)
        await bytes_squads.close()

    cancelled = await cancel_at_every_step(init_or_close, check, again=again)

    assert cancelled > 3
    no_complaints()


@pytest.mark.parametrize("again", [False, True])
async def test_init_over_an_open_database_cancelled_at_every_step(
    copied_url: str, again: bool, no_complaints: Callable[[], None]
) -> None:
    """A second init() that is cancelled closes the first database, or leaves it open."""
    await bytes_squads.init(copied_url)

    async def check() -> None:
        try:
            await assert_usable(copied_url)
        except StorageUnavailableError:
            await bytes_squads.init(copied_url)
            await assert_usable(copied_url)

    cancelled = await cancel_at_every_step(
        lambda: bytes_squads.init(copied_url), check, again=again
    )

    assert cancelled > 3
    no_complaints()


@pytest.mark.parametrize("again", [False, True])
async def test_close_cancelled_at_every_step_closes(
    copied_url: str, again: bool, no_complaints: Callable[[], None]
) -> None:
    """A cancelled close() still closes the database."""

    async def close_while_busy() -> None:
        grants = [asyncio.ensure_future(BytesOperations().grant(GUILD, ALICE, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        try:
            await bytes_squads.close()
        finally:
            await asyncio.gather(*grants, return_exceptions=True)

    async def check() -> None:
        await bytes_squads.close()  # the work may have been cancelled before it began
        with pytest.raises(StorageUnavailableError):
            await BytesOperations().get_balance(GUILD, ALICE)
        assert get_current_context() is None
        await bytes_squads.init(copied_url)
        await assert_usable(copied_url)

    await bytes_squads.init(copied_url)
    cancelled = await cancel_at_every_step(close_while_busy, check, again=again)

    assert cancelled > 3
    no_complaints()


@pytest.mark.parametrize(("how", "again"), [("open", False), ("by url", True)])
async def test_upgrade_of_an_empty_database_cancelled_at_many_steps(
    empty_url: str, how: str, again: bool, no_complaints: Callable[[], None]
) -> None:
    """A cancelled upgrade() has applied all migrations or none, and the database works.

    It is cancelled at every fourth step; by URL two steps later each time.
    """

    async def check() -> None:
        await bytes_squads.init(empty_url)
        applied = await bytes_squads.upgrade()
        assert applied in ([], VERSIONS)
        await assert_usable(empty_url)
        await bytes_squads.close()
        assert await applied_versions(empty_url) == VERSIONS
        await empty_again(empty_url)
        if how == "open":
            await bytes_squads.init(empty_url)

    if how == "open":
        await bytes_squads.init(empty_url)
    url = None if how == "open" else empty_url
    cancelled = await cancel_at_every_step(
        lambda: bytes_squads.upgrade(url), check, again=again, first=3 if again else 1, stride=4
    )

    assert cancelled > 8
    no_complaints()


async def empty_again(url: str) -> None:
    """Empty a database."""
    if not is_postgres(url):
        for file in Path(url.removeprefix("sqlite://")).parent.iterdir():
            file.unlink()
        return
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()


async def test_upgrade_of_a_migrated_open_database_cancelled_at_every_step(
    copied_url: str, no_complaints: Callable[[], None]
) -> None:
    """An upgrade() without work to do, cancelled, keeps no lock and no transaction."""
    await bytes_squads.init(copied_url)
    cancelled = await cancel_at_every_step(bytes_squads.upgrade, lambda: assert_usable(copied_url))

    assert cancelled > 3
    no_complaints()


async def test_close_waits_for_an_upgrade_of_the_open_database(empty_url: str) -> None:
    """close() waits for an upgrade to end."""
    await bytes_squads.init(empty_url)
    upgrade = asyncio.create_task(bytes_squads.upgrade())
    await asyncio.sleep(0.005)
    await bytes_squads.close()

    assert await upgrade == VERSIONS
    assert await applied_versions(empty_url) == VERSIONS


@pytest.mark.postgres
async def test_init_ends_soon_after_it_is_cancelled(copied_url: str) -> None:
    """init() with a timeout ends soon after it, also if the server does not answer."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bytes_squads.init(f"postgres://bot@127.0.0.1:{port}/economy")
    seconds = loop.time() - started
    server.close()
    await server.wait_closed()

    assert seconds < 2
