"""The diagrams of the documentation are right and accessible."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from helpers import MODELS
from helpers.paths import ROOT
from helpers.schema_introspection import describe_columns
from tortoise.models import Model

IMAGES = ROOT / "docs" / "images"
DIAGRAMS = sorted(IMAGES.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"

FINAL = {"id", "guild_id", "giver_id", "receiver_id", "amount", "kind", "created_at", "reverses_id"}


def columns_drawn(table: str) -> dict[str, str]:
    """The columns of a table in the diagram of tables, in its order, each with its note."""
    (group,) = [
        group
        for group in ET.parse(IMAGES / "tables.svg").iter(f"{SVG}g")
        if group.get("id") == table
    ]
    texts = list(group.iter(f"{SVG}text"))
    return {
        str(text.text): str(note.text)
        for text, note in pairwise(texts)
        if "column" in text.get("class", "").split()
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.db_table)
def test_every_column_is_in_the_diagram(model: type[Model]) -> None:
    """The five tables are drawn with all their columns and no others."""
    columns = {column["db_column"] for column in describe_columns(model)}
    columns |= {f"{field['name']}_id" for field in model.describe()["fk_fields"]}

    assert set(columns_drawn(model._meta.db_table)) == columns


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.db_table)
def test_diagram_marks_columns_that_may_be_null(model: type[Model]) -> None:
    """A column's note says null exactly when the model does."""
    nullable = {column["db_column"] for column in describe_columns(model) if column["nullable"]}
    drawn = columns_drawn(model._meta.db_table)

    assert {name for name, note in drawn.items() if "null" in note} == nullable


def test_diagram_marks_final_columns() -> None:
    """The columns of the ledger's trigger, and no others."""
    drawn = columns_drawn("bytes_transactions")

    assert {name for name, note in drawn.items() if note.endswith("final")} == FINAL


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.name)
def test_diagram_has_a_title_and_a_description(path: Path) -> None:
    """It has a title and a description for screen readers."""
    root = ET.parse(path).getroot()
    named = root.get("aria-labelledby", "").split()
    said = [
        element.text
        for tag in ("title", "desc")
        for element in root.iter(f"{SVG}{tag}")
        if element.get("id") in named
    ]

    assert root.get("role") == "img"
    assert len([text for text in said if text and text.strip()]) == 2


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.name)
def test_diagram_has_a_background(path: Path) -> None:
    """Each shape has a colour for a light and for a dark screen, and nothing is fetched."""
    text = path.read_text(encoding="utf-8")
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    colored = re.compile(r"\.([\w-]+) \{[^}]*(?:fill|stroke): #")
    used = {name for names in re.findall(r'class="([^"]+)"', text) for name in names.split()}

    assert set(colored.findall(light)) & used == set(colored.findall(dark)) & used
    assert "ground" in used
    assert re.findall(r"(?:href|src|url)\s*[=(]", text) == []
