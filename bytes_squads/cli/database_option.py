"""Open the database that a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncclick as click

from .. import close, init
from ..database import connection_config, database_url, describe_database


def resolve_url(given: str | None) -> str:
    """Return the given URL, else DATABASE_URL, else a file in the working directory."""
    return given or database_url()


def describe(url: str) -> str:
    """Return the database's name for messages, without the password."""
    return describe_database(connection_config(url))


@asynccontextmanager
async def open_database(given: str | None) -> AsyncIterator[None]:
    """Open the database for the length of a block. A missing SQLite file is an error.

    Args:
        given: The URL that the command was given, or None.
    """
    url = resolve_url(given)
    _require_file(url)  # opening would create it
    await init(url)
    try:
        yield
    finally:
        await close()


def _require_file(url: str) -> None:
    file = connection_config(url)["credentials"].get("file_path")
    if file not in {None, ":memory:"} and not Path(file).exists():
        raise click.ClickException(f"there is no file {file}")
