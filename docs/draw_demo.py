"""Draw the demo's output for README.md and the index page: ``make picture``.

The output is that of the demo, without the refused operations. ``tests/docs/test_picture.py`` plays
the demo again and compares.
"""

from __future__ import annotations

import asyncio
import io
import re
from copy import copy
from pathlib import Path

from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

import bytes_squads
from bytes_squads.cli.demo.runner import new_guild_id, run_demo

FOLDER = Path(__file__).parent / "images" / "demo"
LIGHT = copy(DEFAULT_TERMINAL_THEME)
LIGHT.background_color = ColorTriplet(246, 248, 250)
THEMES = {"light": LIGHT, "dark": SVG_EXPORT_THEME}
COLUMNS = 80
HISTORY_ROWS = 7
TITLE = "What bytes-squads demo prints"
DESCRIPTION = (
    "A leaderboard of ten members, the standings of three squads, the ledger of one member with "
    "the balance after each entry, and: all balances agree with the ledger."
)


async def play() -> list[Text]:
    """Play the demo in memory and return the lines that are drawn, with their styles."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    await bytes_squads.init("sqlite://:memory:")
    try:
        await bytes_squads.upgrade()
        await run_demo(console, new_guild_id())
    finally:
        await bytes_squads.close()
    return select(list(Text.from_ansi(console.export_text(styles=True)).split("\n")))


def select(lines: list[Text]) -> list[Text]:
    """Return the lines that are drawn: without the refusals and the older part of the history."""
    for line in lines:
        line.rstrip()
    plain = [line.plain for line in lines]
    history = next(number for number, line in enumerate(plain) if line.startswith("History of"))
    refused = next(number for number, line in enumerate(plain) if line.startswith("Refused"))
    verified = next(number for number, line in enumerate(plain) if line.startswith("Verified"))
    shown = history + 4 + HISTORY_ROWS  # after title, blank line, header and rule
    assert refused - 1 > shown
    return [
        Text("$ bytes-squads demo", style="bold"),
        *lines[:shown],
        Text(" …", style="dim"),
        Text(),
        lines[verified],
    ]


def draw(lines: list[Text], theme: TerminalTheme) -> str:
    """Return the lines as SVG that fetches nothing and can be read to somebody."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    for line in lines:
        console.print(line, no_wrap=True, soft_wrap=True)
    svg = console.export_svg(title="bytes-squads demo", theme=theme, unique_id="demo")
    svg = svg.replace("rgba(255,255,255,0.35)", "rgba(128,128,128,0.5)")  # seen on any page
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    named = f'<title id="demo-title">{TITLE}</title><desc id="demo-desc">{DESCRIPTION}</desc>'
    svg = re.sub(
        r'<svg class="rich-terminal"([^>]*)>',
        rf'<svg class="rich-terminal" role="img" aria-labelledby="demo-title demo-desc"\1>{named}',
        svg,
        count=1,
    )
    return re.sub(r"[ \t]+\n", "\n", svg)


async def main() -> None:
    """Write both pictures."""
    lines = await play()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, theme in THEMES.items():
        (FOLDER / f"demo-{name}.svg").write_text(draw(lines, theme), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
