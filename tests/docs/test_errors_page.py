"""docs/how-to/errors.md has every error with its attributes, and nothing else."""

from __future__ import annotations

import re

from helpers.paths import ROOT

import bytes_squads
from bytes_squads import BytesSquadsError, InvalidInputError, RefusedError, StorageError

PAGE = (ROOT / "docs" / "how-to" / "errors.md").read_text(encoding="utf-8")
STATUS = {InvalidInputError: 400, RefusedError: 409, StorageError: 503}
WITHOUT_A_LINE = {BytesSquadsError, RefusedError}
"""Bases that are never raised themselves."""


def test_each_error_has_a_line_with_its_attributes() -> None:
    """Each error and attribute of the package has a line."""
    _, _, table = PAGE.partition("## One by one\n")
    lines = re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \| .+ \|$", table, re.MULTILINE)
    written = {name: tuple(re.findall(r"`(\w+)`", numbers)) for name, numbers in lines}
    public = [getattr(bytes_squads, name) for name in bytes_squads.__all__]
    errors = {
        error.__name__: tuple(error.__match_args__)
        for error in public
        if isinstance(error, type)
        and issubclass(error, BytesSquadsError)
        and error not in WITHOUT_A_LINE
    }

    assert {
        **errors,
        **dict.fromkeys(("StorageUnavailableError", "OutcomeUnknownError"), ("message",)),
    } == written
    assert len(lines) == len(written)


def test_each_family_has_its_status() -> None:
    """The three of the contract."""
    found = re.findall(r"^\| `(\w+)` .*\| (\d+) \|$", PAGE, re.MULTILINE)

    assert found == [(family.__name__, str(status)) for family, status in STATUS.items()]
