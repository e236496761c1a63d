"""Control characters in members' texts are escaped, and other characters kept."""

from __future__ import annotations

import pytest

pytest.importorskip("rich")

from bytes_squads.cli.sanitize import escape_control_characters, one_line

WRITTEN_OUT = {
    "a colour": ("\x1b[31mred", "\\x1b[31mred"),
    "the window's title": ("\x1b]0;root\x07", "\\x1b]0;root\\x07"),
    "a sequence of the other kind": ("\x9b31mred", "\\x9b31mred"),
    "a new line": ("a\r\nb\tc", "a\\r\\nb\\tc"),
    "a separator": ("a\u2028b\u2029c\x85", "a\\u2028b\\u2029c\\x85"),
    "a NUL and a deletion": ("\0\x7f", "\\x00\\x7f"),
    "another direction": ("abc\u202efdp.exe\u2066", "abc\\u202efdp.exe\\u2066"),
    "a lone surrogate": ("\ud800", "\\ud800"),
}


@pytest.mark.parametrize("what", WRITTEN_OUT)
def test_control_characters_are_escaped(what: str) -> None:
    """Control characters are shown as escapes."""
    text, expected = WRITTEN_OUT[what]
    assert escape_control_characters(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ada", "möwe", "Łukasz", "猫", "שלום", "👩‍🚀 🎲", "[b] :smile: \\"]
)
def test_letters_are_kept(text: str) -> None:
    """Letters of every script and combined emoji are kept."""
    assert escape_control_characters(text) == text


def test_message_is_one_line() -> None:
    """However many it had."""
    assert one_line("first\n  second\x1b\n") == "first second\\x1b"
