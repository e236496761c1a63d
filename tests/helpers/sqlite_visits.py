"""Count the round trips to the thread of a SQLite connection."""

from __future__ import annotations

import asyncio
from typing import Any


class SqliteVisits:
    """Counts the answers that other threads give to the running event loop.

    Of an open SQLite database there is one other thread, the connection's.

    Attributes:
        round_trips: The number of answers.
    """

    def __init__(self) -> None:
        self.round_trips = 0
        loop: Any = asyncio.get_running_loop()
        answer = loop.call_soon_threadsafe

        def count(*arguments: Any, **named: Any) -> Any:
            self.round_trips += 1
            return answer(*arguments, **named)

        loop.call_soon_threadsafe = count
