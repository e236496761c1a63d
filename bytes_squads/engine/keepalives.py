"""TCP keepalives, so that a half-open connection breaks within half a minute.

They are set on the client's socket: PgBouncer rejects them as startup parameters
(``server_settings``).
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from ._tortoise import find_socket


def set_keepalives(
    connection: Any, *, enabled: int, idle: int, interval: int, count: int, user_timeout: int
) -> None:
    """Set the TCP keepalives of a new connection; skip Unix sockets, which need none.

    Args:
        connection: asyncpg's connection.
        enabled: 1, or 0 to keep the system's settings.
        idle: Seconds without traffic before the first probe.
        interval: Seconds between two probes.
        count: Unanswered probes after which the connection breaks.
        user_timeout: Milliseconds that sent data may stay unacknowledged; Linux only.

    0 for one of the last four keeps the system's setting.
    """
    found = find_socket(connection)
    if not enabled or found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # An event loop's socket object may lack methods; a duplicate shares the options.
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
