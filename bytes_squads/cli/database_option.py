"""The database that a command works on, for as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncclick as click

from .. import close, init
from ..database import connection_config, database_url
from ..database import place as place_of


def url_of(given: str | None) -> str:
    """The URL given, or that of the environment, or a file in the working directory."""
    return given or database_url()


def place(url: str) -> str:
    """The database as a message names it."""
    return place_of(connection_config(url))


@asynccontextmanager
async def opened(given: str | None) -> AsyncIterator[None]:
    """The database, open. A SQLite file that is not there is an error: opening would make one.

    Args:
        given: The URL that the command was given, or None.
    """
    url = url_of(given)
    _refuse_missing_file(url)
    await init(url)
    try:
        yield
    finally:
        await close()


def _refuse_missing_file(url: str) -> None:
    file = connection_config(url)["credentials"].get("file_path")
    if file not in {None, ":memory:"} and not Path(file).exists():
        raise click.ClickException(f"there is no file {file}")
