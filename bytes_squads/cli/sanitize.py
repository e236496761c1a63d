"""Make text that users wrote safe for a terminal."""

from __future__ import annotations

import unicodedata

_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Characters that change the direction of text, and so can hide or fake the text beside it."""


def escape_control_characters(text: str) -> str:
    """Escape control characters so that a terminal cannot interpret them.

    These are C0 and C1 controls (colours, cursor, titles, the clipboard), line and paragraph
    separators, and direction marks. Letters and emoji of every script are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode() if _is_control(character) else character
        for character in text
    )


def _is_control(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _BIDI_CONTROLS
    )


def one_line(text: str) -> str:
    """Return the text in one line that is safe to print."""
    return escape_control_characters(" ".join(text.split()))
