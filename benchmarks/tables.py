"""The tables of a run, as plain text that the terminal and the documents both show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from .results import Ratio, Results
from .targets import TARGETS

_TRANSFERS = {
    "transfer-1": "1 client",
    "transfer-8": "8 clients",
    "transfer-32": "32 clients",
    "transfer-hot": "8 clients, one receiver",
    "transfer-cooldown": "8 clients, cooldown",
}
_OPERATIONS = ("claim", "join", "top", "rank", "history", "grant-many", "sqlite")
_NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table: the first columns, `texts` of them, are text, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    texts: int = 1

    def markdown(self) -> str:
        """As Markdown, under a heading."""
        lines = [
            f"### {self.title}\n",
            "| " + " | ".join(self.columns) + " |",
            "|" + "---|" * self.texts + "---:|" * (len(self.columns) - self.texts),
            *("| " + " | ".join(row) + " |" for row in self.rows),
        ]
        return "\n".join(lines) + "\n"

    def rich(self) -> RichTable:
        """For the terminal."""
        table = RichTable(
            title=Text(self.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD
        )
        for place, column in enumerate(self.columns):
            table.add_column(column, justify="left" if place < self.texts else "right")
        for row in self.rows:
            table.add_row(*(Text(cell.strip("*")) for cell in row))
        return table


def number(value: float) -> str:
    """A ratio with three figures that matter."""
    for least, digits in ((100, 0), (10, 1)):
        if value >= least:
            return f"{value:.{digits}f}"
    return f"{value:.2f}"


def spread(ratio: Ratio | None) -> str:
    """A ratio's median, and the least and the most of the rounds."""
    if ratio is None:
        return _NONE
    return f"{number(ratio.median)} ({number(ratio.least)} … {number(ratio.most)})"


def tables(results: Results) -> list[Table]:
    """Every table that the run has figures for."""
    made = (_targets(results), _transfers(results), _operations(results), _growth(results))
    return [table for table in made if table.rows]


def _targets(results: Results) -> Table:
    rows = []
    for target in TARGETS:
        ratio, strict = target.found(results), target.found_strictly(results)
        if ratio is None:
            continue
        holds = "yes" if target.holds(ratio) else "**no**"
        beside = _NONE if strict is None else number(strict.median)
        rows.append((target.text, target.demand, spread(ratio), holds, beside))
    columns = ("ours : theirs", "wanted", "found", "holds", "beside a leaner peer")
    return Table("What is wanted, and whether it holds", columns, rows)


def _transfers(results: Results) -> Table:
    keys = [key for key in _TRANSFERS if key in results.contests]
    peers = _unique(peer for key in keys for peer in results.peers(key))
    rows = [(peer, *(spread(results.ratio(key, peer)) for key in keys)) for peer in peers]
    if rows:
        rates = (f"{results.rate(key) or 0:,.0f}" for key in keys)
        rows.append(("*bytes_squads, transfers per second*", *rates))
    columns = ("ours : theirs", *(_TRANSFERS[key] for key in keys))
    return Table("Transfers on PostgreSQL", columns, rows)


def _operations(results: Results) -> Table:
    rows = []
    for key in _OPERATIONS:
        if key not in results.contests:
            continue
        contest = results.contests[key]
        rate = f"{results.rate(key) or 0:,.0f} {contest.unit}"
        rows += [
            (contest.title, peer, spread(results.ratio(key, peer)), rate)
            for peer in results.peers(key)
        ]
    columns = ("operation", "theirs", "ours : theirs", "*ours per second*")
    return Table("Other operations, one client", columns, rows, texts=2)


def _growth(results: Results) -> Table:
    sizes = results.sizes()
    rows = [
        (contest.title, *(spread(results.growth(key, size)) for size in sizes[1:]))
        for key, contest in results.contests.items()
        if key.startswith("growth-")
    ]
    smallest = sizes[0] if sizes else ""
    columns = (f"cost : cost with {smallest}", *sizes[1:])
    return Table("Growing guilds", columns, rows)


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
