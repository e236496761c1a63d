"""Transfers by hand on Python's sqlite3, each in one visit to a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import partial

from ..clock import Clock
from ..ids import NAME, uuid7
from .asyncpg_transfers import BOTH, Refused

MOVE = """
    UPDATE bytes_balances SET
        balance = balance + CASE WHEN user_id = ?3 THEN ?4 ELSE - ?4 END,
        total_received = total_received + CASE WHEN user_id = ?3 THEN ?4 ELSE 0 END,
        total_sent = total_sent + CASE WHEN user_id = ?2 THEN ?4 ELSE 0 END,
        updated_at = ?5
    WHERE guild_id = ?1 AND user_id IN (?2, ?3) AND (user_id = ?3 OR balance >= ?4)
    RETURNING user_id
"""

RECORD = """
    INSERT INTO bytes_transactions
        (id, guild_id, giver_id, giver_username, receiver_id, receiver_username, amount, kind,
         created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'transfer', ?8)
"""


class OneVisit:
    """An UPDATE of both rows and the INSERT of the ledger's, in a transaction in a thread.

    It checks what asyncpg's two statements check. The file is as durable as the package leaves it:
    WAL, synchronous FULL.

    Args:
        path: The file.
        clock: For the ledger row.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1)
        self._connection = self._thread.submit(self._open, path).result()

    def _open(self, path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def __call__(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        """Transfer whole bytes."""
        loop = asyncio.get_running_loop()
        work = partial(self._transfer, guild, giver, receiver, amount)
        await loop.run_in_executor(self._thread, work)

    def _transfer(self, guild: str, giver: str, receiver: str, amount: int) -> None:
        now = self._clock().astimezone(UTC).isoformat(" ")
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            moved = connection.execute(MOVE, (guild, giver, receiver, amount, now)).fetchall()
            if len(moved) != BOTH:
                raise Refused
            row = (str(uuid7()), guild, giver, NAME, receiver, NAME, amount, now)
            connection.execute(RECORD, row)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def pragma(self, name: str) -> object:
        """What a pragma of the connection is set to."""
        asked = self._thread.submit(self._ask, name).result()
        return asked[0]

    def _ask(self, name: str) -> tuple[object, ...]:
        row: tuple[object, ...] = self._connection.execute(f"PRAGMA {name}").fetchone()
        return row

    def close(self) -> None:
        """Close the file and end the thread."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()
