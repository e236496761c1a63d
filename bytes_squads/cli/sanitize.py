"""Text that others wrote, made safe for a terminal."""

from __future__ import annotations

import unicodedata

_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes text run in the other direction, and so can hide or fake what stands beside it."""


def printable(text: str) -> str:
    """The text with whatever a terminal would obey, and not show, written out as Python does.

    Control characters of both kinds (C0 and C1: colours, cursor, titles, the clipboard), line and
    paragraph separators, marks of direction. Letters and emoji of all the world stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode() if _is_obeyed(character) else character
        for character in text
    )


def _is_obeyed(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNS


def one_line(text: str) -> str:
    """The text in one line that is safe to print."""
    return printable(" ".join(text.split()))
