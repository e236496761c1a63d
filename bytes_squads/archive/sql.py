"""The SQL of archives: the columns are the fields of an archive's records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tortoise.models import Model

from ..models import BytesBalance, BytesConfig, BytesTransaction, Squad, SquadMembership
from ..sql.statement import Statement
from .records import (
    BalanceRecord,
    ConfigRecord,
    MembershipRecord,
    SquadRecord,
    TableRecord,
    TransactionRecord,
)

BATCH_SIZE = 1_000
"""Number of rows that are read or written at a time."""


@dataclass(frozen=True)
class TableExport:
    """The records of one type and their table.

    Attributes:
        record: The record type.
        model: The table's model.
        sort_key: The columns that order the rows; unique in the guild and indexed.
        start: Values of these columns before every row.
    """

    record: type[TableRecord]
    model: type[Model]
    sort_key: tuple[str, ...]
    start: tuple[Any, ...]

    @property
    def select(self) -> Statement:
        """Select the next rows in order. $1 guild, $2 … the sort key of the last row."""
        columns = ", ".join(dict.fromkeys((*self.record.fields(), *self.sort_key)))
        order = ", ".join(self.sort_key)
        last = ", ".join(f"${number}" for number, _ in enumerate(self.sort_key, 2))
        return Statement(
            f"SELECT {columns} FROM {self.model._meta.db_table}"
            f" WHERE guild_id = $1 AND ({order}) > ({last}) ORDER BY {order} LIMIT {BATCH_SIZE}"
        )

    @property
    def insert(self) -> Statement:
        """Insert a row. $1 guild, $2 … the record's fields."""
        columns = ("guild_id", *self.record.fields())
        values = ", ".join(f"${number}" for number, _ in enumerate(columns, 1))
        return Statement(
            f"INSERT INTO {self.model._meta.db_table} ({', '.join(columns)}) VALUES ({values})"
        )


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC), UUID(int=0)

TABLES = (
    TableExport(ConfigRecord, BytesConfig, ("guild_id",), ("",)),
    TableExport(SquadRecord, Squad, ("role_id",), ("",)),
    TableExport(BalanceRecord, BytesBalance, ("user_id",), ("",)),
    TableExport(MembershipRecord, SquadMembership, ("user_id",), ("",)),
    TableExport(TransactionRecord, BytesTransaction, ("created_at", "id"), _BEFORE_ALL),
)

COUNT_ROWS = Statement(
    "SELECT "
    + ", ".join(
        f"(SELECT count(*) FROM {table.model._meta.db_table} WHERE guild_id = $1)"
        f" AS {table.record.type_name()}s"
        for table in TABLES
    )
)
"""Count the rows of a guild, by the names of `records.Footer`. $1 guild."""

FIND_WRONG_REVERSAL = Statement("""
    SELECT reversal.id, reversal.reverses_id
    FROM bytes_transactions AS reversal
    LEFT JOIN bytes_transactions AS original
        ON original.guild_id = $1 AND original.id = reversal.reverses_id
    WHERE reversal.guild_id = $1 AND reversal.reverses_id IS NOT NULL AND (
        original.id IS NULL OR original.kind IN ('starting', 'reversal')
        OR original.amount <> reversal.amount
        OR original.giver_id <> reversal.receiver_id OR original.receiver_id <> reversal.giver_id
    )
    LIMIT 1
""")
"""Find a reversal that does not reverse a row of the guild. $1 guild.

A unique key ensures that a row is reversed once.
"""
