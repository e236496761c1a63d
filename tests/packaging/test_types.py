"""A user's type checker knows what the package gives: money is int, results have their classes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

SCRIPT = Path(__file__).parent / "typed_bot.py"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_users_script_passes_the_type_checker(tmp_path: Path, checker: str) -> None:
    """Under the strictest rules of either checker, in a folder that is not this project's."""
    if not importlib.util.find_spec(checker):
        pytest.skip(f"could not import '{checker}'")
    script = tmp_path / "bot.py"
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT)],  # the package may be installed, or not
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    options = {
        "mypy": ["--strict", "--follow-imports", "silent", "--cache-dir", str(tmp_path / "cache")],
        "pyright": ["--pythonpath", sys.executable],
    }

    result = subprocess.run(
        [sys.executable, "-m", checker, *options[checker], script.name],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
