"""What a run has to say, on the terminal and in `docs/performance.md`."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from .charts import draw
from .results import Results
from .tables import tables

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
CHARTS = "charts"

_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_BETWEEN = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)

_CHART_AFTER = {
    "Transfers on PostgreSQL": "transfers.svg",
    "Other operations, one client": "operations.svg",
    "Growing guilds": "growth.svg",
}


def show(results: Results, console: Console) -> None:
    """Print the tables."""
    for table in tables(results):
        console.print(table.rich())
    console.print(_about(results))


def write(results: Results, document: Path = DOCUMENT) -> None:
    """Write the tables between the marks of a document, and the charts into a folder beside it.

    Raises:
        ValueError: The document has no such marks.
    """
    text = document.read_text(encoding="utf-8")
    if not _BETWEEN.search(text):
        raise ValueError(f"{document} lacks the lines {_BEGIN} and {_END}")
    charts = draw(results)
    folder = document.parent / CHARTS
    folder.mkdir(exist_ok=True)
    for name, svg in charts.items():
        (folder / name).write_text(svg, encoding="utf-8")
    parts = [_BEGIN, "", _about(results), ""]
    for table in tables(results):
        parts.append(table.markdown())
        if (chart := _CHART_AFTER.get(table.title)) in charts:
            parts.append(f"![{table.title}]({CHARTS}/{chart})\n")
    written = "\n".join([*parts, _END])
    document.write_text(_BETWEEN.sub(lambda _: written, text), encoding="utf-8")


def _about(results: Results) -> str:
    """Date, machine, versions and settings in a few sentences."""
    about = results.about
    machine, settings, server = about["machine"], about["settings"], about["server"]
    versions = dict(about["versions"])
    python = versions.pop("Python")
    quick = "A quick run, whose figures mean nothing. " if about["quick"] else ""
    memory = f", {machine['memory_gib']} GiB" if machine["memory_gib"] else ""
    return (
        f"{quick}Run of {about['date'][:10]} on {machine['processor']}, {machine['cores']} cores"
        f"{memory}, {machine['system']}. PostgreSQL {server['server_version']} with"
        f" shared_buffers at {server['shared_buffers']}, fsync and synchronous_commit on."
        f" Python {python}, {', '.join(f'{name} {number}' for name, number in versions.items())}."
        f" {settings['rounds']} rounds of {settings['seconds']:g} s (one client:"
        f" {settings['reading_seconds']:g} s), for growing guilds {settings['growth_rounds']} of"
        f" {settings['growth_seconds']:g} s; pools of {settings['pool_size']} connections; pgbench"
        f" at scale {settings['pgbench_scale']}."
    )
