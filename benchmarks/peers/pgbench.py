"""pgbench's own benchmark, the TPC-B-like one, on the same server.

It is a program in C without a database driver's comfort, and does other work: three UPDATEs (an
account, a teller, a branch), a SELECT and an INSERT in seven round trips per transaction. It tells
how fast the server is, and so puts the rest into proportion.
"""

from __future__ import annotations

import asyncio
import os
import re
from math import ceil

from ..rounds import Turn

_RATE = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)


class TpcB:
    """pgbench on a database of its own.

    Args:
        program: Where pgbench is.
        url: An empty database.
    """

    def __init__(self, program: str, url: str) -> None:
        self._program = program
        self._url = url

    async def fill(self, scale: int) -> None:
        """Make its tables.

        Args:
            scale: Branches; each has 10 tellers and 100,000 accounts. With fewer branches than
                clients, these would wait for each other all the time.
        """
        await self._run("-i", "-q", "-s", str(scale))

    async def __call__(self, turn: Turn) -> float:
        """Transactions per second. pgbench knows whole seconds only: they are rounded up."""
        clients = str(turn.clients)
        threads = str(min(turn.clients, 2))
        seconds = str(ceil(turn.seconds))
        arguments = ("-n", "-M", "prepared", "-c", clients, "-j", threads, "-T", seconds)
        told = await self._run(*arguments)
        found = _RATE.search(told)
        if found is None:
            raise RuntimeError(f"pgbench tells no rate: {told}")
        return float(found[1])

    async def _run(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            self._url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
        told, complaint = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"pgbench: {complaint.decode()}")
        return told.decode()
