"""Add the repository's address to a release: its links, and those of the README.

The release workflow sets ``BYTES_SQUADS_REPOSITORY``. A package that is built without it names no
host, and the links of its README are relative, as in a checkout.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "BYTES_SQUADS_REPOSITORY"

_LINK = re.compile(r'(?<=\]\()(?!https?:|#)(?=[^)\s]+(?: "\w+")?\))')
_IMAGE = re.compile(r"""(?<=src=")(?!https?:)|(?<=srcset=")(?!https?:)""")


class RepositoryLinks(MetadataHookInterface):
    """Sets ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Change the metadata before the package is built."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["urls"] = {}
        if address := os.environ.get(VARIABLE, "").rstrip("/"):
            tag = f"v{metadata['version']}"
            text = make_absolute(text, address, tag)
            metadata["urls"] = {
                "Repository": address,
                "Documentation": f"{address}/blob/{tag}/docs/index.md",
                "Changelog": f"{address}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def make_absolute(text: str, address: str, tag: str) -> str:
    """Return Markdown whose relative links point to the files of a tag in a repository."""
    return _IMAGE.sub(f"{address}/raw/{tag}/", _LINK.sub(f"{address}/blob/{tag}/", text))
