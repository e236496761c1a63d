"""Count the calls on the thread of a SQLite connection."""

from __future__ import annotations

from typing import Any


class SqliteVisits:
    """Counts what is executed on the thread of a connection.

    Args:
        connection: An open aiosqlite connection.

    Attributes:
        round_trips: The number of calls.
    """

    def __init__(self, connection: Any) -> None:
        self.round_trips = 0
        execute = type(connection)._execute.__get__(connection)

        async def counting(*arguments: Any, **named: Any) -> Any:
            self.round_trips += 1
            return await execute(*arguments, **named)

        connection._execute = counting
