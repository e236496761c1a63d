"""Puts ``reference/examples/<operation>.py`` under the operation in the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = Path("reference", "examples")


def add_example(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Append the example to the operation's docstring."""
    owner, _, operation = name.rpartition(".")
    file = Path(app.srcdir) / FOLDER / f"{operation}.py"
    if what == "method" and owner.endswith("Operations") and file.is_file():
        app.env.note_dependency(file)
        code = file.read_text(encoding="utf-8").splitlines()
        lines += ["", ".. code-block:: python", "", *(f"    {line}".rstrip() for line in code), ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Run after the docstrings were read as Google's style."""
    app.connect("autodoc-process-docstring", add_example, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
