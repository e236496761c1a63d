"""What commands print: for people tables and sentences, for scripts JSON.

JSON is one document in one line of ASCII. Amounts are whole numbers, ids are strings, points in
time are ISO 8601 in UTC. What is none is null.
"""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncclick as click
from rich.console import Console, RenderableType

from .. import BytesBalance, BytesConfig, BytesTransaction, Squad
from ..archive.format import instant

WIDE = 120
"""Columns of a table that goes into a pipe, where nobody knows how wide it is."""

_LEFT_OUT = {BytesBalance: {"id", "claim_key", "claim_details"}, BytesTransaction: {"details"}}
"""What is for the database and for a repeated order alone."""


def console() -> Console:
    """Stdout, for tables as wide as the terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a pipe on Windows may know few characters
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)


def show(as_json: bool, data: Any, table: RenderableType) -> None:
    """Print one or the other.

    Args:
        as_json: Whether it is for a script.
        data: What a script gets.
        table: What people get.
    """
    if as_json:
        click.echo(json.dumps(data, default=_plain))
        return
    out = console()
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = WIDE
    out.print(table)


def fields(row: BytesBalance | BytesConfig | BytesTransaction | Squad) -> dict[str, Any]:
    """The columns of a row by name."""
    hidden = _LEFT_OUT.get(type(row), set())
    return {
        name: getattr(row, name) for name in row._meta.fields_db_projection if name not in hidden
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, UUID)  # nothing else is printed
    return str(value)
