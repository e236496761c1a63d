"""Every statement that is written by hand, read as text."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import pytest

from bytes_squads import sql
from bytes_squads.sql.statement import PostingStatement, Statement

TABLES = "bytes_balances|bytes_transactions|bytes_configs|squads|squad_memberships"
REFERENCE = re.compile(rf"\b(?:FROM|JOIN|UPDATE|,)\s+(?:{TABLES})\b(?:\s+AS\s+(\w+))?")


def statements() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each statement for PostgreSQL."""
    for module in pkgutil.iter_modules(sql.__path__):
        for name, value in vars(import_module(f"bytes_squads.sql.{module.name}")).items():
            if isinstance(value, Statement):
                yield f"{module.name}.{name}", value.postgres
            elif isinstance(value, PostingStatement):
                yield f"{module.name}.{name}", value.postgres
                yield f"{module.name}.{name}, split", value.verdict_and_changes
            elif isinstance(value, tuple):
                for number, part in enumerate(value):
                    if isinstance(part, Statement):
                        yield f"{module.name}.{name}, {number}", part.postgres


TEXTS = dict(statements())


def segment(text: str, position: int) -> str:
    """Return what is inside the innermost parentheses around a position, or the whole text."""
    depth, start = 0, 0
    for index in range(position - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[index], 0)
        if depth < 0:
            start = index + 1
            break
    depth = 0
    for index in range(position, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth < 0:
            return text[start:index]
    return text[start:]


@pytest.mark.parametrize("name", TEXTS)
def test_a_statement_is_of_one_guild(name: str) -> None:
    """Each table is tied to the guild's parameter, so that one node has all of the rows."""
    text = TEXTS[name]
    for reference in REFERENCE.finditer(text):
        inside = segment(text, reference.start())
        alias = reference.group(1)
        prefix = rf"(?:{alias}\.)" if alias else r"(?:\w+\.)?"
        assert re.search(rf"\b{prefix}guild_id = \$[12]\b", inside), reference.group()


@pytest.mark.parametrize("name", TEXTS)
def test_a_statement_binds_its_values(name: str) -> None:
    """Parameters are numbered without a gap, and no text holds a semicolon."""
    numbers = {int(number) for number in re.findall(r"\$(\d+)", TEXTS[name])}

    assert numbers == set(range(1, len(numbers) + 1))
    assert ";" not in TEXTS[name]


def test_the_statements_are_found() -> None:
    """The tests above read something."""
    assert len(TEXTS) > 25
