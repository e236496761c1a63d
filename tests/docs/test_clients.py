"""The pages about bots on other libraries, followed with a fake Discord.

The pages are docs/how-to/hikari.md, disnake.md, nextcord.md and py-cord.md. `make` installs the
libraries beside the environment: py-cord and nextcord 2 have a package `discord` each, which hides
that of discord.py in the process of the bot.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.doc_blocks import read_blocks
from helpers.doc_runner import DocRunner
from helpers.paths import EXAMPLE, ROOT

import bytes_squads

pytest.importorskip("aiohttp")
pytest.importorskip("discord")

from helpers.bot_pages import follow_page

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process")


@dataclass(frozen=True)
class Client:
    """A library, and the page about it.

    Attributes:
        name: As one asks pip for it.
        package: As a bot imports it.
        untyped: Settings of mypy for what the library has no types for.
    """

    name: str
    package: str
    untyped: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        return ROOT / "docs" / "how-to" / f"{self.name}.md"

    @property
    def folder(self) -> Path:
        """Return where make has installed it; skip the test if it has not."""
        folder = ROOT / ".venv" / ("py-cord" if self.name == "py-cord" else "clients")
        if not (folder / self.package).exists():
            pytest.skip(f"'{self.name}' is not installed")
        return folder


CLIENTS = [
    Client("disnake", "disnake"),
    Client("hikari", "hikari"),
    Client("nextcord", "nextcord", ("disallow_untyped_decorators = False",)),
    Client("py-cord", "discord", ("disallow_untyped_calls = False",)),
]

BOTS = {
    "README": ROOT / "README.md",
    "tutorial": ROOT / "docs" / "tutorial.md",
    "start-up": ROOT / "docs" / "how-to" / "start-up.md",
    "example": EXAMPLE,
    **{client.name: client.page for client in CLIENTS},
}
"""Where whole bots are: documents, and the example."""


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_page_followed_by_a_reader_makes_a_bot_that_pays(
    reader: DocRunner, client: Client
) -> None:
    """The bot starts, answers, refuses, and stops; the claim is paid once."""
    await follow_page(client.page, reader, library=client.package, path=client.folder)
    database = reader.folder / "bytes_squads.db"
    with closing(sqlite3.connect(database)) as books:
        rows = books.execute("SELECT kind, amount FROM bytes_transactions ORDER BY id").fetchall()
    await bytes_squads.init(f"sqlite://{database}")
    report = await bytes_squads.BytesOperations().verify()
    await bytes_squads.close()

    assert report.ok
    assert rows == [("starting", 100), ("daily", 10)]


@pytest.mark.parametrize("name", ["disnake hikari nextcord fastapi litestar", "py-cord"])
def test_programs_of_the_pages_are_typed(tmp_path: Path, name: str) -> None:
    """They pass mypy --strict, but for what a library itself has no types for."""
    pytest.importorskip("mypy")
    clients = [client for client in CLIENTS if client.name in name.split()]
    settings = ["[mypy]", "strict = True", f"cache_dir = {tmp_path / 'cache'}"]
    for client in clients:
        settings += [f"[mypy-{client.package}_bot]", *client.untyped]
        write_bot(client.page, tmp_path).rename(tmp_path / f"{client.package}_bot.py")
    for web in {"fastapi", "litestar"} & set(name.split()):
        pytest.importorskip(web)
        page = ROOT / "docs" / "how-to" / f"{web}.md"
        (code,) = [block.code for block in read_blocks(page) if block.language == "python"]
        (tmp_path / f"{web}_app.py").write_text(code, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text("\n".join(settings), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *sorted(path.name for path in tmp_path.glob("*.py"))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(clients[0].folder), str(ROOT)])},
        capture_output=True,
        encoding="utf-8",
        timeout=400,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", BOTS)
@pytest.mark.parametrize("token", [None, ""], ids=["unset", "empty"])
def test_bot_without_a_token_says_so_in_one_line(
    tmp_path: Path, name: str, token: str | None
) -> None:
    """No traceback, no connection: the name of the variable, and an exit code that is not 0."""
    found = [client.folder for client in CLIENTS if client.name == name]
    script = EXAMPLE if name == "example" else write_bot(BOTS[name], tmp_path)
    environment = {**os.environ, "DISCORD_TOKEN": token or ""}
    if token is None:
        del environment["DISCORD_TOKEN"]
    environment["PYTHONPATH"] = os.pathsep.join(map(str, [*found, ROOT]))
    result = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )

    assert result.returncode == 1
    assert (result.stdout, result.stderr) == ("", "Set DISCORD_TOKEN to the token of the bot.\n")


def test_hikari_without_a_database_ends_in_one_line(tmp_path: Path) -> None:
    """Hikari goes on after an error in a listener, but not after this one."""
    (client,) = [client for client in CLIENTS if client.name == "hikari"]
    script = write_bot(client.page, tmp_path)
    result = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite://{tmp_path}/nowhere/bot.db",
            "DISCORD_TOKEN": "MQ==.fake.token",
            "PYTHONPATH": os.pathsep.join(map(str, [client.folder, ROOT])),
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )

    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("The database cannot be opened: ")


def write_bot(document: Path, folder: Path) -> Path:
    """Write the bot of a document, and the files beside it; return the bot's."""
    blocks = [block for block in read_blocks(document) if block.language == "python"]
    for block in blocks:
        if block.file:
            with (folder / block.file).open("a", encoding="utf-8") as file:
                file.write(block.code)
    bot = folder / "bot.py"
    if not bot.exists():
        (code,) = [block.code for block in blocks if "\nimport discord\n" in block.code]
        bot.write_text(code, encoding="utf-8")
    return bot
