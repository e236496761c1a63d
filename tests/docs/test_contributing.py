"""The recipe "Adding a field" of CONTRIBUTING.md, followed in a copy of the checkout."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest
from helpers.doc_blocks import Block, read_blocks
from helpers.doc_runner import DocRunner
from helpers.paths import ROOT

pytest.importorskip("tomli_w")

CONTRIBUTING = ROOT / "CONTRIBUTING.md"


def run(doc_runner: DocRunner, code: str) -> str:
    """Type something into the recipe's shell."""
    url = "export DATABASE_URL=sqlite://dev.db\n"
    return doc_runner.run_block(Block(CONTRIBUTING, 0, "sh", url + code))


def test_recipe_adds_a_field(tmp_path: Path) -> None:
    """Its field, its migration by Aerich and the two functions go up, down and up again."""
    folder, tools = tmp_path / "checkout", tmp_path / "tools"
    tools.mkdir()
    for part in ("bytes_squads", "migrations"):
        shutil.copytree(ROOT / part, folder / part)
    for part in ("pyproject.toml", "aerich.ini"):
        shutil.copy(ROOT / part, folder / part)
    doc_runner = DocRunner(folder, tools)
    field, functions = [block.code for block in read_blocks(CONTRIBUTING) if block.language == "py"]
    (by_aerich,) = [block for block in read_blocks(CONTRIBUTING) if "aerich migrate" in block.code]

    models = folder / "bytes_squads" / "models.py"
    before = '    class Meta:\n        table = "bytes_configs"'
    source = models.read_text(encoding="utf-8")
    assert source.count(before) == 1
    there = f"{textwrap.indent(field, '    ')}\n{before}"
    models.write_text(source.replace(before, there), encoding="utf-8")
    doc_runner.run_block(by_aerich)

    (made,) = (folder / "migrations" / "bytes_squads").glob("*_max_grant.py")
    written = made.read_text(encoding="utf-8")
    replaced = re.compile(r"^async def upgrade.*?(?=^MODELS_STATE)", re.DOTALL | re.MULTILINE)
    assert len(replaced.findall(written)) == 1
    made.write_text(replaced.sub(lambda _: f"{functions}\n\n", written), encoding="utf-8")
    (folder / "dev.db").unlink()

    assert f"Success upgrading to {made.name}" in run(doc_runner, "aerich upgrade")
    assert f"Success downgrading to {made.name}" in run(doc_runner, "aerich downgrade --yes")
    assert run(doc_runner, "aerich upgrade") == f"Success upgrading to {made.name}\n"
    assert "No changes" in run(doc_runner, "aerich migrate")
