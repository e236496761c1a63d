"""Which implementations are compared in which benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from .baselines import by_hand, orms
from .rounds import PACKAGE, Benchmark, Runner, Settings
from .server import Server
from .stage import SQLITE, Stage
from .worker import ROOT, Request, open_worker
from .workloads import BATCH, WORKLOADS

TRANSFERS, OTHERS = "Transfers on PostgreSQL", "Other operations"
GROWTH, REVISIONS = "Growing guilds", "Beside another revision"
ASYNCPG, ASYNCPG_NO_RESET = "asyncpg, by hand", "asyncpg, by hand, no reset"
STATEMENT, STATEMENT_NO_RESET = "asyncpg, our statement", "asyncpg, our statement, no reset"
SQLALCHEMY, TORTOISE, PGBENCH = "SQLAlchemy", "Tortoise, plain", "pgbench, TPC-B"
SQLITE3, OTHER_REVISION = "sqlite3, by hand", "other revision"

TRANSFER_KEYS = ("transfer-1", "transfer", "transfer-hot", "transfer-key", "transfer-cooldown")
REVISION_KEYS = (
    *("transfer", "transfer-key", "transfer-cooldown", "claim", "join", "grant-many"),
    *("refused-balance", "refused-limit", "refused-cooldown"),
)


class Session:
    """Benchmarks on a server, with a folder for SQLite's files; each method adds some."""

    def __init__(self, server: Server, folder: Path, settings: Settings) -> None:
        self._server, self._folder, self._settings = server, folder, settings
        self._begin = perf_counter()
        self.benchmarks: list[Benchmark] = []

    async def run_postgres(self) -> None:
        """Compare with other implementations on PostgreSQL, in this process."""
        stage = Stage(await self._server.create(), BATCH)
        async with AsyncExitStack() as stack:
            await stage.open()
            stack.push_async_callback(stage.close)
            clock, statement = stage.clock, await by_hand.record_statement(stage)
            pool = await stack.enter_async_context(by_hand.open_pool(stage.url))
            bare = await stack.enter_async_context(
                by_hand.open_pool(stage.url, reset=by_hand.skip_reset)
            )
            alchemy = await stack.enter_async_context(orms.SqlalchemyBaseline(stage.url, clock))
            implementations = {
                PACKAGE: stage.package,
                ASYNCPG: by_hand.AsyncpgBaseline(pool, clock),
                ASYNCPG_NO_RESET: by_hand.AsyncpgBaseline(bare, clock),
                STATEMENT: by_hand.StatementBaseline(pool, clock, statement),
                STATEMENT_NO_RESET: by_hand.StatementBaseline(bare, clock, statement),
                SQLALCHEMY: alchemy,
                TORTOISE: orms.TortoiseBaseline(clock),
            }
            everything = {n: partial(stage.request, one) for n, one in implementations.items()}
            hand = {n: everything[n] for n in (PACKAGE, ASYNCPG, ASYNCPG_NO_RESET)}
            await self._server.pgbench("-iqs", str(self._settings.pgbench_scale))

            async def run_tpc_b(_: str, clients: int, seconds: float) -> float:
                await stage.checkpoint()
                return await self._server.run_tpc_b(clients, seconds)

            await self._compare(TRANSFERS, TRANSFER_KEYS[:2], everything, {PGBENCH: run_tpc_b})
            await self._compare(TRANSFERS, TRANSFER_KEYS[2:], hand)
            await self._compare(OTHERS, ("claim", "join", "refused-balance"), hand)

    async def run_sqlite(self) -> None:
        """Compare with sqlite3 by hand."""
        stage = Stage(f"{SQLITE}{self._folder}/bench.db", BATCH)
        await stage.open()
        hand = by_hand.SqliteBaseline(stage)
        try:
            for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2)):
                if await stage.query(f"PRAGMA {pragma}") != [(wanted,)]:
                    raise AssertionError(f"the package has {pragma} not at {wanted}")
            both = {PACKAGE: stage.package, SQLITE3: hand}
            runners = {n: partial(stage.request, one) for n, one in both.items()}
            await self._compare(OTHERS, ("transfer-1",), runners, where="SQLite: ")
        finally:
            hand.close()
            await stage.close()

    async def run_growth(self) -> None:
        """Compare a large guild with a small one."""
        async with AsyncExitStack() as stack:
            workers = {}
            for size in self._settings.sizes:
                worker = open_worker(ROOT, await self._server.create(), size)
                workers[f"{size:,} members"] = await stack.enter_async_context(worker)
            await self._compare(GROWTH, ("top", "history", "rank", "transfer"), workers)

    async def run_revisions(self, against: Path) -> None:
        """Compare with the package of another checkout."""
        for where, keys in (("", REVISION_KEYS), ("SQLite: ", ("transfer-1",))):
            async with AsyncExitStack() as stack:
                workers: dict[str, Request] = {}
                for name, checkout in ((PACKAGE, ROOT), (OTHER_REVISION, against)):
                    file = f"{SQLITE}{self._folder}/revision_{len(workers)}.db"
                    url = file if where else await self._server.create()
                    worker = open_worker(checkout, url, BATCH)
                    workers[name] = await stack.enter_async_context(worker)
                await self._compare(REVISIONS, keys, workers, where=where)

    async def _compare(
        self,
        section: str,
        keys: Sequence[str],
        implementations: Mapping[str, Request],
        others: Mapping[str, Runner] = MappingProxyType({}),
        where: str = "",
    ) -> None:
        """Check that implementations do the same; measure them, and others who do other work."""
        settings = self._settings
        if section == REVISIONS:
            settings = replace(settings, rounds=2 * settings.rounds)
        for key in keys:
            workload = WORKLOADS[key]
            effects = [await request("effect", key) for request in implementations.values()]
            changes = workload.error is None and not workload.reads
            if any(effect != effects[0] or bool(effect) != changes for effect in effects):
                raise AssertionError(f"{key}: {list(implementations)} do {effects}")
            runners = {name: partial(one, "run", key) for name, one in implementations.items()}
            clients = f"{workload.clients} client{'s' * (workload.clients > 1)}"
            benchmark = Benchmark(f"{where}{key}", section, f"{where}{workload.title}, {clients}")
            await benchmark.run({**runners, **others}, workload.clients, settings)
            self.benchmarks.append(benchmark)
            seconds = perf_counter() - self._begin
            print(f"{seconds:4.0f} s  {section}: {benchmark.title}", flush=True)
