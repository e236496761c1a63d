"""How Sphinx makes the documentation: `make docs`. Nothing is fetched from a network."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "bytes_squads"
author = "The bytes_squads maintainers"
copyright = "the bytes_squads maintainers"  # noqa: A001  # Sphinx's name for it
release = version = metadata.version("bytes_squads")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "examples",
    "models",
    "root_documents",
]
exclude_patterns = ["_extensions", "charts"]

autosummary_generate = False  # the operations are described on one page
viewcode_line_numbers = True
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre, div.highlight-ini pre"

# Markdown -----------------------------------------------------------------------------------------

myst_enable_extensions = ["attrs_inline", "deflist"]
myst_heading_anchors = 3

# Docstrings ---------------------------------------------------------------------------------------

default_role = "py:obj"  # `init` in a docstring is a Python object; code stands in ``two``
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# Every reference must lead somewhere, except into the libraries and the standard library, whose
# addresses would have to be fetched.
nitpicky = True
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(asyncio|collections|contextlib|datetime|pydantic|tortoise|types|typing|uuid)\..*",
    ),
    (r"py:.*", r"(date|datetime|UUID)"),
]

# The look -----------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"bytes_squads {release}"
pygments_dark_style = "a11y-high-contrast-dark"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
