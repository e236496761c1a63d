"""What the package wants to reach, and whether it does in a run."""

from __future__ import annotations

from dataclasses import dataclass

from . import operations, sqlite, transfers
from .results import Ratio, Results


@dataclass(frozen=True)
class Target:
    """A bound for the median of a run's ratios.

    Args:
        text: What is compared.
        key: The contest.
        peer: With whom; or the size of a guild.
        bound: At least this; for a size, at most this.
        stricter: A peer who does the same with less: told beside it.
    """

    text: str
    key: str
    peer: str
    bound: float
    stricter: str | None = None

    @property
    def is_cost(self) -> bool:
        """Whether the ratio is one of costs, of which less is better."""
        return self.key.startswith("growth-")

    @property
    def demand(self) -> str:
        """The bound in words."""
        return f"{'≤' if self.is_cost else '≥'} {self.bound:g}"

    def found(self, results: Results) -> Ratio | None:
        """The ratio in a run; None if the run lacks the contest or the peer."""
        if self.is_cost:
            return results.growth(self.key, self.peer)
        return results.ratio(self.key, self.peer)

    def found_strictly(self, results: Results) -> Ratio | None:
        """The ratio beside the stricter peer."""
        return None if self.stricter is None else results.ratio(self.key, self.stricter)

    def holds(self, ratio: Ratio) -> bool:
        """Whether the median is within the bound."""
        return ratio.median <= self.bound if self.is_cost else ratio.median >= self.bound


_MILLION = "1,000,000 members"

TARGETS = (
    Target(
        "transfers, 8 clients : asyncpg, two statements",
        "transfer-8",
        transfers.TWO,
        1.0,
        transfers.TWO_BARE,
    ),
    Target(
        "transfers, 8 clients : asyncpg, our statement",
        "transfer-8",
        transfers.ONE,
        0.75,
        transfers.ONE_BARE,
    ),
    Target(
        "transfers, 8 clients : SQLAlchemy",
        "transfer-8",
        transfers.SQLALCHEMY,
        5.0,
        transfers.SQLALCHEMY_LEAN,
    ),
    Target("transfers, 8 clients : pgbench, TPC-B", "transfer-8", transfers.PGBENCH, 0.6),
    Target(
        "transfers with a cooldown : asyncpg, two statements without",
        "transfer-cooldown",
        transfers.TWO,
        0.8,
        transfers.TWO_BARE,
    ),
    Target(
        "transfers to one member : asyncpg, two statements",
        "transfer-hot",
        transfers.TWO,
        1.0,
        transfers.TWO_BARE,
    ),
    Target("top 10 : asyncpg by hand", "top", operations.HAND, 0.9, operations.BARE),
    Target(
        "history, page of 20 : asyncpg by hand", "history", operations.HAND, 0.6, operations.BARE
    ),
    Target("grant_many : grant one by one", "grant-many", operations.SINGLY, 25.0),
    Target("SQLite : sqlite3 by hand", "sqlite", sqlite.HAND, 0.6),
    Target("cost of the top 10, 1,000,000 members : 1,000", "growth-top", _MILLION, 1.5),
    Target("cost of a history page, 1,000,000 members : 1,000", "growth-history", _MILLION, 1.5),
)
"""All of them are checked in the same run."""
