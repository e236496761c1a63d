"""A database that is distributed by Citus; on a plain PostgreSQL, why it cannot be distributed.

The tests of operations and laws run on a distributed database with ``BYTES_SQUADS_TEST_CITUS``.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from helpers import ALICE, BOB, GUILD, Database, MakeMember, PostgresServer
from helpers.assertions import Check, ReadRows
from helpers.migrations import VERSIONS, copy_migrations, run_aerich
from helpers.operations_table import CASES, KNOWN, NEW, READS, Case, World, count_changes, each_case
from helpers.postgres import CITUS_URL_VARIABLE
from helpers.sample_guild import dump, open_database, populate
from helpers.statement_texts import ACROSS_GUILDS, distributed_texts

import bytes_squads
from bytes_squads import BytesOperations, BytesTransaction, StorageUnavailableError
from bytes_squads.engine import distribution
from bytes_squads.engine._tortoise import bound_connection
from bytes_squads.engine.connections import current_client
from bytes_squads.sql.distribution import TABLES

pytestmark = pytest.mark.postgres
on_citus = pytest.mark.skipif(
    not os.environ.get(CITUS_URL_VARIABLE), reason="without Citus: BYTES_SQUADS_TEST_CITUS"
)

FIRST_DISTRIBUTABLE = 3
"""The number of migrations after which every key of the tables includes the guild."""

SAMPLES = {
    "int8": "1",
    "int4": "1",
    "bool": "true",
    "uuid": "'00000000-0000-7000-8000-000000000001'",
    "timestamptz": "'2026-01-01 00:00:00+00'",
    "date": "'2026-01-01'",
    "jsonb": "'{}'",
    "text[]": "'{1,2}'",
    "int4[]": "'{1,2}'",
    "int8[]": "'{1,2}'",
    "timestamptz[]": "'{2026-01-01 00:00:00+00,2026-01-02 00:00:00+00}'",
    "uuid[]": "'{00000000-0000-7000-8000-000000000001,00000000-0000-7000-8000-000000000002}'",
}
TEXTS = {
    name: text
    for name, text in distributed_texts().items()
    if name not in ACROSS_GUILDS and re.search(rf"(FROM|INTO|UPDATE) ({'|'.join(TABLES)})\b", text)
}


COSTLY = re.compile(r"PREPARE TRANSACTION|COPY|read_intermediate_result")
"""What the coordinator sends for a commit in two phases, and for rows that it passes on."""


@pytest.fixture
def backend() -> str:
    """Only PostgreSQL can be distributed."""
    return "postgres"


@pytest.fixture
def migrated_only(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the URL of a database on Citus that is migrated and not distributed."""
    with postgres_server.database() as url:
        asyncio.run(bytes_squads.upgrade(url))
        yield url


async def log_commands(work: Awaitable[object]) -> list[tuple[str, str]]:
    """Do the work in a block; return the commands that the coordinator sends, and to which node."""
    commands: list[tuple[str, str]] = []

    def listen(_: object, message: Any) -> None:
        if message.message.startswith("issuing "):
            commands.append((message.message, message.detail.partition(" connectionId")[0]))

    async with bytes_squads.in_transaction() as block:
        connection = bound_connection(block)
        await connection.execute("SET LOCAL citus.log_remote_commands = on")
        connection.add_log_listener(listen)
        await work
    return commands


async def is_distributed(url: str) -> bool:
    """Return whether a bot that opens the database finds it distributed."""
    await bytes_squads.init(url)
    try:
        return await distribution.is_distributed(current_client())
    finally:
        await bytes_squads.close()


# Routing ------------------------------------------------------------------------------------------


@on_citus
@pytest.mark.parametrize("name", TEXTS)
async def test_statement_goes_to_one_shard(name: str, db: Database) -> None:
    """Citus sends each statement as a whole to the node that has the guild."""
    connection = await asyncpg.connect(db.url)
    try:
        types = (await connection.prepare(TEXTS[name])).get_parameters()

        def literal(match: re.Match[str]) -> str:
            name = types[int(match[1]) - 1].name
            return f"{SAMPLES.get(name, repr('1'))}::{name}"

        explain = "EXPLAIN " + re.sub(r"\$(\d+)", literal, TEXTS[name])
        plan = "\n".join(row[0] for row in await connection.fetch(explain))
    finally:
        await connection.close()

    assert re.findall(r"Task Count: (\d+)", plan) == ["1"], plan
    assert "Subplan" not in plan
    assert "INSERT/SELECT method" not in plan  # what it selects would pass through the coordinator


