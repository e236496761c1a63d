"""The command line: `python -m benchmarks run`, `show` and `report`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

from rich.console import Console

from . import growth, operations, report, results, server, sqlite, transfers
from .rounds import Contest
from .settings import FULL, QUICK, Settings

PARTS = ("transfers", "operations", "sqlite", "growth")
PIPE_WIDTH = 150
"""Characters of a line where there is no terminal."""

DEFAULT_JSON = Path(__file__).parent / "results.json"


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="hold the contests, print tables, write JSON")
    run.add_argument("--quick", action="store_true", help="a minute, to see that all works")
    run.add_argument(
        "--url",
        default=server.url_of_environment(),
        help="a PostgreSQL of your own (default: the environment variable"
        f" {server.URL_VARIABLE}, or else one that is started for the run)",
    )
    run.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    run.add_argument("--json", type=Path, default=DEFAULT_JSON, help="where the figures go")
    for name, purpose in (
        ("show", "print the tables of a run"),
        ("report", "write a run's tables and charts into docs/performance.md"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("json", type=Path, nargs="?", default=DEFAULT_JSON)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if options.command == "run":
        settings = QUICK if options.quick else FULL
        held = _held(options, settings, console)
        found = asyncio.run(held)
        found.write(options.json)
        report.show(found, console)
    elif options.command == "show":
        report.show(results.read(options.json), console)
    else:
        report.write(results.read(options.json))


async def _held(
    options: argparse.Namespace, settings: Settings, console: Console
) -> results.Results:
    """Hold the contests that the command line names."""
    begin = perf_counter()
    contests: dict[str, Contest] = {}
    async with server.running(options.url) as here:
        told = await here.settings()
        parts: dict[str, AsyncIterator[Contest]] = {
            "transfers": transfers.contests(here, settings),
            "operations": operations.contests(here, settings),
            "sqlite": sqlite.contests(settings),
            "growth": growth.contests(here, settings),
        }
        for part in options.only:
            async for contest in parts[part]:
                contests[contest.key] = contest
                console.print(f"{perf_counter() - begin:5.0f} s  {contest.title}")
            await here.drop_all()
    return results.Results(results.about(settings, told, quick=options.quick), contests)


if __name__ == "__main__":
    main()
