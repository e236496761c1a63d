"""SQL statements in two dialects.

A statement is written for PostgreSQL. For SQLite its parameters ``$1`` become ``:p1``, and some
syntax is removed or replaced: casts (``::bigint``), the collation "C" (SQLite's default order), row
locks (a SQLite transaction locks the whole database) and ``ctid`` (``rowid``: rows do not change
while SQLite's write lock is held).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_POSTGRES_ONLY = re.compile(r"::[a-z]+(\[\])?|\s+COLLATE \"C\"|\s+FOR UPDATE( OF \w+)?\b")
_PARAMETER = re.compile(r"\$(\d+)")

CONCLUSIVE = "'done', 'repeated', 'unknown_member', 'outdated'"
"""Outcomes that hold even if a locked row is newer than the statement's snapshot."""


def to_sqlite(sql: str, pieces: Mapping[str, str] | None = None) -> str:
    """Translate PostgreSQL SQL to SQLite.

    Args:
        sql: The SQL for PostgreSQL.
        pieces: Replacements for parts that SQLite writes differently.
    """
    for piece, replacement in (pieces or {}).items():
        sql = sql.replace(piece, replacement)
    sql = _POSTGRES_ONLY.sub("", sql)
    sql = sql.replace("IS DISTINCT FROM", "IS NOT")
    sql = re.sub(r"\bctid\b", "rowid", sql)
    return _PARAMETER.sub(r":p\1", sql)


def _renumber(sql: str) -> tuple[str, tuple[int, ...]]:
    """Renumber parameters without gaps: PostgreSQL cannot infer the type of an unused one.

    Returns:
        The SQL, and the former number of each parameter.
    """
    numbers = sorted({int(number) for number in _PARAMETER.findall(sql)})
    renumbered = _PARAMETER.sub(lambda match: f"${numbers.index(int(match[1])) + 1}", sql)
    return renumbered, tuple(numbers)


class Statement:
    """One statement in both dialects.

    Args:
        postgres: The SQL for PostgreSQL.
        pieces: Replacements for parts that SQLite writes differently.
        sqlite: Several statements for SQLite, in PostgreSQL's syntax. They are executed in order in
            one transaction; the last one returns the rows.
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


def row_changed(locked: str, table: str, guild: str = "$2::text") -> str:
    """Return the condition that a locked row is newer than the statement's snapshot.

    Args:
        locked: The CTE that locks rows; its column ``version`` is their ``ctid``.
        table: The table of the rows.
        guild: The parameter of the guild.
    """
    return f"""EXISTS (
            SELECT 1 FROM {locked} WHERE NOT EXISTS (
                SELECT 1 FROM {table} AS seen
                WHERE seen.guild_id = {guild} AND seen.ctid = {locked}.version
            )
        )"""


class PostingStatement:
    """A movement of bytes in three parts: verdict, changes, record.

    The verdict locks rows and checks the rules. It is one row, whose ``outcome`` is ``done`` or the
    reason for a refusal, with the numbers for the error. The changes and the record read
    ``amount``, ``reason`` and ``details`` from the verdict and apply only if the outcome is
    ``done``. A refusal becomes ``stale`` if a locked row is newer than the statement's snapshot.

    PostgreSQL executes all parts as one statement. SQLite has no data-modifying CTEs: it executes
    the parts one after another, the later ones with a verdict of constants. A distributed
    PostgreSQL executes verdict and changes as one statement and the record as a second one.

    Each table or CTE of the verdict is read once, as a row of ``source``: PostgreSQL would plan a
    scalar sub-query again for each place that mentions its column.

    Args:
        locks: CTEs that lock rows, separated by commas.
        source: The FROM of the verdict: exactly one row.
        repeated: The condition that the idempotency key was used before.
        cases: WHEN … THEN … for each refusal; otherwise the outcome is ``done``.
        amount: The amount.
        reason: The reason.
        details: The details, as JSON text.
        numbers: Further columns of the result, by name.
        changes: Statements that write, by CTE name.
        record: The INSERT of the ledger entries.
        changed: The condition that a locked row is newer than the snapshot.
        answer: Further columns of the result, from rows that the changes return.
        pieces: Parts of the text that SQLite writes differently.
    """

    COMPUTED = ("amount", "reason", "details")
    """Columns of the verdict that the changes and the record read."""

    def __init__(
        self,
        *,
        locks: str,
        source: str,
        repeated: str,
        cases: str,
        amount: str,
        reason: str,
        details: str,
        numbers: Mapping[str, str],
        changes: Mapping[str, str],
        record: str,
        changed: str,
        answer: str = "",
        pieces: Mapping[str, str] | None = None,
    ) -> None:
        columns = {"amount": amount, "reason": reason, "details": details, **numbers}
        values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        outcome = f"CASE WHEN {repeated} THEN 'repeated' {cases} ELSE 'done' END"
        verdict = f"SELECT {outcome} AS outcome, {values} FROM {source}"
        with_verdict = f"WITH {locks}, verdict AS MATERIALIZED ({verdict})"
        writes = ", ".join(f"{name} AS ({text})" for name, text in changes.items())
        select = f"""
            SELECT CASE
                WHEN outcome NOT IN ({CONCLUSIVE}) AND {changed} THEN 'stale' ELSE outcome
            END AS outcome, {", ".join(columns)}{answer}
            FROM verdict"""
        self.postgres = f"{with_verdict}, {writes}, entry_inserted AS ({record}) {select}"
        self.verdict_and_changes, self.split_parameters = _renumber(
            f"{with_verdict}, {writes} {select}"
        )
        constants = ", ".join(f":{name} AS {name}" for name in self.COMPUTED)
        self.sqlite_verdict = to_sqlite(f"WITH {locks} {verdict}", pieces)
        self.sqlite_writes = tuple(
            to_sqlite(
                f"WITH {locks}, verdict AS (SELECT 'done' AS outcome, {constants}) {text}", pieces
            )
            for text in (*changes.values(), record)
        )
