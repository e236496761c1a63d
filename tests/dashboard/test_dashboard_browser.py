"""The dashboard in a real Chromium: nothing is cut off, blocked or fetched from elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from helpers import ALICE, GUILD
from helpers.backends import copy_sqlite
from helpers.dashboard import TOKEN, populate_dashboard, serve_dashboard
from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT
from helpers.sample_guild import open_database

aiohttp = pytest.importorskip("aiohttp")
playwright = pytest.importorskip("playwright.async_api")
for library in ("fastapi", "jinja2", "matplotlib", "uvicorn"):
    pytest.importorskip(library)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process"),
]

BASE = f"/guilds/{GUILD}"
PAGES = [
    BASE,
    f"{BASE}?days=all",
    f"{BASE}/leaderboard",
    f"{BASE}/squads",
    f"{BASE}/ledger",
    f"{BASE}/ledger?member={ALICE}",
    f"{BASE}/books",
    f"{BASE}/ledger?kind=x",
    "/",
]
BACKGROUNDS = {"light": "rgb(246, 247, 249)", "dark": "rgb(13, 17, 23)"}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
IMAGES_LOADED = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"


@pytest.fixture
async def address(
    sqlite_migrated: Any, tmp_path: Any, close_after_test: None
) -> AsyncIterator[str]:
    """Serve a guild with hostile names from a SQLite file."""
    copy_sqlite(sqlite_migrated, tmp_path / "guild.db")
    url = f"sqlite://{tmp_path / 'guild.db'}"
    async with open_database(url):
        await populate_dashboard()
    blocks = read_blocks(ROOT / "docs" / "how-to" / "dashboard.md")
    (block,) = [block for block in blocks if block.language == "sh"]
    install, start = block.code.splitlines()
    assert install == "pip install '.[dashboard]'"
    async with serve_dashboard(url, *start.split()[1:]) as (found, _):
        yield found


def watch(page: Any, address: str, problems: list[str], charts: list[str]) -> None:
    """Record the page's errors, external requests and charts."""

    def note(request: Any) -> None:
        if not request.url.startswith((address, "data:")):
            problems.append(f"fetched {request.url}")
        if ".svg" in request.url:
            charts.append(request.url)

    def complain(message: Any) -> None:
        expected = "status of 40"  # the form of 401 and the page of 400
        if message.type in ("error", "warning") and expected not in message.text:
            problems.append(message.text)

    page.on("request", note)
    page.on("console", complain)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize("width", [390, 1400])
async def test_chromium_shows_every_page(address: str, theme: str, width: int) -> None:
    """No error, nothing blocked, no sideways scrolling; all that is fetched is the dashboard's own.

    Charts are loaded, in the colours of the theme and the size of the window.
    """
    problems: list[str] = []
    charts: list[str] = []
    colors: set[str] = set()
    async with playwright.async_playwright() as driver:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        browser = await driver.chromium.launch(**options)
        size = {"width": width, "height": 900}
        page = await browser.new_page(viewport=size, color_scheme=theme)
        page.set_default_timeout(120_000)
        watch(page, address, problems, charts)
        await page.goto(address)
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button").click()
        await page.wait_for_url(f"{address}{BASE}")
        for path in PAGES:
            await page.goto(address + path, wait_until="load")
            if await page.evaluate(OVERFLOW) > 0:
                problems.append(f"{path} scrolls sideways")
            if not await page.evaluate(IMAGES_LOADED):
                problems.append(f"{path} lacks an image")
            colors.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        await browser.close()

    assert problems == []
    assert colors == {BACKGROUNDS[theme]}
    assert charts
    assert {"theme=dark" in url for url in charts} == {theme == "dark"}
    assert {"size=narrow" in url for url in charts} == {width == 390}
