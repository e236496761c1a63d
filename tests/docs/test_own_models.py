"""A bot with its own models, connections and Aerich history, as in the how-to page.

The files and commands are those of docs/how-to/own-models.md, word for word: the caption of each
says which file it is, or when it is run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.migrations import VERSIONS
from helpers.paths import ROOT
from helpers.schema_introspection import TABLES, list_objects, query, read_schema, table_names

import bytes_squads

PAGE = ROOT / "docs" / "how-to" / "own-models.md"
BLOCKS = dict(
    re.findall(
        r"^```{code-block} \w+\n:caption: ([^\n]+)\n\n(.*?)^```$",
        PAGE.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("sh") is None, reason="the page's commands are for sh"
)


class Host:
    """A bot's folder, and commands in it as its operator types them."""

    def __init__(self, folder: Path, url: str, own_url: str) -> None:
        self.folder = folder
        scripts = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "DATABASE_URL": url,
            "BOT_DATABASE_URL": own_url,
        }
        self.write("models.py")
        self.write("pyproject.toml")

    def write(self, title: str) -> None:
        """Write a file of the page; what follows a comma says which of several."""
        (self.folder / title.partition(",")[0]).write_text(BLOCKS[title], encoding="utf-8")

    def run(self, title: str) -> list[str]:
        """Run commands of the page and return their output's lines."""
        return self.call("sh", "-e", "-c", BLOCKS[title])

    def call(self, *command: str) -> list[str]:
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.splitlines()


MakeHost = Callable[..., Host]
UPGRADED = [f"Success upgrading to {version}" for version in VERSIONS]
NOTHING = ["No upgrade items found"]


@pytest.fixture
def host(tmp_path: Path, empty_url: str) -> MakeHost:
    """The bot of the page, its own tables in a database of its own or in ours."""

    def make(own_url: str = "") -> Host:
        folder = tmp_path / "bot"
        folder.mkdir()
        return Host(folder, empty_url, own_url)

    return make


@pytest.fixture
def beside(host: MakeHost) -> Host:
    """The bot with both in one database, and ours upgraded by Aerich."""
    bot = host()
    bot.write("settings.py, before")
    bot.run("before")
    bot.write("settings.py")
    bot.run("once per environment")
    assert bot.run("with each new version") == UPGRADED
    return bot


async def histories(url: str) -> dict[str, list[str]]:
    """Return the applied versions in Aerich's table, by app."""
    found: dict[str, list[str]] = {}
    for app, version in await query(url, "SELECT app, version FROM aerich ORDER BY id"):
        found.setdefault(app, []).append(version)
    return found


async def test_one_command_of_aerich_brings_the_tables(beside: Host, empty_url: str) -> None:
    """Ours stand beside the host's with checks and triggers, and `upgrade` knows of them."""
    assert await table_names(empty_url) == sorted(["aerich", "hat", *TABLES])
    found = await read_schema(empty_url)
    assert "ck_bytes_balances_identity" in found["bytes_balances"].checks
    assert "tr_bytes_transactions_final" in str(await list_objects(empty_url))

    applied = await histories(empty_url)
    (own,) = applied.pop("bot")
    assert "hat" in (beside.folder / "migrations" / "bot" / own).read_text()
    assert applied == {"bytes_squads": VERSIONS}

    assert await bytes_squads.upgrade(empty_url) == []
    assert beside.run("with each new version") == NOTHING


async def test_after_upgrade_aerich_finds_nothing_to_do(host: MakeHost, empty_url: str) -> None:
    """Both keep one history, in the same table."""
    bot = host()
    bot.write("settings.py, before")
    bot.run("before")
    bot.write("settings.py")
    bot.run("once per environment")

    assert await bytes_squads.upgrade(empty_url) == VERSIONS
    assert bot.run("with each new version") == NOTHING


