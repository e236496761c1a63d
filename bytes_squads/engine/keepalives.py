"""TCP keepalives, so that a connection whose other end vanished breaks within half a minute.

They are options of the client's socket. As start-up parameters (``server_settings``) PgBouncer
would refuse them.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from ._tortoise import find_socket


async def set_keepalives(
    connection: Any, *, enabled: int, idle: int, interval: int, count: int, user_timeout: int
) -> None:
    """Set the TCP keepalives of a new connection; a unix socket needs and has none.

    Args:
        connection: asyncpg's connection.
        enabled: 1, or 0 to leave the system's settings.
        idle: Seconds without traffic before the first probe.
        interval: Seconds between two probes.
        count: Unanswered probes after which the connection breaks.
        user_timeout: Milliseconds that sent data may stay unacknowledged; Linux only.

    0 for one of the last four leaves the system's setting.
    """
    found = find_socket(connection)
    if not enabled or found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # A duplicate, which shares the options: an event loop's own socket lacks methods.
    with socket.fromfd(found.fileno(), found.family, found.type) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        idle_option = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
        for option, value in (
            (idle_option, idle),
            ("TCP_KEEPINTVL", interval),
            ("TCP_KEEPCNT", count),
            ("TCP_USER_TIMEOUT", user_timeout),
        ):
            if value and hasattr(socket, option):
                duplicate.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
