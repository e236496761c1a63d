"""Users' programs pass the type checker with the package's types."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.doc_blocks import DOCUMENTS, read_blocks
from helpers.paths import ROOT

SCRIPT = Path(__file__).parent / "typed_bot.py"
EXAMPLE = ROOT / "examples" / "discord_bot.py"
OTHER_CLIENTS = {"hikari", "py-cord", "disnake", "nextcord"}  # checked where these are installed
CACHE = ROOT / ".mypy_cache" / "users"  # kept: mypy reads the libraries for a minute


def write_programs(path: Path, folder: Path) -> None:
    """Write a document's programs and modules to a folder, each under a name that is free."""
    for block in read_blocks(path):
        if block.language == "python":
            file = folder / (block.file or f"{path.stem.replace('-', '_').lower()}_{block.line}.py")
            if block.more:
                file.write_text(f"{file.read_text('utf-8')}\n\n{block.code}", "utf-8")
                continue
            if file.exists():  # of another document, which imports it perhaps; not this one
                file = file.with_stem(f"{file.stem}_{block.line}")
            file.write_text(block.code, encoding="utf-8")


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_users_programs_pass_the_type_checker(tmp_path: Path, checker: str) -> None:
    """A script, the example and the documents, under the strictest rules, in an empty folder."""
    if not importlib.util.find_spec(checker):
        pytest.skip(f"could not import '{checker}'")
    pytest.importorskip("discord")
    shutil.copy(SCRIPT, tmp_path)
    shutil.copy(EXAMPLE, tmp_path)
    for path in DOCUMENTS:
        if path.stem in OTHER_CLIENTS:
            continue
        write_programs(path, tmp_path)
    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT)],  # the package may be installed, or not
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    options = {
        "mypy": ["--strict", "--follow-imports", "silent", "--cache-dir", str(CACHE)],
        "pyright": ["--pythonpath", sys.executable],
    }

    result = subprocess.run(
        [sys.executable, "-m", checker, *options[checker], "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
