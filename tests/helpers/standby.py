"""A streaming standby of a PostgreSQL server, on the same machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

PORT = 5432


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
        "-R", "-c", "fast", "-X", "stream")  # fmt: skip
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