def test_migrations_of_the_host_go_on(beside: Host) -> None:
    """A new field of the host's is one migration of the host's, and no change of ours."""
    models = beside.folder / "models.py"
    models.write_text(
        models.read_text() + "    colour = fields.CharField(max_length=20, null=True)\n"
    )
    assert beside.call("aerich", "--app", "bytes_squads", "migrate", "--no-input") == [
        "No changes detected"
    ]
    beside.call("aerich", "--app", "bot", "migrate", "--name", "colour", "--no-input")
    (upgraded,) = beside.call("aerich", "--app", "bot", "upgrade")
    (migration,) = (beside.folder / "migrations" / "bot").glob("1_*_colour.py")

    assert upgraded == f"Success upgrading to {migration.name}"
    assert "bytes" not in migration.read_text().partition("MODELS_STATE")[0]


def test_hats_and_bytes_are_one_transaction(beside: Host) -> None:
    """The page's bot sells one hat for 60 of 100 bytes, and no second one."""
    beside.write("bot.py")
    expected = re.search(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    assert expected
    assert beside.call(sys.executable, "-W", "error", "bot.py") == expected[1].splitlines()


def test_init_db_with_our_config_first_would_create_our_tables(host: MakeHost) -> None:
    """Why the page begins with the host's history: `init-db` takes all tables of a connection."""
    bot = host()
    bot.write("settings.py")
    bot.run("before")
    (migration,) = (bot.folder / "migrations" / "bot").glob("0_*.py")

    assert [table for table in TABLES if f'"{table}"' in migration.read_text()] == list(TABLES)


async def test_two_databases_have_a_history_each(
    host: MakeHost, empty_url: str, tmp_path: Path
) -> None:
    """The host's on SQLite, ours on either: each history is where the tables are."""
    own_url = f"sqlite://{tmp_path / 'own.db'}"
    bot = host(own_url)
    bot.write("settings.py, two databases")
    bot.run("once per environment, two databases")
    bot.run("before")

    assert bot.run("with each new version, two databases") == UPGRADED
    assert bot.run("with each new version, two databases") == NOTHING
    assert await bytes_squads.upgrade(empty_url) == []
    assert await table_names(empty_url) == ["aerich", *TABLES]
    assert await table_names(own_url) == ["aerich", "hat"]
    assert await histories(empty_url) == {"bytes_squads": VERSIONS}
    assert list(await histories(own_url)) == ["bot"]


TWO_CONNECTIONS = """
import asyncio
from tortoise import Tortoise
from tortoise.context import set_global_context
from bytes_squads import BytesOperations, close, in_transaction
from models import Hat
from settings import TORTOISE_ORM

class Refund(Exception):
    pass

async def main():
    ops = BytesOperations()
    set_global_context(await Tortoise.init(config=TORTOISE_ORM))
    try:
        async with in_transaction():
            await ops.charge(1, 10, 60)
            raise Refund
    except Refund:
        pass
    try:
        async with in_transaction("main") as db:
            await Hat.create(owner_id="10", using_db=db)
            await ops.charge(1, 10, 30)
            raise Refund
    except Refund:
        pass
    print((await ops.get_balance(1, 10)).balance, await Hat.all().count(), (await ops.verify()).ok)
    await close()

asyncio.run(main())
"""


async def refunded(bot: Host, url: str) -> list[str]:
    """What the bot of `TWO_CONNECTIONS` says of two charges in blocks that are undone."""
    bot.write("settings.py, two databases")
    await bytes_squads.upgrade(url)
    bot.run("before")
    (bot.folder / "bot.py").write_text(TWO_CONNECTIONS)
    return bot.call(sys.executable, "-W", "error", "bot.py")


async def test_in_transaction_is_on_the_connection_that_it_names(
    host: MakeHost, empty_url: str, tmp_path: Path
) -> None:
    """Without a name on ours, and the operation is undone; on another, and it is not."""
    bot = host(f"sqlite://{tmp_path / 'own.db'}")
    assert await refunded(bot, empty_url) == ["70 0 True"]


@pytest.mark.postgres
async def test_two_connections_may_lead_to_one_database(host: MakeHost, empty_url: str) -> None:
    """They are separate: a rollback on one does not undo the other."""
    assert await refunded(host(empty_url), empty_url) == ["70 0 True"]
