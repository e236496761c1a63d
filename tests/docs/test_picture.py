"""The picture of the demo shows what the demo prints."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from helpers.paths import ROOT

pytest.importorskip("rich")

FOLDER = ROOT / "docs" / "images" / "demo"
SVG = "{http://www.w3.org/2000/svg}"


def load_script() -> ModuleType:
    """Return the script that draws the picture."""
    spec = importlib.util.spec_from_file_location("draw_demo", ROOT / "docs" / "draw_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_text(svg: str) -> list[str]:
    """Return the texts of a picture from top to bottom, without the time that the demo took."""
    text = "\n".join(element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text"))
    return re.sub(r"in\s\d+\.\d\ss", "in 4.4 s", text).splitlines()


async def test_picture_of_the_demo_is_what_the_demo_prints(close_after_test: None) -> None:
    """Played again, it has the same lines in both pictures; ``make picture`` draws them again."""
    script = load_script()
    lines = await script.play()
    for name, theme in script.THEMES.items():
        drawn = (FOLDER / f"demo-{name}.svg").read_text(encoding="utf-8")
        assert read_text(script.draw(lines, theme)) == read_text(drawn)
    assert any("all\xa0agree" in line for line in read_text(drawn))


@pytest.mark.parametrize("name", ["light", "dark"])
def test_picture_of_the_demo_fetches_nothing(name: str) -> None:
    """It has a title and a description for a screen reader, and names no font of another host."""
    svg = (FOLDER / f"demo-{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(svg)
    ids = {element.get("id") for element in root.iter() if element.text and element.text.strip()}

    assert root.get("role") == "img"
    assert set(root.get("aria-labelledby", "").split()) <= ids
    assert re.findall(r"url\((?!#)|@import|href=", svg) == []
    assert Path(FOLDER / f"demo-{name}.svg").stat().st_size < 40_000
