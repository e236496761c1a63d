"""The text of every statement, as PostgreSQL and a distributed PostgreSQL get them."""

from __future__ import annotations

import asyncio
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from bytes_squads import sql
from bytes_squads.archive import sql as archive_sql
from bytes_squads.sql.statement import PostingStatement, Statement

BATCH: dict[str, tuple[Any, ...]] = {
    "members.INSERT_MEMBERS": (
        "1",
        ["1", "2"],
        ["", ""],
        ["a", "b"],
        datetime.now(UTC),
        datetime.now(UTC),
    ),
    "privacy.ERASE_ENTRIES": ("1", "12", "3", "", True),
}
"""Parameters of the statements that are not postings and have several texts when distributed."""

ACROSS_GUILDS = {"queries.LIST_GUILDS"}
"""Statements of the command line that read every guild."""


def find_statements() -> Iterator[tuple[str, Statement | PostingStatement]]:
    """Yield each statement of the package, by module and name."""
    for module in pkgutil.iter_modules(sql.__path__):
        for name, value in vars(import_module(f"bytes_squads.sql.{module.name}")).items():
            if isinstance(value, Statement | PostingStatement):
                yield f"{module.name}.{name}", value
            elif isinstance(value, tuple):
                for number, part in enumerate(value):
                    if isinstance(part, Statement):
                        yield f"{module.name}.{name}[{number}]", part
    yield "archive.COUNT_ROWS", archive_sql.COUNT_ROWS
    for table in archive_sql.TABLES:
        yield f"archive.select {table.record.type_name()}", table.select
        yield f"archive.insert {table.record.type_name()}", table.insert


def plain_texts() -> dict[str, str]:
    """Return the text for PostgreSQL of each statement."""
    return {name: statement.postgres for name, statement in find_statements()}


def distributed_texts() -> dict[str, str]:
    """Return the texts for a distributed PostgreSQL of each statement."""
    texts: dict[str, str] = {}
    for name, statement in find_statements():
        if isinstance(statement, PostingStatement):
            parts = [text for text, _ in statement.split]
        elif statement.distributed is None:
            parts = [statement.postgres]
        else:
            parts = asyncio.run(_record(statement, BATCH[name]))
        for number, text in enumerate(parts, 1):
            texts[name if len(parts) == 1 else f"{name}, part {number}"] = text
    return texts


async def _record(statement: Statement, parameters: tuple[Any, ...]) -> list[str]:
    """Return the texts that a statement executes; every row that they ask for is found."""
    texts: list[str] = []

    async def fetch(text: str, *_: Any) -> list[defaultdict[str, Any]]:
        texts.append(text)
        return [defaultdict(lambda: 100, user_id=user) for user in parameters[1]]

    assert statement.distributed is not None
    await statement.distributed(fetch, *parameters)
    return texts