@on_citus
async def test_operation_is_executed_by_one_node(db: Database, world: World) -> None:
    """Nothing is prepared, and no rows pass through the coordinator; also with new members."""
    cases = [*CASES, *(Case(read, is_new=False) for read in READS)]
    members = {False: iter(KNOWN), True: iter(NEW)}
    found: dict[str, tuple[int, list[str]]] = {}
    for case in cases:
        member = BOB if case.operation in READS else next(members[case.is_new])
        await case.operation.get_ready(world, member)
        with pytest.warns(asyncpg.InterfaceWarning, match="active log listener"):
            commands = await log_commands(case.operation.run(world, member))
        nodes = {node for _, node in commands}
        costly = [text for text, _ in commands if COSTLY.search(text)]
        found[str(case)] = len(nodes), costly

    assert found == {str(case): (1, []) for case in cases}


# Distributing -------------------------------------------------------------------------------------


@on_citus
async def test_distribute_moves_the_rows(migrated_only: str) -> None:
    """All rows are kept, none on the coordinator, and a second call changes nothing."""
    progress: list[tuple[int, int]] = []
    async with open_database(migrated_only):
        await populate()
        before = await dump()
    first = await bytes_squads.distribute(
        migrated_only, shards=8, on_progress=lambda *numbers: progress.append(numbers)
    )
    second = await bytes_squads.distribute(migrated_only)
    async with open_database(migrated_only):
        found = await distribution.get_distribution(current_client())
        after = await dump()
        books = await BytesOperations().verify()
        await BytesOperations().grant(GUILD, ALICE, 1)
    connection = await asyncpg.connect(migrated_only)
    local = [
        await connection.fetchval("SELECT pg_relation_size($1::regclass, 'main')", table)
        for table in TABLES
    ]
    await connection.close()

    assert (first, second) == (True, False)
    assert found == distribution.Distribution(shards=8, nodes=2)
    assert after == before
    assert books.ok
    assert local == [0] * len(TABLES)
    assert progress[-1][0] == progress[-1][1] > 10


@on_citus
async def test_distribute_twice_at_once_distributes_once(migrated_only: str) -> None:
    """The second of two waits for the first, and does nothing."""
    results = await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, bytes_squads.distribute(migrated_only)) for _ in range(2))
    )

    assert sorted(results) == [False, True]


