"""The command line: `python -m benchmarks run` and `report`."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from .report import describe, tables, write
from .rounds import Benchmark, Settings
from .server import open_server
from .session import Session
from .worker import ROOT

RESULTS = ROOT / "build" / "benchmarks.json"
QUICK = Settings(2, 0.15, 0.1, sizes=(20_000, 1_000), pgbench_scale=10)


def main() -> None:
    """Execute what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", choices=("run", "report"), help="measure, or write to docs/")
    parser.add_argument("--quick", action="store_true", help="two minutes, to see that it works")
    parser.add_argument("--against", type=Path, help="a checkout of another revision to run beside")
    parts = ["postgres", "sqlite", "growth", "revisions"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    options = parser.parse_args()
    if options.command == "run":
        results = asyncio.run(_run(options, QUICK if options.quick else Settings()))
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results), "utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    benchmarks = [Benchmark(**fields) for fields in results["benchmarks"]]
    if options.command == "report":
        write(benchmarks, results["description"])
    for section, table in tables(benchmarks):
        print(f"\n{section}\n\n{table}")
    print(f"\n{results['description']}")


async def _run(options: argparse.Namespace, settings: Settings) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="bs_bench_") as folder:
        async with open_server() as server:
            session = Session(server, Path(folder), settings)
            for part in options.only:
                if part != "revisions":
                    await getattr(session, f"run_{part}")()
                elif options.against:
                    await session.run_revisions(options.against.resolve())
            description = describe(settings, await server.query("SHOW server_version"))
    if "revisions" in options.only and options.against:
        revisions = " beside ".join(_revision(one) for one in (ROOT, options.against))
        description += f" Revision {revisions}."
    return {"description": description, "benchmarks": [asdict(one) for one in session.benchmarks]}


def _revision(checkout: Path) -> str:
    command = ("git", "-C", str(checkout), "describe", "--always", "--dirty")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
