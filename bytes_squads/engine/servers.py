"""Connect to one of several PostgreSQL servers, and recognise a former primary.

A standby that is promoted begins a new timeline. The connector stores the newest timeline that it
has seen. A primary on an older one is a former primary, even if it still runs or is started again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from ..sql.sessions import GET_SERVER
from ._tortoise import SessionConnection
from .driver_errors import (
    DRIVER_ERRORS,
    ConnectionLostError,
    NoServerError,
    UnconfirmedCommitError,
    first_line,
    translate,
)
from .keepalives import set_keepalives
from .tasks import run_to_completion


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server.

    Attributes:
        host: A name, an IP address, the folder of a Unix socket, or None for asyncpg's default.
        port: The port.
    """

    host: str | None
    port: int

    def __str__(self) -> str:
        host = self.host or "the default host"
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The history that a primary writes.

    Attributes:
        system: Identifies the database cluster, the same on primary and standbys.
        number: Higher after each promotion.
    """

    system: int
    number: int


@dataclass(frozen=True, slots=True)
class Session:
    """A server process and its server.

    Attributes:
        pid: Its process id as the driver reports it.
        started: When it began; None if that is unknown, as behind a pooler.
        timeline: The server's timeline; None on a standby, or if it is unknown.
        connector: Opened the connection; None for one of another pool.
        generation: The connector's, when it was opened.
    """

    pid: int
    started: datetime | None = None
    timeline: Timeline | None = None
    connector: ServerConnector | None = None
    generation: int = 0


def session_of(connection: Any) -> Session | None:
    """Return the session of a driver's connection; None on SQLite."""
    session: Session | None = getattr(connection, "session", None)
    if session is None and hasattr(connection, "get_server_pid"):
        session = Session(connection.get_server_pid())
    return session


def require_confirmed(connection: Any) -> None:
    """Check that the server has not stopped waiting for the standby during a COMMIT.

    Raises:
        UnconfirmedCommitError: It has.
    """
    if getattr(connection, "unconfirmed", False):
        raise UnconfirmedCommitError("the standby may not have the transaction")


def is_outdated(connection: Any) -> bool:
    """Return whether a connection is of an earlier generation of its connector."""
    session: Session | None = getattr(connection, "session", None)
    return (
        session is not None
        and session.connector is not None
        and session.generation != session.connector.generation
    )


def avoid_server_of(connection: Any) -> None:
    """Try a connection's server last from now on; make the open connections outdated."""
    session: Session | None = getattr(connection, "session", None)
    if session is not None and session.connector is not None and not is_outdated(connection):
        session.connector.avoid(connection.address)
        session.connector.generation += 1


class ServerConnector:
    """Opens connections to the first suitable server; the ``connect`` of asyncpg's pool.

    A server that cannot be reached or does not suit is tried last from then on.

    Args:
        addresses: The servers.
        target: As libpq's ``target_session_attrs``; None for the default of asyncpg.
        keepalives: The arguments of `set_keepalives`.

    Attributes:
        newest: The newest timeline that was seen.
        generation: How often the open connections became outdated.
    """

    def __init__(
        self, addresses: Sequence[Address], target: str | None, keepalives: dict[str, int]
    ) -> None:
        self.addresses = tuple(addresses)
        self.target = target
        self.newest: Timeline | None = None
        self.generation = 0
        self._order = list(addresses)
        self._keepalives = keepalives

    async def __call__(
        self, *_: None, target_session_attrs: str | None = None, **options: Any
    ) -> SessionConnection:
        """Connect.

        Args:
            _: asyncpg's pool passes no DSN.
            target_session_attrs: Used in place of ``target``.
            options: asyncpg's; ``timeout`` holds for each server.

        Raises:
            NoServerError: No server could be used.
        """
        target = target_session_attrs or self.target
        failures: dict[Address, str] = {}
        for wanted in ("standby", "any") if target == "prefer-standby" else (target,):
            for address in tuple(self._order):
                try:
                    return await self._connect_to(address, wanted, options)
                except DRIVER_ERRORS as error:
                    if not _is_about_server(error):
                        raise
                    self.avoid(address)
                    if self.addresses == (address,) and not isinstance(error, _UNSUITABLE):
                        raise
                    failures[address] = _reason(error, wanted)
        raise NoServerError("; ".join(f"{address} {failures[address]}" for address in failures))

    async def _connect_to(
        self, address: Address, target: str | None, options: dict[str, Any]
    ) -> SessionConnection:
        connection: SessionConnection = await asyncpg.connect(
            **options
            | {"host": address.host, "port": address.port, "target_session_attrs": target}
            | {"connection_class": SessionConnection}
        )
        try:
            set_keepalives(connection, **self._keepalives)
            # Not to be cancelled: asyncpg would cancel the query through another connection.
            identify = self._identify(connection, options.get("timeout"))
            session = await run_to_completion(identify)
        except BaseException:
            connection.terminate()
            raise
        connection.session = session
        connection.address = address
        return connection

    async def _identify(self, connection: Any, seconds: float | None) -> Session:
        pid = connection.get_server_pid()
        try:
            row = await connection.fetchrow(GET_SERVER.postgres, timeout=seconds)
        except asyncpg.PostgresError as error:
            if isinstance(translate(error), ConnectionLostError):
                raise
            # Such as a compatible server without timelines.
            return Session(pid, connector=self, generation=self.generation)
        timeline = self.update_newest(row["system"], row["timeline"])
        # A pooler shows other process ids, and may use another session for the next transaction.
        started = row["started"] if row["pid"] == pid else None
        return Session(pid, started, timeline, self, self.generation)

    def update_newest(self, system: int, number: int | None) -> Timeline | None:
        """Return a server's timeline; a newer one makes the open connections outdated.

        Args:
            system: The cluster's identifier.
            number: The number of the timeline; None on a standby.

        Raises:
            _FormerPrimaryError: It is older than one that was seen.
        """
        if number is None:
            return None
        newest, timeline = self.newest, Timeline(system, number)
        if newest is not None and system == newest.system and number < newest.number:
            raise _FormerPrimaryError(
                f"is a former primary: timeline {newest.number} has replaced its timeline {number}"
            )
        if timeline != newest:
            self.newest = timeline
            self.generation += newest is not None
        return timeline

    def avoid(self, address: Address) -> None:
        """Try this server last from now on."""
        self._order.remove(address)
        self._order.append(address)


class _FormerPrimaryError(ConnectionError):
    """The server was the primary before the present one."""


_UNSUITABLE = (_FormerPrimaryError, asyncpg.TargetServerAttributeNotMatched)


def _is_about_server(error: Exception) -> bool:
    """Return whether another server may accept the same user, database and options.

    One with too many clients is alive; asyncpg's InterfaceError is about the options.
    """
    return isinstance(translate(error), ConnectionLostError) and not isinstance(
        error, asyncpg.InsufficientResourcesError | asyncpg.InterfaceError
    )


def _reason(error: Exception, target: str | None) -> str:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return f"is not {target or os.environ.get('PGTARGETSESSIONATTRS')}"
    if isinstance(error, _FormerPrimaryError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "does not answer"
    return f"cannot be reached ({first_line(error)})"
