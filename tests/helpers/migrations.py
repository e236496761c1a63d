"""Apply the migrations, or some of them, to a test's database."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from aerich import Command
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext

from bytes_squads.database import APP_LABEL, connection_config, migrations_folder

from .paths import ROOT

FOLDER = migrations_folder() / APP_LABEL
VERSIONS = [
    path.name
    for path in sorted(FOLDER.glob("[0-9]*_*.py"), key=lambda path: int(path.name.split("_")[0]))
]


async def run_aerich(
    url: str, action: str, folder: Path = FOLDER.parent, **arguments: Any
) -> list[str]:
    """Call a method of Aerich's Command on the migrations of a folder."""
    config = {
        "connections": {"default": connection_config(url)},
        "apps": {APP_LABEL: {"models": ["aerich.models"], "default_connection": "default"}},
    }
    EXECUTOR_CACHE.clear()  # it is keyed by connection name, whatever database that was
    async with TortoiseContext() as context:
        await context.init(config=config)
        command = Command(config, app=APP_LABEL, location=str(folder))
        await command.init()
        versions: list[str] = await getattr(command, action)(**arguments)
        return versions


def copy_migrations(folder: Path, versions: list[str]) -> Path:
    """A migrations folder with these versions only."""
    (folder / APP_LABEL).mkdir(parents=True)
    for version in versions:
        shutil.copy(FOLDER / version, folder / APP_LABEL / version)
    return folder


async def upgrade_in_processes(url: str, count: int) -> None:
    """Call `upgrade` in several processes at once; each has to succeed."""
    program = (
        "import asyncio, sys, bytes_squads\n"
        "sys.stdin.readline()\n"  # all begin together
        "asyncio.run(bytes_squads.upgrade(sys.argv[1]))\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, url),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(count)
    ]
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [errors.decode() for _, errors in outcomes] == [""] * count
    assert [process.returncode for process in processes] == [0] * count
