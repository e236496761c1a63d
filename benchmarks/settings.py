"""How long a run takes, and on how much."""

from __future__ import annotations

from dataclasses import dataclass

POOL_SIZE = 10
"""Connections of each contestant's pool; the package's own default."""


@dataclass(frozen=True)
class Settings:
    """The sizes of a run.

    Args:
        rounds: How often every contestant has its turn.
        seconds: Timed seconds of a turn with several clients.
        reading_seconds: Timed seconds of a turn with one client.
        warm_seconds: Seconds before the first round that are not counted.
        members: Members of the guild.
        clients: Numbers of clients that transfer at once.
        batch: Members paid by one `grant_many`.
        pgbench_scale: Branches of pgbench's tables, each with 100,000 accounts.
        growth_rounds: As `rounds`, for guilds of growing size.
        growth_seconds: As `seconds`, for guilds of growing size.
        sizes: Members of the guilds of growing size; each has five ledger rows a member.
    """

    rounds: int
    seconds: float
    reading_seconds: float
    warm_seconds: float
    pgbench_scale: int
    growth_rounds: int
    growth_seconds: float
    sizes: tuple[int, ...]
    members: int = 10_000
    clients: tuple[int, ...] = (1, 8, 32)
    batch: int = 1_000


FULL = Settings(
    rounds=5,
    seconds=1.5,
    reading_seconds=0.8,
    warm_seconds=1.0,
    pgbench_scale=50,
    growth_rounds=5,
    growth_seconds=0.5,
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    batch=10_000,
)
"""Under twenty minutes."""

QUICK = Settings(
    rounds=2,
    seconds=0.2,
    reading_seconds=0.1,
    warm_seconds=0.1,
    pgbench_scale=10,
    growth_rounds=2,
    growth_seconds=0.1,
    sizes=(1_000, 10_000),
    clients=(1, 8),
)
"""About a minute: shows that everything works, its figures mean nothing."""
