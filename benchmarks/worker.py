"""A subprocess that runs workloads on the package of a checkout, driven over a pipe."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

Request = Callable[..., Awaitable[Any]]
"""Takes a command of `Stage.request`, the key of a workload and the command's arguments."""


@asynccontextmanager
async def open_worker(checkout: Path, url: str, members: int) -> AsyncIterator[Request]:
    """Start a worker and fill its database; at the end, verify its ledger."""
    command = (sys.executable, "-m", f"{__package__}.worker", str(checkout))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)
    requests: Any = process.stdin
    answers: Any = process.stdout

    async def request(*arguments: Any) -> Any:
        requests.write(json.dumps(arguments).encode() + b"\n")
        if not (line := await answers.readline()):
            raise RuntimeError("a worker ended, see above")
        return json.loads(line)

    try:
        await request(url, members)
        yield request
    finally:
        requests.close()
        if await process.wait():
            raise RuntimeError(f"the worker of {checkout} failed, see above")


async def _serve() -> None:
    """Execute the commands of standard input until it ends."""
    from .stage import Stage  # noqa: PLC0415  # imports the package, of the checkout

    async with Stage(*json.loads(await asyncio.to_thread(sys.stdin.readline))) as stage:
        print("null", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await stage.request(stage.package, *json.loads(line))), flush=True)


if __name__ == "__main__":
    # Every later import of the package finds the one that is imported first.
    sys.path.insert(0, sys.argv[1])
    import bytes_squads

    sys.path.pop(0)
    assert Path(sys.argv[1]) in Path(bytes_squads.__file__).parents, "another package was found"
    asyncio.run(_serve())
