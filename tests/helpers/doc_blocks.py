"""The code blocks of documents, with their positions, languages and captions.

A fenced block is code, unless it is a directive of Sphinx. A caption makes it a file. A block
of text right after one that runs is what that one prints. A block that cannot run says so, to the
reader as well: a paragraph right before it begins with "Not run by the tests:" and has the reason.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from .paths import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]

DIRECTIVES = {
    "eval-rst",
    "figure",
    "image",
    "include",
    "list-table",
    "literalinclude",
    "note",
    "tip",
    "toctree",
}
MORE = ", further down"
NOT_RUN = "Not run by the tests: "

_BLOCK = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.DOTALL | re.MULTILINE,
)
_INFO = re.compile(r"(?P<directive>\{(?P<name>[\w-]+)\})? *(?P<language>[\w-]*)")
_FILE = re.compile(rf"(?P<name>[\w./-]+)({MORE})?")


@dataclass(frozen=True)
class Block:
    """A piece of code in a document.

    Attributes:
        path: The document.
        line: Where it begins there.
        language: As the fence has it; empty if it has none.
        code: Without the fence, the options and the indentation.
        caption: The caption: a file's name, possibly with ", further down".
        printed: The documented output, if the text follows.
        not_run: Why it is not run, when it is not.
    """

    path: Path
    line: int
    language: str
    code: str
    caption: str = ""
    printed: str | None = None
    not_run: str | None = None

    @property
    def file(self) -> str | None:
        """The name of the file that it is, or that it is added to the end of."""
        match = _FILE.fullmatch(self.caption)
        return match["name"] if match else None

    @property
    def more(self) -> bool:
        """Whether it is added to the end of its file."""
        return self.caption.endswith(MORE)

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.line}"


def read_blocks(path: Path) -> list[Block]:
    """Return the blocks of a document from top to bottom, each with its documented output."""
    text = path.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(text):
        info = _INFO.match(match["info"])
        assert info is not None
        gap, end = text[end : match.start()], match.end()
        if info["name"] in DIRECTIVES:
            continue
        assert info["name"] in {None, "code-block"}, f"{path}: unknown directive {info['name']}"
        code, options = textwrap.dedent(match["body"]), {}
        while info["name"] and (option := re.match(r":([\w-]+): *(.*)\n|\n", code)):
            options[option[1]] = option[2]
            code = code[option.end() :]
        if match["info"] == "text" and found and not gap.strip():
            runs = found.pop()
            found.append(Block(**{**vars(runs), "printed": code}))
            continue
        reason = re.search(rf"^{NOT_RUN}((?:.+\n)+)\s*\Z", gap, re.MULTILINE)
        found.append(
            Block(
                path=path,
                line=text.count("\n", 0, match.start()) + 1,
                language=info["language"],
                code=code,
                caption=options.get("caption", ""),
                not_run=" ".join(reason[1].split()) if reason else None,
            )
        )
    return found
