"""The tables and charts of a session."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from . import session
from .session import Benchmark, Settings
from .workloads import BATCH

_TICKS = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5)
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"

_FIGURES = re.compile("(<!-- figures: begin -->\n).*(<!-- figures: end -->)", re.DOTALL)
_PACKAGES = ("bytes_squads", "tortoise-orm", "asyncpg", "aiosqlite", "pydantic", "SQLAlchemy")

WANTED = {
    session.ASYNCPG: {"transfer": 1.0, "transfer-hot": 1.0, "transfer-cooldown": 0.8},
    session.ASYNCPG_NO_RESET: {"claim": 0.6, "join": 0.65},
    session.STATEMENT: {"transfer": 0.75},
    session.STATEMENT_NO_RESET: {"transfer": 0.85},
    session.SQLALCHEMY: {"transfer": 5.0},
    session.PGBENCH: {"transfer": 0.6},
    session.SQLITE3: {"transfer-1": 0.6},
    "1,000 members": {"top": 0.67, "history": 0.67},
    session.OTHER_REVISION: {
        "transfer": 0.95,
        **dict.fromkeys(("transfer-1", "transfer-key", "transfer-cooldown"), 1.0),
        **dict.fromkeys(("claim", "join"), 1.3),
        **dict.fromkeys(("refused-balance", "refused-limit", "refused-cooldown"), 2.0),
    },
}
"""The smallest valid median, by the other implementation and the benchmark."""


def describe(settings: Settings, postgres: str) -> str:
    """Return a session's date, machine, versions and durations."""
    cpu = Path("/proc/cpuinfo")
    model = re.search("model name.*: (.*)", cpu.read_text("utf-8") if cpu.exists() else "")
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model[1] if model else platform.machine()},"
        f" {os.cpu_count()} cores, {platform.system()}. PostgreSQL {postgres} with its defaults,"
        f" Python {platform.python_version()}, {versions}. {settings.rounds} rounds of"
        f" {settings.seconds:g} s (twice as many beside another revision),"
        f" guilds of {BATCH:,} members, pgbench at scale {settings.pgbench_scale}."
    )


def tables(benchmarks: list[Benchmark]) -> Iterator[tuple[str, str]]:
    """Return each section's name and table, as Markdown."""
    for section in dict.fromkeys(one.section for one in benchmarks):
        lines = ["| operation | beside | ours : theirs | wanted | ours per second |"]
        lines.append("|---|---|---:|---:|---:|")
        for benchmark in (one for one in benchmarks if one.section == section):
            rate = statistics.median(next(iter(one.values())) for one in benchmark.rounds)
            for other, ratios in benchmark.ratios().items():
                median, least, greatest = map(_format, ratios)
                wanted = WANTED.get(other, {}).get(benchmark.key)
                bound = "–" if wanted is None else f"≥ {wanted:g}"
                missed = " **no**" if wanted is not None and ratios[0] < wanted else ""
                cells = (benchmark.title, other, f"{median} ({least} … {greatest})", bound + missed)
                lines.append(f"| {' | '.join(cells)} | {_format(rate)} |")
        yield section, "\n".join(lines)


def write(benchmarks: list[Benchmark], description: str) -> None:
    """Write tables and charts into the documentation."""
    parts = [description]
    for section, table in tables(benchmarks):
        chart = f"charts/{section.split()[0].lower()}.svg"
        _draw([one for one in benchmarks if one.section == section], DOCUMENT.parent / chart)
        parts.append(f"### {section}\n\n![{section}]({chart})\n\n{table}")
    text, figures = DOCUMENT.read_text("utf-8"), "\n\n".join(parts)
    text = _FIGURES.sub(lambda found: f"{found[1]}\n{figures}\n\n{found[2]}", text)
    DOCUMENT.write_text(text, "utf-8")


def _format(number: float) -> str:
    """Return a number with three significant digits, or as many as it has before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _draw(benchmarks: list[Benchmark], path: Path) -> None:
    """Draw medians and ranges, on a white background: a page may be light or dark."""
    rows: list[Any] = []
    for one in benchmarks:
        ratios = one.ratios()
        alone = len(ratios) == 1
        rows += [] if alone else [(one.title, None)]
        rows += [(f"{one.title}: {other}" if alone else other, ratios[other]) for other in ratios]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.name, "font.size": 9}):
        figure = Figure(figsize=(6, 0.6 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        for y, (_, ratio) in enumerate(rows):
            if ratio is None:
                axes.get_yticklabels()[y].set_fontweight("bold")
                continue
            axes.plot(ratio[1:], [y, y], "C0", ratio[0], y, "C0o")
            axes.text(1.02, y, _format(ratio[0]), va="center", transform=axes.get_yaxis_transform())
        axes.axvline(1, color="gray", linewidth=0.8)
        axes.set(xscale="log", xlabel="ours : theirs", ylim=(len(rows) - 0.5, -0.5))
        ticks = (0.005, 0.02, 0.1, 1) if axes.get_xlim()[0] < 0.1 else _TICKS
        axes.xaxis.set(major_locator=FixedLocator(ticks), major_formatter="{x:g}")
        axes.minorticks_off()
        figure.savefig(path, facecolor="white", metadata={"Date": None, "Creator": None})
