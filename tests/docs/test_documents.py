"""The documents' code runs, and their links and the tests that they name exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.doc_blocks import DOCUMENTS, read_blocks
from helpers.doc_runner import DocRunner, find_missing_library, translate_to_powershell
from helpers.paths import ROOT

import bytes_squads

README = ROOT / "README.md"

IN_A_CHECKOUT = {"CONTRIBUTING.md", "docs/how-to/migrations.md"}
"""Documents that are followed in a checkout, not in an empty folder."""

ELSEWHERE = {
    "README.md sh": "tests/docs/test_readme.py",
    "CONTRIBUTING.md py": "tests/docs/test_contributing.py",
    "docs/how-to/dashboard.md sh": "tests/dashboard/test_dashboard_browser.py",
    "docs/how-to/dashboard.md sql": "tests/dashboard/test_dashboard.py",
    "docs/how-to/disnake.md": "tests/docs/test_clients.py",
    "docs/how-to/fastapi.md": "tests/docs/test_web_apps.py",
    "docs/how-to/hikari.md": "tests/docs/test_clients.py",
    "docs/how-to/litestar.md": "tests/docs/test_web_apps.py",
    "docs/how-to/migrations.md sql": "tests/docs/test_sql_in_documents.py",
    "docs/how-to/move-a-guild.md": "tests/docs/test_command_line_documents.py",
    "docs/how-to/nextcord.md": "tests/docs/test_clients.py",
    "docs/how-to/own-models.md": "tests/docs/test_own_models.py",
    "docs/how-to/pool-sizes.md sql": "tests/docs/test_sql_in_documents.py",
    "docs/how-to/py-cord.md": "tests/docs/test_clients.py",
    "docs/reference/command-line.md": "tests/docs/test_command_line_documents.py",
    "docs/tutorial.md": "tests/docs/test_tutorial.py",
}
"""What another test follows: a document, or its blocks in one language."""

FEW = 3
"""So many blocks of all documents may say that they are not run."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def doc_runner(request: pytest.FixtureRequest, tmp_path: Path) -> DocRunner:
    """A runner in an empty folder, or in a copy of the checkout."""
    folder, tools = tmp_path / "folder", tmp_path / "tools"
    tools.mkdir()
    folder.mkdir()
    if name(request.getfixturevalue("path")) in IN_A_CHECKOUT:
        for part in ("bytes_squads", "migrations"):
            shutil.copytree(ROOT / part, folder / part)
        for part in ("pyproject.toml", "aerich.ini"):
            shutil.copy(ROOT / part, folder / part)
    return DocRunner(folder, tools)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_document_can_be_followed(path: Path, doc_runner: DocRunner) -> None:
    """Its files, programs and commands have the documented output."""
    for block in read_blocks(path):
        if name(path) in ELSEWHERE or f"{name(path)} {block.language}" in ELSEWHERE:
            continue
        if library := find_missing_library(block):
            pytest.skip(f"'{library}' is not installed")
        doc_runner.run_block(block)


def test_blocks_run_by_other_tests_have_one() -> None:
    """Each such block exists, and so does the test, which names the document."""
    for what, where in ELSEWHERE.items():
        document, _, language = what.partition(" ")
        assert [b for b in read_blocks(ROOT / document) if b.language == language or not language]
        assert Path(document).name in (ROOT / where).read_text(encoding="utf-8")


def test_commands_for_windows_are_those_for_other_shells() -> None:
    """Each block for PowerShell follows one of `sh` and says the same."""
    pairs = [
        (before.code, block.code)
        for path in DOCUMENTS
        for before, block in pairwise(read_blocks(path))
        if block.language == "powershell"
    ]

    assert len(pairs) >= 2
    assert [block for _, block in pairs] == [translate_to_powershell(code) for code, _ in pairs]


def test_few_blocks_are_not_run() -> None:
    """Each says why, and they are few."""
    reasons = [block.not_run for path in DOCUMENTS for block in read_blocks(path) if block.not_run]

    assert len(reasons) <= FEW


def test_every_public_name_is_in_the_reference() -> None:
    """Every public name is described there."""
    pages = "".join(path.read_text("utf-8") for path in ROOT.glob("docs/reference/*.md"))
    described = set(
        re.findall(r"^\.\. (?:auto|py:)\w+:: (?:bytes_squads\.)?(\w+)$", pages, re.MULTILINE)
    )

    assert set(bytes_squads.__all__) - described == set()


def test_sdist_has_the_sources_of_the_documentation(tmp_path: Path) -> None:
    """The sdist has all sources of the documentation."""
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    tracked = [path for path in (ROOT / "docs").rglob("*") if path.is_file()]
    sources = {name(path) for path in tracked if "__pycache__" not in path.parts}

    assert sources - packed == set()


def test_readme_bot_pays_once(tmp_path: Path) -> None:
    """Its command pays once, then answers when the next claim is possible."""
    (bot,) = [block for block in read_blocks(README) if "import discord" in block.code]
    for folder in ("folder", "tools"):
        (tmp_path / folder).mkdir()
    first, second = DocRunner(tmp_path / "folder", tmp_path / "tools").run_block(bot).splitlines()

    assert first == "10 bytes, day 1!"
    assert re.fullmatch(r"You have had today's. More <t:\d+:R>.", second)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_have_targets(path: Path) -> None:
    """Files that a document links to exist, and so do the tests that it names as titles."""
    for target, title in re.findall(
        r'\]\((?!https?:|#)([^)#\s]+)(?:#[^)\s]*)?(?: "(\w+)")?\)', path.read_text("utf-8")
    ):
        file = path.parent / target
        assert file.exists(), target
        if title:
            test = rf"^(async )?def {title}\("
            assert re.search(test, file.read_text("utf-8"), re.MULTILINE), title
