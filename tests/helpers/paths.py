"""Where the checkout and its tests are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
EXAMPLE = ROOT / "examples" / "discord_bot.py"
