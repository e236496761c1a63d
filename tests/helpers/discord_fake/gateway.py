"""The gateway: a websocket on which Discord sends numbered events to a bot.

A session outlives its connection. What happens while there is none is kept, and sent when the bot
comes back with RESUME and the number of the last event that it has seen.
"""

from __future__ import annotations

import json
import uuid
import zlib
from typing import Any

from aiohttp import WSMsgType, web

from .world import Json

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 9, 10, 11
HEARTBEAT_MS = 41_250


class Connection(web.WebSocketResponse):
    """A bot's connection, compressed where the bot asks for zlib and as plain text otherwise."""

    _stream: Any = None

    def start_stream(self) -> None:
        """Compress from here on: one stream for the connection, flushed after each payload."""
        self._stream = zlib.compressobj()

    async def send_payload(self, payload: Json) -> None:
        text = json.dumps({"t": None, "s": None, "d": None, **payload})
        if self._stream is None:
            await self.send_str(text)
        else:
            data = self._stream.compress(text.encode()) + self._stream.flush(zlib.Z_SYNC_FLUSH)
            await self.send_bytes(data)


class Session:
    """A bot's session: its events so far, and its connection when it has one."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.events: list[Json] = []
        self.socket: Connection | None = None

    async def dispatch(self, event: str, data: Json) -> None:
        """Send an event, or keep it until the bot is back."""
        self.events.append({"op": DISPATCH, "t": event, "s": len(self.events) + 1, "d": data})
        await self._send(self.events[-1])

    async def resume(self, socket: Connection, seen: int) -> None:
        self.socket = socket
        for event in self.events[seen:]:
            await self._send(event)
        await self.dispatch("RESUMED", {})

    async def _send(self, event: Json) -> None:
        if self.socket is not None and not self.socket.closed:
            await self.socket.send_payload(event)


class Gateway:
    """Who is connected; counts how often a bot identified itself and how often it resumed."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.sessions: dict[str, Session] = {}
        self.identified = 0
        self.resumed = 0

    @property
    def connected(self) -> bool:
        """Whether a bot is connected and identified."""
        return any(session.socket is not None for session in self.sessions.values())

    async def dispatch(self, event: str, data: Json) -> None:
        """Send an event to every session, connected or not."""
        for session in self.sessions.values():
            await session.dispatch(event, data)

    async def drop(self, *, forget: bool = False) -> None:
        """Break every connection; with ``forget`` the sessions cannot be resumed."""
        sockets = [session.socket for session in self.sessions.values()]
        for session in self.sessions.values():
            session.socket = None
        if forget:
            self.sessions.clear()
        for socket in sockets:
            if socket is not None:
                await socket.close(code=4000)

    async def serve(self, request: web.Request, greeting: list[tuple[str, Json]]) -> Connection:
        """One connection, from HELLO until either side closes it.

        Args:
            request: Asks for the connection.
            greeting: The first events of a new session, READY and what follows it.
        """
        socket = Connection()
        if request.query.get("compress") == "zlib-stream":
            socket.start_stream()
        await socket.prepare(request)
        await socket.send_payload({"op": HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        session: Session | None = None
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            payload = json.loads(message.data)
            op, data = payload["op"], payload["d"]
            if op == HEARTBEAT:
                await socket.send_payload({"op": HEARTBEAT_ACK})
            elif op in {IDENTIFY, RESUME} and data["token"] != self._token:
                await socket.close(code=4004)
            elif op == IDENTIFY:
                session = await self._identify(socket, greeting)
            elif op == RESUME:
                session = await self._resume(socket, data)
        if session is not None and session.socket is socket:
            # Closed by the bot: with 1000 it is gone for good, otherwise it will be back.
            session.socket = None
            if socket.close_code == 1000:
                self.sessions.pop(session.id, None)
        return socket

    async def _identify(self, socket: Connection, greeting: list[tuple[str, Json]]) -> Session:
        session = Session()
        session.socket = socket
        self.sessions[session.id] = session
        for event, body in greeting:
            await session.dispatch(event, {**body, "session_id": session.id})
        self.identified += 1
        return session

    async def _resume(self, socket: Connection, data: Json) -> Session | None:
        session = self.sessions.get(data["session_id"])
        if session is None:
            await socket.send_payload({"op": INVALID_SESSION, "d": False})
            return None
        await session.resume(socket, data["seq"])
        self.resumed += 1
        return session
