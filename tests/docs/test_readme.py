"""README.md: its first lines, and the bot that it describes.

Somebody who has nothing but a copy of the repository types what is written there, word for word.
Two things differ: the token is that of a Discord on loopback, and `make test` only says what it
would do, because it runs these tests.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
FIRST_LINES = 25
SECONDS = 300
TOKEN = "paste the token here"
LEFT_OUT = shutil.ignore_patterns(
    ".venv", ".git", "build", "dist", "__pycache__", ".*_cache", "*.db"
)

REDIRECT = """
import os, signal
# A shell starts background commands with SIGINT ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    import discord.gateway, discord.http, yarl
except ImportError:
    pass
else:
    url = os.environ["FAKE_DISCORD"]
    discord.http.Route.BASE = url + "/api"
    gateway = yarl.URL(url.replace("http", "ws", 1) + "/gateway/")
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway
"""


def test_readme_first_lines_are_complete() -> None:
    """A sentence, how to install it, three calls with named arguments, what goes wrong without."""
    head = "\n".join(TEXT.splitlines()[:FIRST_LINES])

    assert re.match(
        r"# bytes_squads\n\nA currency for Discord servers, as a Python library: ", head
    )
    assert "\npip install ." in head
    assert "pip install bytes_squads" in head
    lines = head.replace("\n", " ")
    assert "A member with 100 bytes clicks 20 times at once on a hat for 80." in lines
    assert "A shop that reads the balance, checks it and saves the rest sells 20 hats" in lines
    for call in ("claim_daily", "charge", "get_leaderboard"):
        assert re.search(rf"await ops\.{call}\(guild_id=", head), call
    assert re.findall(r"^make \w+$", TEXT, re.MULTILINE) == ["make demo", "make test"]
    assert re.findall(r"^# .+\nmake (\w+)$", TEXT, re.MULTILINE) == ["demo", "test"]


def test_readme_measurement_is_that_of_the_page() -> None:
    """Twenty of twenty clicks are sold by read, check, save, and one by `charge`."""
    page = (ROOT / "docs" / "explanation" / "read-check-save.md").read_text(encoding="utf-8")

    assert "read_check_save: 20 clicks, 20 sold\ncharge: 20 clicks, 1 sold\n" in page
    assert "CLICKS, PRICE = 20, 80" in page


def test_readme_picture_is_light_and_dark() -> None:
    """A page picks one; an index that knows no picture element shows the light one."""
    files = re.findall(r'(?:src|srcset)="([^"]+)"', TEXT)

    assert files == [f"docs/images/demo/demo-{name}.svg" for name in ("dark", "light")]
    assert all((ROOT / file).is_file() for file in files)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout, as a fresh clone has it."""
    return Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=LEFT_OUT))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of somebody whose ``python3`` is this one, with nothing else."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tools / "python3").chmod(0o755)
    (tools / "sitecustomize.py").write_text(REDIRECT, encoding="utf-8")
    left_out = ("PYTHON", "PYTEST", "COV", "VIRTUAL_ENV", "DATABASE_URL", "MAKE", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {
        **kept,
        "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def discord_fake() -> ModuleType:
    """Return the fake Discord."""
    pytest.importorskip("aiohttp")
    pytest.importorskip("discord")
    from helpers import discord_fake  # noqa: PLC0415  # needs what was asked for above

    return discord_fake


@pytest.mark.skipif(
    "BYTES_SQUADS_TEST_INSTALL" not in os.environ,
    reason="'BYTES_SQUADS_TEST_INSTALL' is not set; installs the package twice",
)
@pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="needs make and sh")
async def test_readme_followed_by_a_reader_makes_a_bot_that_pays(
    checkout: Path, environment: dict[str, str], discord_fake: ModuleType, tmp_path: Path
) -> None:
    """Each command and program of the page, in its order, in an environment with nothing in it."""

    def type_in(commands: str) -> str:
        result = subprocess.run(
            ["/bin/sh", "-euc", commands],
            cwd=checkout,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    blocks = [block for block in read_blocks(README) if block.language in {"sh", "python"}]
    install, program, makes, bot, start = blocks
    activate = ". .venv/bin/activate\n"
    await asyncio.to_thread(type_in, install.code)
    (checkout / "first.py").write_text(program.code, encoding="utf-8")
    assert type_in(f"{activate}python first.py") == program.printed
    played = await asyncio.to_thread(type_in, makes.code.replace("make test", "make -n test"))
    assert "all agree" in played
    assert "-m pytest" in played
    (checkout / "bot.py").write_text(bot.code, encoding="utf-8")
    assert start.code.endswith("\npython bot.py\n")
    assert TOKEN in start.code
    *commands, last = start.code.splitlines()

    async with discord_fake.FakeDiscord() as fake:
        environment |= {"FAKE_DISCORD": fake.url, "PYTHONPATH": str(tmp_path / "tools")}
        typed = "\n".join([activate, *commands, f"exec {last}"]).replace(TOKEN, fake.token)
        ada = fake.member("ada")
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-euc", typed),
            cwd=checkout,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await fake.until(
                lambda: fake.gateway.connected or process.returncode is not None, seconds=SECONDS
            )
            said = [(await fake.interact("/daily", ada)).text for _ in range(2)]
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert said[0] == "10 bytes, day 1!"
    assert re.fullmatch(r"You have had today's. More <t:\d+:R>.", said[1])
    assert process.returncode == 0, output.decode()
    verified = type_in(f"{activate}bytes-squads verify")
    assert verified == "Verified 1 balances against 2 ledger rows: all agree.\n"
