"""Counting what goes over the wire to PostgreSQL, and what SQLite executes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

READY_FOR_QUERY = ord("Z")
AUTHENTICATION = ord("R")


class Wire:
    """A relay to a PostgreSQL server that counts its answers "ready for query".

    The server says so once for each round trip: for BEGIN and COMMIT, for a reset, and for each
    statement that is prepared already ("Message Flow" in PostgreSQL's manual).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._folder = options.get("host", [""])[0]
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 5432
        self._login = f"{parts.username or 'postgres'}:{parts.password or ''}"
        self._database = parts.path
        self.round_trips = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        if self._folder:
            server = await asyncio.open_unix_connection(f"{self._folder}/.s.PGSQL.{self._port}")
        else:
            server = await asyncio.open_connection(self._host, self._port)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._there(reader, server[1]))
            both.create_task(self._back(server[0], writer))

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                self.round_trips += head[0] == READY_FOR_QUERY
                writer.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port, given by `url`."""
        server = await asyncio.start_server(self.serve, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        self.url = f"postgres://{self._login}@127.0.0.1:{port}{self._database}?sslmode=disable"
        try:
            yield
        finally:
            server.close()


class Trace:
    """Counts the statements that a SQLite connection executes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements: list[str] = []

    async def start(self) -> None:
        """Note each statement from now on; those of triggers are comments to SQLite."""

        def note(text: str) -> None:
            if not text.startswith("--"):
                self.statements.append(text)

        await self._connection.set_trace_callback(note)
