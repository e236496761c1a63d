"""The figures of a run, and what they say: ratios within rounds, and the median of these."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from .rounds import OURS, Contest
from .settings import POOL_SIZE, Settings

_PACKAGES = (
    "bytes_squads",
    "tortoise-orm",
    "asyncpg",
    "aiosqlite",
    "pydantic",
    "SQLAlchemy",
)


@dataclass(frozen=True)
class Ratio:
    """How two contestants compare in the rounds of a contest: the median, the least, the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Ratio:
        """The ratio of the rounds' ratios."""
        known = sorted(values)
        return cls(median(known), known[0], known[-1])


@dataclass(frozen=True)
class Results:
    """A run.

    Args:
        about: Date, machine, versions and settings.
        contests: By key.
    """

    about: dict[str, Any]
    contests: dict[str, Contest]

    def peers(self, key: str) -> list[str]:
        """Everybody but the package in a contest, in the order of the first round."""
        rounds = self.contests[key].rounds if key in self.contests else []
        return [name for name in rounds[0]["order"] if name != OURS] if rounds else []

    def ratio(self, key: str, peer: str, ours: str = OURS) -> Ratio | None:
        """How much the package does for each one that the peer does; None if they did not meet."""
        if key not in self.contests:
            return None
        figures = [one["figures"] for one in self.contests[key].rounds]
        if any(peer not in figure or ours not in figure for figure in figures):
            return None
        return Ratio.of(figure[ours] / figure[peer] for figure in figures)

    def rate(self, key: str, name: str = OURS) -> float | None:
        """What a contestant did per second, the median of the rounds."""
        if key not in self.contests:
            return None
        figures = [one["figures"] for one in self.contests[key].rounds]
        return median(figure[name] for figure in figures) if name in figures[0] else None

    def sizes(self) -> list[str]:
        """The guilds of growing size, the smallest first."""
        key = next((key for key in self.contests if key.startswith("growth-")), None)
        return self.contests[key].rounds[0]["order"] if key else []

    def growth(self, key: str, size: str) -> Ratio | None:
        """What an operation costs in a guild of a size, for 1 in the smallest guild."""
        return self.ratio(key, size, ours=self.sizes()[0]) if self.sizes() else None

    def write(self, path: Path) -> None:
        """Write everything, each round's figures too, as JSON."""
        contests = [asdict(contest) for contest in self.contests.values()]
        text = json.dumps({**self.about, "contests": contests}, indent=1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """What `Results.write` has written."""
    about = json.loads(path.read_text(encoding="utf-8"))
    contests = [Contest(**fields) for fields in about.pop("contests")]
    return Results(about, {contest.key: contest for contest in contests})


def about(settings: Settings, server: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """What a run is to be known by.

    Args:
        settings: Its sizes.
        server: What PostgreSQL is set to.
        quick: Whether its figures mean nothing.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "Python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        "server": server,
        "settings": {**asdict(settings), "pool_size": POOL_SIZE},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> float | None:
    """Gibibytes of memory, where the system says so."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return round(pages * size / 2**30, 1)
