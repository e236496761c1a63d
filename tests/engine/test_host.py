"""The package inside another Tortoise config: labels, connections, schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import ROOT

import bytes_squads

A_DAY = {
    "clicks": 1,
    "claim": 10,
    "refused": "SquadRoleTakenError",
    # Bob: 100 + 10 + 1 + 1. Alice: 100 - 10 + 10 - 50 + 1.
    "balances": [112, 51],
    "books balance": True,
    "squad after deletion": None,
    "models": 2,
}

PROGRAM = "from helpers.embedding_app import main; main()"


def run_embedding_app(*arguments: str, url: str | None = None) -> Any:
    """Run `embedding_app` as a process, and return what it prints."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            PROGRAM,
            *arguments,
        ],
        check=False,
        env={**os.environ, "PYTHONPATH": paths} | ({"DATABASE_URL": url} if url else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


async def test_tortoise_orm_config_works_in_a_host(migrated_url: str) -> None:
    """`Tortoise.init(config=TORTOISE_ORM)` is enough, with the URL in DATABASE_URL."""
    assert run_embedding_app(url=migrated_url) == A_DAY


@pytest.mark.parametrize("schema", ["upgrade", "generate_schemas", "upgrade in the host"])
async def test_models_work_in_a_config_of_the_host(
    empty_url: str, tmp_path: Path, schema: str
) -> None:
    """With two connections, other labels and names, and either schema, operations work."""
    if schema == "upgrade":
        await bytes_squads.upgrade(empty_url)
    own_url = f"sqlite://{tmp_path / 'host.db'}"

    assert run_embedding_app(own_url, empty_url, schema) == {**A_DAY, "notes": 2}


def test_tortoise_orm_config_names_the_label_of_aerich() -> None:
    """`aerich` looks for the migrations under the app's label."""
    assert bytes_squads.TORTOISE_ORM["apps"].keys() == {"bytes_squads"}
    assert bytes_squads.TORTOISE_ORM["connections"].keys() == {"default"}
