"""The wheel, installed in a separate environment."""

from __future__ import annotations

import email
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers.paths import ROOT

import bytes_squads

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]

TRANSFER = """
import asyncio
from tortoise import Tortoise
import bytes_squads
from bytes_squads import TORTOISE_ORM, BytesOperations, BytesTransactionCreate

async def main():
    await Tortoise.init(config=TORTOISE_ORM)
    ops = BytesOperations()
    await ops.create_transaction(BytesTransactionCreate(
        guild_id=1, giver_id=10, giver_username="ada", receiver_id=20, receiver_username="bo",
        amount=25))
    print((await ops.get_balance(1, 20)).balance, (await ops.verify()).ok, bytes_squads.__file__)
    await Tortoise.close_connections()

asyncio.run(main())
"""


def call(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Return the output of a command outside of the checkout; fail with its errors."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COV", "VIRTUAL_ENV", "DATABASE_URL"))
    }
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    pytest.importorskip("hatchling")
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    call(sys.executable, *build, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_has_migrations_types_and_licence(wheel: Path) -> None:
    """It has all files that are needed at run time, and no tests or benchmarks."""
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bytes_squads").rglob("*.py")}
    migrations = {
        f"bytes_squads/migrations/bytes_squads/{path.name}"
        for path in (ROOT / "migrations" / "bytes_squads").glob("[0-9]*.py")
    }
    assert migrations
    assert {"bytes_squads/py.typed", *modules, *migrations} <= names
    assert {name.partition("/")[0] for name in names} == {
        "_bytes_squads_pytest.py",
        "bytes_squads",
        f"bytes_squads-{wheel.name.split('-')[1]}.dist-info",
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not any("__pycache__" in name for name in names)


def contents(wheel: Path) -> dict[str, bytes]:
    """Every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_release_is_built_from_its_own_sdist(wheel: Path, tmp_path: Path) -> None:
    """`python -m build` makes an sdist, and of it alone the same wheel as of the checkout."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = ("-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT)
    call(sys.executable, *command, cwd=tmp_path)
    (sdist,) = tmp_path.glob("*.tar.gz")
    (from_sdist,) = tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert sdist.name == f"bytes_squads-{VERSION}.tar.gz"
    assert {
        "README.md",
        "CHANGELOG.md",
        "conftest.py",
        "tests/packaging/test_packaging.py",
    } <= names
    assert contents(from_sdist) == contents(wheel)


def test_wheel_has_the_metadata_of_the_project(wheel: Path) -> None:
    """Its metadata are those of pyproject.toml; it names a host only where there is one."""
    files = contents(wheel)
    info = f"bytes_squads-{VERSION}.dist-info"
    metadata = email.message_from_bytes(files[f"{info}/METADATA"])
    commands = files[f"{info}/entry_points.txt"].decode()

    assert (metadata["Name"], metadata["Version"]) == ("bytes_squads", VERSION)
    assert metadata.get_all("Classifier") == PROJECT["classifiers"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata.get_all("Project-URL") is None
    assert "[console_scripts]\nbytes-squads = bytes_squads.cli:main\n" in commands
    assert "[pytest11]\nbytes_squads = _bytes_squads_pytest\n" in commands


def test_release_links_to_its_repository() -> None:
    """Built by the workflow, its links and those of its README are those of the tag."""
    pytest.importorskip("hatchling")
    address = "https://code.example/somebody/bytes_squads"
    command = (sys.executable, "-m", "hatchling", "metadata")
    metadata = json.loads(call(*command, cwd=ROOT, BYTES_SQUADS_REPOSITORY=f"{address}/"))
    links = re.findall(r'\]\(([^)\s]+)|(?:src|srcset)="([^"]+)"', metadata["readme"]["text"])
    targets = {"".join(found) for found in links}

    assert set(metadata["urls"]) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(address) for url in metadata["urls"].values())
    assert f"{address}/blob/v{VERSION}/docs/reliability.md" in targets
    assert f"{address}/raw/v{VERSION}/docs/images/demo/demo-dark.svg" in targets
    assert [target for target in targets if not target.startswith(address)] == []


def test_changelog_has_the_version() -> None:
    """The newest section with a number is that of pyproject.toml, and has a date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)

    assert headings[0][0] == VERSION


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel and what it declares, from the package index."""
    folder = tmp_path_factory.mktemp("empty")
    call(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=folder)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--quiet", "--no-compile", wheel, cwd=folder)
    return python


def test_installed_wheel_migrates_a_database_and_moves_bytes(python: Path, tmp_path: Path) -> None:
    """Its declared dependencies suffice, and a plain Tortoise.init does as well."""
    program = tmp_path / "transfer.py"
    program.write_text(TRANSFER, encoding="utf-8")

    command = python.parent / "bytes-squads"
    upgraded = call(command, "upgrade", "--database-url", "sqlite://x.db", cwd=tmp_path)
    moved = call(python, program, cwd=tmp_path, DATABASE_URL="sqlite://x.db")
    version = call(command, "--version", cwd=tmp_path)

    assert upgraded.splitlines()[-1] == "the SQLite database x.db is up to date"
    balance, ok, place = moved.split()
    assert (balance, ok) == ("125", "True")
    assert Path(place).is_relative_to(python.parent.parent)
    assert version == f"bytes-squads, version {VERSION}\n"


def test_installed_wheel_plays_the_demo(python: Path, tmp_path: Path) -> None:
    """The demo runs, and `verify` agrees with it."""
    command = python.parent / "bytes-squads"
    utf8 = {"PYTHONIOENCODING": "utf-8"}
    played = call(command, "demo", cwd=tmp_path, **utf8)
    found = call(
        command, "verify", "--database-url", "sqlite://bytes_squads_demo.db", cwd=tmp_path, **utf8
    )

    assert found.endswith("all agree.\n")
    assert found.splitlines()[-1] in played.splitlines()


BEHIND = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def with_ours(python: Path, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a module there with the libraries of this environment behind its own.

    Behind, not before: the package itself comes from the wheel, not from a checkout.
    """
    return subprocess.run(
        [python, "-c", BEHIND, sysconfig.get_path("purelib"), *command],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_installed_wheel_brings_its_fixtures(python: Path, tmp_path: Path) -> None:
    """Pytest loads the plugin, and skips it with ``-p no:``."""
    (tmp_path / "test_bot.py").write_text(
        "from bytes_squads import BytesBalance, __file__ as place\n"
        "def test_there(bytes_squads_db, bytes_squads_clock):\n"
        f"    assert place.startswith({str(python.parent.parent)!r})\n",
        encoding="utf-8",
    )
    found = with_ours(python, "pytest", "-p", "no:cacheprovider", cwd=tmp_path)
    left_out = with_ours(
        python, "pytest", "-p", "no:cacheprovider", "-p", "no:bytes_squads", cwd=tmp_path
    )

    assert "1 passed" in found.stdout, found.stdout + found.stderr
    assert "fixture 'bytes_squads_db' not found" in left_out.stdout


@pytest.mark.skipif(
    not (ROOT / "examples" / "discord_bot.py").is_file()
    or importlib.util.find_spec("discord") is None,
    reason="discord.py is not installed",
)
def test_example_imports_with_the_installed_wheel(python: Path, tmp_path: Path) -> None:
    """It uses public names only, and starts nothing at import."""
    example = (ROOT / "examples" / "discord_bot.py").read_text(encoding="utf-8")
    (tmp_path / "discord_bot.py").write_text(example, encoding="utf-8")
    (tmp_path / "discord_bot_imported.py").write_text(
        "import bytes_squads, discord_bot\nprint(bytes_squads.__file__)\n", encoding="utf-8"
    )
    imported = with_ours(python, "discord_bot_imported", cwd=tmp_path)

    assert imported.returncode == 0, imported.stderr
    assert Path(imported.stdout.strip()).is_relative_to(python.parent.parent)


def test_package_imports_without_the_libraries_of_the_command_line() -> None:
    """Importing the package does not import the command line's libraries."""
    program = (
        "import sys; sys.modules.update(rich=None); import bytes_squads; "
        "print(len(bytes_squads.__all__))"
    )
    printed = call(sys.executable, "-c", program, cwd=ROOT)
    assert int(printed) == len(bytes_squads.__all__)
