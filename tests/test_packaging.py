"""The package as others get it: a wheel, installed in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bytes_squads

ROOT = Path(__file__).parent.parent

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
    """What a command prints; fails with what it complained about. Never sees the checkout."""
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


def test_the_wheel_holds_migrations_types_and_licence(wheel: Path) -> None:
    """Whatever is needed at run time is in it; tests and benchmarks are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bytes_squads").rglob("*.py")}
    migrations = {
        f"bytes_squads/migrations/bytes_squads/{path.name}"
        for path in (ROOT / "migrations" / "bytes_squads").glob("[0-9]*.py")
    }
    assert migrations
    assert {"bytes_squads/py.typed", *modules, *migrations} <= names
    assert {name.partition("/")[0] for name in names} == {
        "bytes_squads",
        f"bytes_squads-{wheel.name.split('-')[1]}.dist-info",
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not any("__pycache__" in name for name in names)


def test_the_installed_wheel_migrates_a_database_and_moves_bytes(
    wheel: Path, tmp_path: Path
) -> None:
    """Its declared dependencies suffice, and a plain Tortoise.init does as well."""
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    call(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    call(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    program = tmp_path / "transfer.py"
    program.write_text(TRANSFER, encoding="utf-8")

    command = python.parent / "bytes-squads"
    upgraded = call(command, "upgrade", "--database-url", "sqlite://x.db", cwd=tmp_path)
    moved = call(python, program, cwd=tmp_path, DATABASE_URL="sqlite://x.db")
    version = call(command, "--version", cwd=tmp_path)

    assert upgraded.splitlines()[-1] == "the SQLite database x.db is up to date"
    balance, ok, place = moved.split()
    assert (balance, ok) == ("125", "True")
    assert Path(place).is_relative_to(tmp_path)
    assert version == f"bytes-squads, version {wheel.name.split('-')[1]}\n"


def test_the_package_imports_without_the_command_lines_libraries() -> None:
    """A bot does not need rich, which only the command line draws with."""
    program = (
        "import sys; sys.modules.update(rich=None); import bytes_squads; "
        "print(len(bytes_squads.__all__))"
    )
    printed = call(sys.executable, "-c", program, cwd=ROOT)
    assert int(printed) == len(bytes_squads.__all__)
