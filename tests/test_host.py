"""Life inside a host's own Tortoise set-up: its labels, its connections, its schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from databases import ROOT

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


def host_bot(*arguments: str, url: str | None = None) -> Any:
    """What the bot of `host_bot.py` says at the end of its day, in a process of its own."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import host_bot; host_bot.main()", *arguments],
        check=False,
        env={**os.environ, "PYTHONPATH": paths} | ({"DATABASE_URL": url} if url else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


async def test_a_host_can_take_the_config_as_it_is(migrated_url: str) -> None:
    """`Tortoise.init(config=TORTOISE_ORM)` is enough, with the URL in DATABASE_URL."""
    assert host_bot(url=migrated_url) == A_DAY


@pytest.mark.parametrize("schema", ["upgrade", "generate_schemas", "upgrade in the host"])
async def test_the_models_live_in_a_hosts_own_config(
    empty_url: str, tmp_path: Path, schema: str
) -> None:
    """Two connections, other labels and names, and a schema however it was made: all works."""
    if schema == "upgrade":
        await bytes_squads.upgrade(empty_url)
    own_url = f"sqlite://{tmp_path / 'host.db'}"

    assert host_bot(own_url, empty_url, schema) == {**A_DAY, "notes": 2}


def test_the_config_names_the_label_that_aerich_needs() -> None:
    """`aerich` looks for the migrations under the app's label."""
    assert bytes_squads.TORTOISE_ORM["apps"].keys() == {"bytes_squads"}
    assert bytes_squads.TORTOISE_ORM["connections"].keys() == {"default"}
