"""SQL statements in two dialects.

A statement is written for PostgreSQL. For SQLite its parameters ``$1`` become ``:p1``, and some
syntax is removed or replaced: casts (``::bigint``), the collation "C" (SQLite's default order), row
locks (a SQLite transaction locks the whole database) and ``ctid`` (``rowid``: rows do not change
while SQLite's write lock is held).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_POSTGRES_ONLY = re.compile(r"::[a-z]+(\[\])?|\s+COLLATE \"C\"|\s+FOR UPDATE( OF \w+)?\b")
_PARAMETER = re.compile(r"\$(\d+)")

CONCLUSIVE = "'done', 'repeated', 'unknown_member', 'outdated'"
"""Outcomes that hold even if a locked row is newer than the statement's snapshot."""

Rows = Sequence[Mapping[str, Any]]
Fetch = Callable[..., Awaitable[Rows]]
"""Executes the text of a statement with its parameters on PostgreSQL."""

Steps = Callable[..., Awaitable[Rows]]
"""Executes a statement as several, in the current transaction; takes a `Fetch`, the parameters."""


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
        distributed: How a distributed PostgreSQL executes it, if as several statements in one
            transaction.
    """

    def __init__(
        self,
        postgres: str,
        pieces: Mapping[str, str] | None = None,
        *,
        sqlite: tuple[str, ...] | None = None,
        distributed: Steps | None = None,
    ) -> None:
        self.postgres = postgres
        self.sqlite = tuple(to_sqlite(text, pieces) for text in sqlite or (postgres,))
        self.distributed = distributed


@dataclass(frozen=True)
class Insert:
    """An INSERT of a posting.

    Attributes:
        into: Table and columns.
        values: The values; they may read the verdict's columns `PostingStatement.COMPUTED`.
        source: What is cross-joined with the verdict, if one row is not enough.
        returning: The RETURNING clause, whose columns are added to the result.
        distributed: The statement for a distributed PostgreSQL if it has a source, which there has
            to be a table that is distributed.
        reads: Further columns of the distributed verdict, which ``distributed`` reads.
    """

    into: str
    values: str
    source: str = ""
    returning: str = ""
    distributed: str = ""
    reads: Mapping[str, str] = field(default_factory=dict)

    @property
    def after_verdict(self) -> str:
        """The INSERT beside the verdict, which inserts only if the outcome is ``done``."""
        return (
            f"INSERT INTO {self.into} SELECT {self.values} FROM verdict{self.source}"
            f" WHERE verdict.outcome = 'done' {self.returning}"
        )

    def alone(self, parameters: Mapping[str, str]) -> str:
        """Return the INSERT as a separate statement.

        Args:
            parameters: The parameter that replaces each column of the verdict.
        """
        text = (
            self.distributed or f"INSERT INTO {self.into} VALUES ({self.values}) {self.returning}"
        )
        for column, parameter in parameters.items():
            text = text.replace(f"verdict.{column}", parameter)
        return text


def row_changed(locked: str, table: str, guild: str = "$2::text") -> str:
    """Return the condition that a locked row is newer than the statement's snapshot.

    Args:
        locked: The CTE that locks rows; its column ``version`` is their ``ctid``.
        table: The table of the rows.
        guild: The parameter of the guild, or a column of the locked rows.
    """
    return f"""EXISTS (
            SELECT 1 FROM {locked} WHERE NOT EXISTS (
                SELECT 1 FROM {table} AS seen
                WHERE seen.guild_id = {guild} AND seen.ctid = {locked}.version
            )
        )"""


class PostingStatement:
    """A movement of bytes in three parts: verdict, changes, inserts.

    The verdict locks rows and checks the rules. It is one row, whose ``outcome`` is ``done`` or the
    reason for a refusal, with the numbers for the error. The changes and the inserts read
    ``amount``, ``reason``, ``details`` and ``reverses_id`` from the verdict and apply only if the
    outcome is ``done``. A refusal becomes ``stale`` if a locked row is newer than the statement's
    snapshot.

    PostgreSQL executes all parts as one statement. SQLite has no data-modifying CTEs: it executes
    the parts one after another, the later ones with a verdict of constants, and the inserts before
    the changes, so that they read the rows as they were. A distributed PostgreSQL executes verdict
    and changes as one statement and each insert as another; an INSERT in a CTE would not be sent to
    one node as a whole.

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
        changes: The UPDATE and DELETE statements, by CTE name, in the order of SQLite.
        inserts: The INSERT statements, by CTE name.
        changed: The condition that a locked row is newer than the snapshot.
        reverses_id: The ledger row that the posting takes back.
        answer: Further columns of the result, from rows that the changes return.
        pieces: Parts of the text that SQLite writes differently.
        distributed_pieces: Parts of the text that a distributed PostgreSQL needs written
            differently.
    """

    COMPUTED = ("amount", "reason", "details", "reverses_id")
    """Columns of the verdict that the changes and the inserts read."""

    _COMPUTED_TYPES = ("bigint", "text", "text", "uuid")

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
        changed: str,
        inserts: Mapping[str, Insert] = MappingProxyType({}),
        reverses_id: str = "NULL::uuid",
        answer: str = "",
        pieces: Mapping[str, str] | None = None,
        distributed_pieces: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        expressions = zip(self.COMPUTED, (amount, reason, details, reverses_id), strict=True)
        columns = {**dict(expressions), **numbers}
        values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        outcome = f"CASE WHEN {repeated} THEN 'repeated' {cases} ELSE 'done' END"
        verdict = f"SELECT {outcome} AS outcome, {values} FROM {source}"
        with_verdict = f"WITH {locks}, verdict AS MATERIALIZED ({verdict})"
        writes = dict(changes)

        def select(answer: str) -> str:
            parts = (with_verdict, *(f"{name} AS ({text})" for name, text in writes.items()))
            return f"""{", ".join(parts)}
            SELECT CASE
                WHEN outcome NOT IN ({CONCLUSIVE}) AND {changed} THEN 'stale' ELSE outcome
            END AS outcome, {", ".join(columns)}{answer}
            FROM verdict"""

        reads = {name: text for insert in inserts.values() for name, text in insert.reads.items()}
        without_inserts = select(
            answer + "".join(f", {text} AS {name}" for name, text in reads.items())
        )
        for piece, replacement in distributed_pieces.items():
            without_inserts = without_inserts.replace(piece, replacement)
        for name, insert in inserts.items():
            writes[name] = insert.after_verdict
            if insert.returning:
                column = insert.returning.rpartition(" ")[2]
                answer += f", (SELECT {column} FROM {name}) AS {column}"
        self.postgres = select(answer)
        count = max(map(int, _PARAMETER.findall(self.postgres)))
        casts = [f"::{type_name}" for type_name in self._COMPUTED_TYPES] + [""] * len(reads)
        self._columns_read = (*self.COMPUTED, *reads)
        computed = {
            column: f"${count + number}{cast}"
            for number, (column, cast) in enumerate(zip(self._columns_read, casts, strict=True), 1)
        }
        self.split = tuple(
            _renumber(text)
            for text in (without_inserts, *(insert.alone(computed) for insert in inserts.values()))
        )
        """The statements for a distributed PostgreSQL, and the numbers of their parameters."""
        constants = ", ".join(f":{name} AS {name}" for name in self.COMPUTED)
        self.sqlite_verdict = to_sqlite(f"WITH {locks} {verdict}", pieces)
        self.sqlite_writes = tuple(
            to_sqlite(
                f"WITH {locks}, verdict AS (SELECT 'done' AS outcome, {constants}) {text}", pieces
            )
            for text in (*(insert.after_verdict for insert in inserts.values()), *changes.values())
        )

    def for_rows(self, count: int) -> PostingStatement:
        """Return the statement with a text for about as many rows, up to a power of two.

        PostgreSQL keeps a plan for each text. A plan that was made while a table was small, and
        that reads it whole for each row, is not used for many rows.
        """
        sized = copy(self)
        sized.postgres = f"{self.postgres} /* {1 << count.bit_length()} rows */"
        return sized

    async def distributed(self, fetch: Fetch, *parameters: Any) -> Rows:
        """Execute the posting on a distributed PostgreSQL, in the current transaction.

        Args:
            fetch: Executes each statement.
            parameters: The posting's parameters.
        """
        (verdict_query, numbers), *inserts = self.split
        verdict = dict(
            (await fetch(verdict_query, *(parameters[number - 1] for number in numbers)))[0]
        )
        if verdict["outcome"] == "done":
            values = (*parameters, *(verdict[name] for name in self._columns_read))
            for insert, numbers in inserts:
                for row in await fetch(insert, *(values[number - 1] for number in numbers)):
                    verdict |= dict(row)
        return [verdict]
