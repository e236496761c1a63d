"""Replaces pages that only point to a document of the project's root by that document."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

PAGES = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}


def take(app: Sphinx, page: str, source: list[str]) -> None:
    """Read the document, with links relative to the folder of the documentation."""
    if page in PAGES:
        document = app.srcdir.parent / PAGES[page]
        app.env.note_dependency(document)
        text = document.read_text(encoding="utf-8")
        local = re.sub(r"\]\((?!https?:|#)", "](../", text)
        source[0] = local.replace("](../docs/", "](")


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before a page is parsed."""
    app.connect("source-read", take)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
