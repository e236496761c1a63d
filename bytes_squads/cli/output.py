"""Print results: tables and sentences for people, JSON for scripts.

JSON is one document in one line of ASCII. Amounts are whole numbers, ids are strings, timestamps
are ISO 8601 in UTC, and None is null.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncclick as click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .. import BytesBalance, BytesConfig, BytesTransaction, Squad
from ..archive.format import format_timestamp
from ..engine._tortoise import column_names
from .sanitize import escape_control_characters

PIPE_WIDTH = 120
"""Columns of a table that is written to a pipe, which has no width."""

_HIDDEN_FIELDS = {BytesBalance: {"id"}, BytesTransaction: {"details"}}
"""Internal columns: a surrogate key, and the details that a repeated request returns."""


def create_console() -> Console:
    """Return a console on stdout, as wide as the terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a pipe on Windows may lack characters
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)


def print_result(as_json: bool, data: Any, table: RenderableType) -> None:
    """Print a result as JSON or as a table.

    Args:
        as_json: Whether to print JSON.
        data: The result for JSON.
        table: The result for people.
    """
    if as_json:
        click.echo(json.dumps(data, default=_json_default))
        return
    out = create_console()
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = PIPE_WIDTH
    out.print(table, markup=False, emoji=False)


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a header.

    Control characters are escaped. A text that a spreadsheet would take for a formula has an
    apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_to_cell(row[name]) for name in columns])
    click.echo(text.getvalue(), nl=False)


def _to_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = escape_control_characters(value if isinstance(value, str) else _json_default(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def row_to_dict(row: BytesBalance | BytesConfig | BytesTransaction | Squad) -> dict[str, Any]:
    """Return a row's public columns by name."""
    return {name: getattr(row, name) for name in public_columns(type(row))}


def public_columns(
    model: type[BytesBalance | BytesConfig | BytesTransaction | Squad],
) -> list[str]:
    """Return the names of a model's columns that commands show."""
    hidden = _HIDDEN_FIELDS.get(model, set())
    return [name for name in column_names(model) if name not in hidden]


def _json_default(value: object) -> str:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, UUID)  # the only other type in results
    return str(value)


@contextmanager
def show_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr if that is a terminal; yield a function of (done, total)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn(label), BarColumn(bar_width=30), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
