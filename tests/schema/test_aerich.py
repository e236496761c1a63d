"""The aerich command in a checkout, and its two configs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from helpers.migrations import VERSIONS
from helpers.paths import ROOT
from helpers.schema_introspection import TABLES, applied_versions, table_names


def tool_aerich(path: Path) -> Any:
    return tomllib.loads(path.read_text())["tool"]["aerich"]


def test_aerich_configs_agree() -> None:
    """`aerich -c aerich.ini` and plain `aerich` read the same settings."""
    assert tool_aerich(ROOT / "aerich.ini") == tool_aerich(ROOT / "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, so that an unexpected new migration does not end up in ours."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "bytes_squads", folder / "bytes_squads")
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    for name in ("pyproject.toml", "aerich.ini"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def aerich(checkout: Path, url: str, *arguments: str) -> list[str]:
    """Run the command and return its output's lines."""
    script = shutil.which("aerich", path=str(Path(sys.executable).parent))
    command = [script] if script else [sys.executable, "-m", "aerich"]
    result = subprocess.run(
        [*command, *arguments],
        cwd=checkout,
        env={**os.environ, "DATABASE_URL": url},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


async def test_aerich_command_upgrades_and_downgrades(empty_url: str, checkout: Path) -> None:
    """upgrade, history, migrate and downgrade work in a checkout, on either database."""
    made = [f"Success upgrading to {version}" for version in VERSIONS]
    assert aerich(checkout, empty_url, "upgrade") == made
    assert await table_names(empty_url) == ["aerich", *TABLES]
    assert aerich(checkout, empty_url, "history") == VERSIONS
    assert aerich(checkout, empty_url, "migrate", "--no-input") == ["No changes detected"]
    down = aerich(checkout, empty_url, "downgrade", "--version", "0", "--yes")
    assert down == [f"Success downgrading to {version}" for version in VERSIONS[::-1]]
    assert await table_names(empty_url) == ["aerich"]
    assert aerich(checkout, empty_url, "-c", "aerich.ini", "upgrade") == made
    assert await table_names(empty_url) == ["aerich", *TABLES]
    assert aerich(checkout, empty_url, "-c", "aerich.ini", "downgrade", "--yes") == [
        f"Success downgrading to {VERSIONS[-1]}"
    ]
    assert await applied_versions(empty_url) == VERSIONS[:-1]


async def test_aerich_command_and_upgrade_share_one_history(
    migrated_url: str, checkout: Path
) -> None:
    """The command lists what the package applied, and finds no change to the models."""
    assert aerich(checkout, migrated_url, "upgrade") == ["No upgrade items found"]
    assert aerich(checkout, migrated_url, "heads") == ["No available heads."]
    assert aerich(checkout, migrated_url, "migrate", "--no-input") == ["No changes detected"]
