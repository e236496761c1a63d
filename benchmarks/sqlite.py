"""The contest of transfers on SQLite, one client."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tortoise.connection import get_connection

import bytes_squads

from . import agreement, guild, ids
from .clock import Clock
from .peers.sqlite_transfers import OneVisit
from .rounds import OURS, Contest, hold
from .settings import Settings
from .transfers import UNIT, Ours, Transfer, contestant, spread

HAND = "sqlite3, by hand in a thread"

_DURABLE = {"journal_mode": "wal", "synchronous": 2}
"""2 is FULL: a COMMIT is on disk when it returns."""


async def contests(settings: Settings) -> AsyncIterator[Contest]:
    """Hold the contest."""
    users = ids.members(settings.members)
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="bs_bench_") as folder:
        path = str(Path(folder) / "bench.db")
        await bytes_squads.upgrade(f"sqlite://{path}")
        guild.fill_sqlite(path, ids.GUILD, settings.members)
        await guild.configure(f"sqlite://{path}", ids.GUILD)
        hand = OneVisit(path, clock)
        keeper = sqlite3.connect(path, isolation_level=None)

        async def before() -> None:
            """What was written goes from the log into the file."""
            keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        try:
            await _same_durability(hand)
            transfers: dict[str, Transfer] = {OURS: Ours(clock), HAND: hand}
            await agreement.same_transfers(agreement.on_sqlite(path), ids.GUILD, users, transfers)
            here = [
                contestant(name, transfer, ids.GUILD, spread(users))
                for name, transfer in transfers.items()
            ]
            yield await hold(
                Contest("sqlite", "transfers on SQLite, 1 client", UNIT),
                here,
                rounds=settings.rounds,
                clients=1,
                seconds=settings.seconds,
                warm_seconds=settings.warm_seconds,
                before=before,
            )
        finally:
            keeper.close()
            hand.close()
            await bytes_squads.close()


async def _same_durability(hand: OneVisit) -> None:
    """Make sure that both keep what they have confirmed.

    Raises:
        DisagreementError: One of them does not.
    """
    for pragma, value in _DURABLE.items():
        rows = await get_connection("default").execute_query_dict(f"PRAGMA {pragma}")
        ours = next(iter(rows[0].values()))
        theirs = hand.pragma(pragma)
        if not ours == theirs == value:
            raise agreement.DisagreementError(f"{pragma}: {ours} and {theirs}, not {value}")
