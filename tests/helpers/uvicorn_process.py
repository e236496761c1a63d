"""Run uvicorn in a new process."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

STARTED = 240.0
"""Seconds after which the workers have started, also on a busy machine."""


def find_free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def run_uvicorn(
    *arguments: str, folder: Path, environment: Mapping[str, str], workers: int = 1
) -> AsyncIterator[int]:
    """Start a server and wait for its workers; terminate it afterwards.

    Args:
        *arguments: Those of Python.
        folder: The working directory.
        environment: All variables of the process.
        workers: How many workers are to start.

    Yields:
        The process id.

    Raises:
        AssertionError: The server ended before its workers had started, or printed a traceback.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(STARTED):
            for _ in range(workers):
                while b"Application startup complete" not in (
                    line := await process.stderr.readline()
                ):
                    assert line, "the server has ended"
        yield process.pid
    finally:
        process.terminate()
        log = await process.stderr.read()
        await process.wait()
        assert b"Traceback" not in log, log.decode()
