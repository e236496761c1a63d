"""A PostgreSQL server and its streaming standby, on the same machine."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil

import bytes_squads

from .postgres import PostgresServer, run_in_thread
from .postgres_process import PostgresProcess, start_private_server

PORT = 5432
STARTED = 20.0
"""Seconds after which a standby follows its primary."""


class Standby:
    """A running standby.

    Args:
        folder: Its socket's folder, with the data in ``data``.
        database: The database that `url` leads to.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self.url = f"postgresql://postgres:@/{database}?host={folder}"
        self._pid_file = folder / "data" / "postmaster.pid"

    def suspend(self) -> None:
        """Stop all its processes, as a machine that does not answer."""
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        """Let its processes go on."""
        for process in self._processes():
            process.resume()

    async def promote(self) -> None:
        """Make it the primary, and wait until it is."""
        connection = await asyncpg.connect(self.url)
        try:
            assert await connection.fetchval("SELECT pg_promote()")
        finally:
            await connection.close()

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(int(self._pid_file.read_text().split()[0]))
        return [first, *first.children(recursive=True)]


@contextmanager
def start_standby(url: str, programs: Path, user: str | None) -> Iterator[Standby]:
    """Copy a server, start the copy as its standby, and remove it afterwards.

    Args:
        url: The primary; a user who may replicate, on a unix socket.
        programs: Where PostgreSQL's programs are.
        user: As which system user they run; None as this one.
    """
    parts = urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="bs_sb_"))
    folder.chmod(0o700)
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command: list[Any] = [programs / program, "-D", data, *arguments]
        with (folder / "log").open("ab") as log:
            subprocess.run(command, check=True, user=user, stdout=log, stderr=log, timeout=60)

    primary = parse_qs(parts.query)["host"][0]
    run("pg_basebackup", "-h", primary, "-p", str(parts.port or PORT), "-U", "postgres",
        "-R", "-c", "fast", "-X", "stream", "--no-sync")  # fmt: skip
    options = f"-k {folder} -p {PORT} -c listen_addresses='' -c hot_standby=on"
    run("pg_ctl", "-w", "-l", str(data / "server.log"), "-o", options, "start")
    standby = Standby(folder, parts.path.removeprefix("/"))
    try:
        yield standby
    finally:
        with suppress(psutil.Error):
            standby.resume()
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def start_pair(*, synchronous: bool) -> Iterator[tuple[PostgresProcess, Standby]]:
    """Start a migrated primary and a standby that follows it.

    Args:
        synchronous: Whether each COMMIT waits for the standby.
    """
    with start_private_server() as primary:
        # Tests kill processes, not machines: the operating system keeps what they have written.
        PostgresServer(primary.url).execute(
            "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"
        )
        run_in_thread(bytes_squads.upgrade(primary.url))
        package: Any = primary._server
        with start_standby(primary.url, package.bin_path, package.system_user) as standby:
            run_in_thread(_wait_for_standby(primary.url, synchronous=synchronous))
            yield primary, standby


async def _wait_for_standby(url: str, *, synchronous: bool) -> None:
    connection = await asyncpg.connect(url)
    if synchronous:
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await connection.execute("SELECT pg_reload_conf()")
    state = "sync" if synchronous else "async"
    async with asyncio.timeout(STARTED):
        while not await connection.fetchval(  # noqa: ASYNC110  # another process
            "SELECT count(*) FROM pg_stat_replication"
            " WHERE sync_state = $1 AND state = 'streaming'",
            state,
        ):
            await asyncio.sleep(0.05)
    await connection.close()


def url_of_both(first: str, second: str, options: str = "") -> str:
    """Return the URL of a database on two servers, each on a Unix socket.

    Args:
        first: The URL of the server that is tried first.
        second: The URL of the other one.
        options: More options of the URL, as ``&maxsize=4``.
    """
    folder = parse_qs(urlsplit(second).query)["host"][0]
    return f"{first},{folder}{options}"
