"""A TCP relay to a PostgreSQL server: it counts round trips, and loses, holds and delays bytes.

Faults are those of a network, not of the driver: a connection is cut in the middle of a message,
packets arrive late, or a connection becomes half-open. The client's code is not changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import parse_qs, urlsplit

BACKEND_KEY_DATA = ord("K")
READY_FOR_QUERY = ord("Z")
EXECUTED = b"2DC"
"""What the answer to an execution begins with; a preparation is answered by other messages."""
FOREIGN_PID = (2**31 - 5).to_bytes(4)
"""The process id that a relay with `PostgresRelay.hides_pids` shows: no process has it."""


class Direction(Enum):
    """Which way bytes go."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


TO_SERVER, TO_CLIENT = Direction


class Link:
    """One client's connection and the connection to the server that belongs to it.

    Args:
        client: The client's end.
        server: The server's end.
    """

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._client, self._server = client, server
        self.held: dict[Direction, bytearray] = {}
        """Bytes that do not go on, by direction; a direction that is not held has no entry."""

    def writer(self, direction: Direction) -> asyncio.StreamWriter:
        """Return the end that bytes of this direction go to."""
        return self._server if direction is TO_SERVER else self._client

    def source(self, direction: Direction) -> asyncio.StreamWriter:
        """Return the end that bytes of this direction come from."""
        return self._client if direction is TO_SERVER else self._server

    def break_client(self) -> None:
        """Close the client's end. The server's end stays open if its direction is held."""
        self._client.transport.abort()

    def cut(self) -> None:
        """Close both ends; bytes that are held are lost."""
        self._client.transport.abort()
        self._server.transport.abort()

    def silence(self) -> None:
        """Forward nothing from now on, not even that an end was closed (half-open)."""
        for direction in Direction:
            self.held.setdefault(direction, bytearray())

    async def deliver(self) -> None:
        """Send the held bytes to their destinations, as a network does that was congested."""
        for direction, data in self.held.items():
            if data and not self.writer(direction).is_closing():
                with suppress(ConnectionError):
                    self.writer(direction).write(bytes(data))
                    await self.writer(direction).drain()
        self.held.clear()


class PostgresRelay:
    """A relay on loopback to a PostgreSQL server.

    Args:
        url: The server, as `bytes_squads.init` takes it; without TLS.

    Attributes:
        url: The same database through the relay.
        round_trips: How many "ready for query" the server has sent: one for each statement that is
            prepared already, for BEGIN, COMMIT and a reset ("Message Flow" in its manual).
        cuts: How many connections `cut_after` has cut.
        delay: Returns the seconds that each packet takes.
        hides_pids: Whether clients see another process id than the server's, as through PgBouncer.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = parse_qs(parts.query).get("host", [""])[0]
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 5432
        self._login = f"{parts.username or 'postgres'}:{parts.password or ''}"
        self._database = parts.path
        self.url = ""
        self.round_trips = self.cuts = 0
        self.delay: Callable[[], float] | None = None
        self.hides_pids = False
        self.links: list[Link] = []
        self._open = asyncio.Event()
        self._open.set()
        self._limits: dict[Direction, int] = {}
        self._requests: tuple[bytes, asyncio.Future[Link]] | None = None
        self._answers: tuple[int, asyncio.Future[Link]] | None = None
        self._answered: dict[Link, asyncio.Future[Link]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port, given by `url`."""
        listener = await asyncio.start_server(self._accept, "127.0.0.1")
        port = listener.sockets[0].getsockname()[1]
        self.url = f"postgres://{self._login}@127.0.0.1:{port}{self._database}?sslmode=disable"
        try:
            yield
        finally:
            listener.close()
            self._open.set()
            for link in self.links:
                link.cut()
            if self._tasks:
                await asyncio.wait(self._tasks)

    # Faults -----------------------------------------------------------------------------------

    def cut_after(self, count: int, direction: Direction) -> None:
        """Let so many bytes pass in a direction, then cut the connection of the next one."""
        self._limits = {direction: count}

    def hold_requests(self, containing: bytes = b"") -> asyncio.Future[Link]:
        """Hold, on one connection, the packet to the server that contains this, and all after it.

        Returns:
            The connection, when its packet is there.
        """
        caught: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._requests = containing, caught
        return caught

    def hold_answers(self, trip: int = 1) -> asyncio.Future[Link]:
        """Hold, on one connection, the answer to a statement, and all after it.

        Args:
            trip: Which statement from now on, 1 the next.

        Returns:
            The connection, when the server has answered.
        """
        caught: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._answers = self.round_trips + trip, caught
        return caught

    def pass_all(self) -> None:
        """Set no limit and hold nothing more; what is held stays so."""
        self._limits, self._requests, self._answers = {}, None, None

    def pause_connecting(self) -> None:
        """Let new connections wait for `resume_connecting`."""
        self._open.clear()

    def resume_connecting(self) -> None:
        """Let new connections through to the server."""
        self._open.set()

    # Relaying ---------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            if self._folder:
                path = f"{self._folder}/.s.PGSQL.{self._port}"
                back, server = await asyncio.open_unix_connection(path)
            else:
                back, server = await asyncio.open_connection(self._host, self._port)
        except OSError:  # the server is down
            writer.transport.abort()
        else:
            link = Link(writer, server)
            self.links.append(link)
            await asyncio.gather(self._send(link, reader), self._return(link, back))
            self.links.remove(link)
        finally:
            self._tasks.discard(task)

    async def _send(self, link: Link, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self._requests and self._requests[0] in data:
                    link.held.setdefault(TO_SERVER, bytearray()).extend(data)
                    self._requests[1].set_result(link)
                    self._requests = None
                else:
                    await self._forward(link, TO_SERVER, data)
        await self._pass_close_on(link, TO_SERVER)

    async def _return(self, link: Link, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                if head[0] == BACKEND_KEY_DATA and self.hides_pids:
                    body = FOREIGN_PID + body[4:]
                if head[0] in EXECUTED and self._answers:
                    trip, caught = self._answers
                    if self.round_trips + 1 == trip:
                        link.held.setdefault(TO_CLIENT, bytearray())
                        self._answers, self._answered[link] = None, caught
                self.round_trips += head[0] == READY_FOR_QUERY
                await self._forward(link, TO_CLIENT, head + body)
                if head[0] == READY_FOR_QUERY and link in self._answered:
                    self._answered.pop(link).set_result(link)
        await self._pass_close_on(link, TO_CLIENT)

    async def _forward(self, link: Link, direction: Direction, data: bytes) -> None:
        if self.delay:
            await asyncio.sleep(self.delay())
        if direction in link.held:
            link.held[direction] += data
            return
        limit = self._limits.get(direction)
        if limit is not None and limit < len(data):
            del self._limits[direction]
            self.cuts += 1
            link.writer(direction).write(data[:limit])
            link.cut()
            return
        if limit is not None:
            self._limits[direction] = limit - len(data)
        link.writer(direction).write(data)
        await link.writer(direction).drain()

    async def _pass_close_on(self, link: Link, direction: Direction) -> None:
        """Pass on that an end was closed, once nothing is held in its direction."""
        link.source(direction).close()
        while direction in link.held and not link.writer(direction).is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        link.writer(direction).close()
