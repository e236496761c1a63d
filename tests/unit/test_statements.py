"""The text of every hand-written statement."""

from __future__ import annotations

import re

import pytest
from helpers.statement_texts import ACROSS_GUILDS, distributed_texts, plain_texts

TABLES = "bytes_balances|bytes_transactions|bytes_configs|squads|squad_memberships"
REFERENCE = re.compile(
    rf"\b(?:FROM|JOIN|UPDATE|,)\s+(?P<table>{TABLES})\b(?:\s+AS\s+(?P<alias>\w+))?"
)
INSERT = re.compile(rf"\bINSERT INTO (?:{TABLES})\b[^(]*\((?P<columns>[^)]*)\)")

TEXTS = {name: text for name, text in plain_texts().items() if name not in ACROSS_GUILDS} | {
    f"{name}, distributed": text
    for name, text in distributed_texts().items()
    if name not in ACROSS_GUILDS
}


def find_query(text: str, position: int) -> tuple[int, int]:
    """Return where the query around a position begins and ends.

    It is what is in the innermost parentheses, and of that one branch of a UNION.
    """
    depth, start, end = 0, 0, len(text)
    for index in range(position - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[index], 0)
        if depth < 0 or (depth == 0 and text.startswith("UNION ALL", index)):
            start = index + 1
            break
    depth = 0
    for index in range(position, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth < 0 or (depth == 0 and text.startswith("UNION ALL", index)):
            end = index
            break
    return start, end


def remove_inner(text: str) -> str:
    """Return a query without what is in parentheses or in a CASE: conditions there are not its."""
    for pattern in (r"\([^()]*\)", r"\bCASE\b(?:(?!\bCASE\b).)*?\bEND\b"):
        before = ""
        while before != text:
            before, text = text, re.sub(pattern, "", text, flags=re.DOTALL)
    return text


def find_untied(text: str) -> list[str]:
    """Return the references to tables whose rows are not limited to the guild's parameter.

    A condition counts if it is in the same SELECT, UPDATE or DELETE, names this table where several
    are read, and is not an alternative of another; except of ``$1 IS NULL``, for all guilds.
    """
    untied = []
    references = list(REFERENCE.finditer(text))
    for reference in references:
        query = find_query(text, reference.start())
        others = [other for other in references if find_query(text, other.start()) == query]
        name = reference["alias"] or reference["table"]
        prefix = rf"{name}\." if reference["alias"] or len(others) > 1 else rf"(?:{name}\.)?"
        own = remove_inner(text[slice(*query)].replace("$1::text IS NULL OR ", ""))
        tied = re.search(rf"\b(?:WHERE|AND|ON)\s+{prefix}guild_id = \$[12]\b", own)
        if not tied or re.search(r"\bOR\b", own):
            untied.append(reference.group())
    return untied + [
        insert.group() for insert in INSERT.finditer(text) if "guild_id" not in insert["columns"]
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_statement_is_of_one_guild(name: str) -> None:
    """Each table is tied to the guild's parameter, so that one node has all of the rows.

    On one server it may be tied to rows that are.
    """
    text = TEXTS[name]
    if not name.endswith(", distributed"):
        text = text.replace("guild_id = locked.guild_id", "guild_id = $1")

    assert find_untied(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM squads",
        "SELECT * FROM squads WHERE id = $1",
        "SELECT * FROM squads WHERE guild_id = $1 OR id = $2",
        "SELECT * FROM squads WHERE id IN (SELECT id FROM squads WHERE guild_id = $1)",
        "SELECT * FROM squads AS a JOIN squads AS b USING (guild_id) WHERE a.guild_id = $1",
        "SELECT * FROM squads JOIN bytes_configs ON true WHERE squads.guild_id = $1",
        "SELECT 1 FROM squads WHERE EXISTS (SELECT 1 FROM bytes_configs WHERE guild_id = $1)",
        "UPDATE squads SET guild_id = $1 WHERE id = $2",
        "INSERT INTO squads (id, name) VALUES ($1, $2)",
    ],
)
def test_statement_of_several_guilds_is_noticed(text: str) -> None:
    """A condition on another table, in another query or in an alternative does not count."""
    assert find_untied(text) != []


@pytest.mark.parametrize("name", TEXTS)
def test_statement_binds_its_values(name: str) -> None:
    """Parameters are numbered without a gap, and no text holds a semicolon."""
    numbers = {int(number) for number in re.findall(r"\$(\d+)", TEXTS[name])}

    assert numbers == set(range(1, len(numbers) + 1))
    assert ";" not in TEXTS[name]


def test_statements_are_found() -> None:
    """The tests above find statements."""
    assert len(TEXTS) > 25
