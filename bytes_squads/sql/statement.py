"""SQL text in two dialects.

A statement is written once, for PostgreSQL. For SQLite its parameters ``$1`` become ``:p1``, and
what SQLite lacks or does not need is taken out or replaced: casts (``::bigint``), the collation "C"
(SQLite's default order), row locks (a SQLite transaction locks the whole database) and ``ctid``
(``rowid``; no row changes its version while SQLite's write lock is held).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_POSTGRES_ONLY = re.compile(r"::[a-z]+(\[\])?|\s+COLLATE \"C\"|\s+FOR UPDATE( OF \w+)?\b")
_PARAMETER = re.compile(r"\$(\d+)")


def to_sqlite(sql: str, pieces: Mapping[str, str] | None = None) -> str:
    """Translate a PostgreSQL text to SQLite.

    Args:
        sql: The text for PostgreSQL.
        pieces: Parts of the text that SQLite writes differently.
    """
    for piece, replacement in (pieces or {}).items():
        sql = sql.replace(piece, replacement)
    sql = _POSTGRES_ONLY.sub("", sql)
    sql = sql.replace("IS DISTINCT FROM", "IS NOT")
    sql = re.sub(r"\bctid\b", "rowid", sql)
    return _PARAMETER.sub(r":p\1", sql)


def _renumber(sql: str) -> tuple[str, tuple[int, ...]]:
    """Number a text's parameters without gaps: PostgreSQL cannot tell the type of one left out.

    Returns:
        The text, and the former number of each parameter.
    """
    numbers = sorted({int(number) for number in _PARAMETER.findall(sql)})
    renumbered = _PARAMETER.sub(lambda match: f"${numbers.index(int(match[1])) + 1}", sql)
    return renumbered, tuple(numbers)


class Statement:
    """One statement in both dialects.

    Args:
        postgres: The text for PostgreSQL.
        pieces: Parts of the text that SQLite writes differently.
        sqlite: Where SQLite needs several statements: their texts in PostgreSQL's form. They are
            executed in order in one transaction; the rows are those of the last one.
    """

    def __init__(
        self,
        postgres: str,
        pieces: Mapping[str, str] | None = None,
        *,
        sqlite: tuple[str, ...] | None = None,
    ) -> None:
        self.postgres = postgres
        self.sqlite = tuple(to_sqlite(text, pieces) for text in sqlite or (postgres,))
        self.parameter_count = max(map(int, _PARAMETER.findall(postgres)), default=0)


class PostingStatement:
    """A movement of bytes: judge, change, record.

    The judging part locks the rows, finds the facts and gives the verdict: a row whose column
    ``outcome`` is ``done`` or says why nothing happens, beside the numbers that belong to it. The
    changes and the record read ``amount``, ``reason`` and ``details`` from the verdict and apply
    only where the outcome is ``done``.

    PostgreSQL executes all of it as one statement. SQLite has no CTEs that write: it executes the
    parts one after another, and the verdict of the later ones is made of constants. A distributed
    PostgreSQL executes judge and changes as one statement and the record as a second one.

    Args:
        locks: CTEs that lock rows, separated by commas.
        verdict: A SELECT of one row: ``outcome``, ``amount``, ``reason``, ``details``, numbers.
        changes: Statements that write, by the name of their CTE.
        record: The INSERT of the ledger rows.
        answer: More columns of the answer, made of rows that the changes return.
        pieces: Parts of the text that SQLite writes differently.
    """

    COMPUTED = ("amount", "reason", "details")
    """What the verdict gives to the changes and the record."""

    def __init__(
        self,
        *,
        locks: str,
        verdict: str,
        changes: Mapping[str, str],
        record: str,
        answer: str = "",
        pieces: Mapping[str, str] | None = None,
    ) -> None:
        judge = f"WITH {locks}, verdict AS MATERIALIZED ({verdict})"
        writes = ", ".join(f"{name} AS ({text})" for name, text in changes.items())
        select = f"SELECT verdict.*{answer} FROM verdict"
        self.postgres = f"{judge}, {writes}, recorded AS ({record}) {select}"
        self.judge_and_change, self.split_parameters = _renumber(f"{judge}, {writes} {select}")
        constants = ", ".join(f":{name} AS {name}" for name in self.COMPUTED)
        self.sqlite_judge = to_sqlite(f"{judge} SELECT * FROM verdict", pieces)
        self.sqlite_writes = tuple(
            to_sqlite(
                f"WITH {locks}, verdict AS (SELECT 'done' AS outcome, {constants}) {text}", pieces
            )
            for text in (*changes.values(), record)
        )