@on_citus
async def test_distribute_that_is_cancelled_changes_nothing(
    migrated_only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel while rows are moved leaves the database as it was; the next call distributes it."""
    async with open_database(migrated_only):
        await populate()
        before = await dump()
    started = asyncio.Event()
    end_table = distribution.Progress.end_table

    def note(progress: Any) -> None:
        end_table(progress)
        started.set()

    monkeypatch.setattr(distribution.Progress, "end_table", note)
    task = asyncio.create_task(bytes_squads.distribute(migrated_only))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    distributed = await is_distributed(migrated_only)
    async with open_database(migrated_only):
        after = await dump()

    assert not distributed
    assert after == before
    assert await bytes_squads.distribute(migrated_only)


@on_citus
async def test_distribute_beside_a_bot_that_writes(
    migrated_only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grants, also to new members, happen once; the bot detects the distribution."""
    monkeypatch.setattr(distribution, "RECHECK_INTERVAL", 0.5)
    await bytes_squads.init(migrated_only)
    bytes_ops = BytesOperations()
    ended = asyncio.Event()

    async def grant(member: int) -> int:
        count = 0
        while not ended.is_set():
            await bytes_ops.grant_many(GUILD, {member: 1, 1_000 * member + count: 1})
            count += 1
        return count

    work = [asyncio.create_task(grant(member)) for member in range(1, 5)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(asyncio.run, bytes_squads.distribute(migrated_only))
    await asyncio.sleep(2)
    ended.set()
    counts = await asyncio.gather(*work)
    found = await distribution.is_distributed(current_client())
    report = await bytes_ops.verify()
    balances = [(await bytes_ops.get_balance(GUILD, member)).balance for member in range(1, 5)]
    await bytes_squads.close()

    assert found
    assert report.ok
    assert balances == [100 + count for count in counts]


@on_citus
@pytest.mark.parametrize("number", range(FIRST_DISTRIBUTABLE, len(VERSIONS)))
async def test_upgrade_of_a_distributed_database(
    number: int, empty_url: str, tmp_path: Path, close_after_test: None
) -> None:
    """Each later migration can be applied after the tables were distributed."""
    folder = copy_migrations(tmp_path / "migrations", VERSIONS[:number])
    await run_aerich(empty_url, "upgrade", folder)
    await bytes_squads.init(empty_url)
    client = current_client()
    await distribution.distribute_tables(client, [], shards=4, on_progress=None)
    await bytes_squads.close()
    applied = await bytes_squads.upgrade(empty_url)
    async with open_database(empty_url):
        await populate()
        report = await BytesOperations().verify()

    assert applied == VERSIONS[number:]
    assert report.ok


@on_citus
@each_case
async def test_operation_of_a_bot_that_does_not_know_yet(
    case: Case, world: World, read_all_rows: ReadRows, assert_ledger_consistent: Check
) -> None:
    """A bot that has last asked before the tables were distributed does each operation once."""
    client = current_client()
    member = case.members[0]
    await case.operation.get_ready(world, member)
    before = await read_all_rows()
    distribution.distributed_cache[client] = False, asyncio.get_running_loop().time()
    await case.operation.run(world, member)
    await assert_ledger_consistent()

    assert count_changes(before, await read_all_rows()) == case.writes


@on_citus
async def test_block_of_a_bot_that_does_not_know_yet(
    bytes_ops: BytesOperations, make_member: MakeMember
) -> None:
    """A caller's block may fail as a whole, and the next one knows."""
    await make_member(ALICE, 100)
    distribution.distributed_cache[current_client()] = False, asyncio.get_running_loop().time()
    for _ in range(2):
        with suppress(StorageUnavailableError):
            async with bytes_squads.in_transaction():
                await bytes_ops.reset_balances(GUILD, 7)

    assert (await bytes_ops.get_balance(GUILD, ALICE)).balance == 7
    assert await BytesTransaction.filter(kind="charge").count() == 1


@on_citus
async def test_distribute_refuses_a_worker(
    migrated_only: str, postgres_server: Any, close_after_test: None
) -> None:
    """The error on a worker names the coordinator."""
    host, port = postgres_server.workers[0]
    url = re.sub(r"[^@/]+:\d+/", f"{host}:{port}/", migrated_only)

    with pytest.raises(StorageUnavailableError, match="use the URL of the coordinator"):
        await bytes_squads.distribute(url)


@on_citus
async def test_distribute_refuses_an_old_schema(empty_url: str) -> None:
    """Without the tables, or with those of an earlier version, the error names upgrade()."""
    with pytest.raises(StorageUnavailableError, match=r"lacks migrations.*run upgrade\(\) first"):
        await bytes_squads.distribute(empty_url)


@on_citus
async def test_distribute_refuses_a_wrong_number_of_shards(migrated_only: str) -> None:
    """The error is one line with the server's reason."""
    with pytest.raises(StorageUnavailableError, match="outside the valid range"):
        await bytes_squads.distribute(migrated_only, shards=0)


@pytest.mark.skipif(CITUS_URL_VARIABLE in os.environ, reason="about a server that lacks Citus")
async def test_distribute_refuses_a_server_without_citus(migrated_url: str) -> None:
    """Without the extension the error is one line, and nothing is changed."""
    with pytest.raises(StorageUnavailableError, match="does not have the extension Citus"):
        await bytes_squads.distribute(migrated_url)

    assert not await is_distributed(migrated_url)


async def test_distribute_refuses_sqlite(tmp_path: Any) -> None:
    """SQLite is refused before a file is created."""
    with pytest.raises(StorageUnavailableError, match="only PostgreSQL with the extension Citus"):
        await bytes_squads.distribute(f"sqlite://{tmp_path / 'new.db'}")

    assert list(tmp_path.iterdir()) == []


async def test_distribute_names_an_unreachable_server_without_the_password() -> None:
    """In one line, as `upgrade` does."""
    with pytest.raises(StorageUnavailableError, match="cannot distribute") as caught:
        await bytes_squads.distribute("postgres://bot:secret@127.0.0.1:1/bot")

    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_distribute_refuses_to_run_in_a_transaction(db: Database) -> None:
    """In a transaction it is refused."""
    async with bytes_squads.in_transaction():
        with pytest.raises(StorageUnavailableError, match="inside a transaction"):
            await bytes_squads.distribute()
