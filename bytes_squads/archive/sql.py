"""The SQL of archives: the columns are the fields of an archive's lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

from tortoise.models import Model

from ..models import BytesBalance, BytesConfig, BytesTransaction, Squad, SquadMembership
from ..sql.statement import Statement
from .format import BalanceLine, ConfigLine, MembershipLine, Row, SquadLine, TransactionLine

PAGE = 1_000
"""How many rows are read, or written, at a time."""


@dataclass(frozen=True)
class Section:
    """The lines of one type, and the table they come from and go to.

    Attributes:
        line: The type of the lines.
        model: The model of the table.
        order: The columns by which the rows are read; unique in the guild, and with an index.
        first: Values of these columns that come before all others.
    """

    line: type[Row]
    model: type[Model]
    order: tuple[str, ...]
    first: tuple[Any, ...]

    @property
    def type(self) -> str:
        """The lines' type as the archive names it."""
        return str(get_args(self.line.model_fields["type"].annotation)[0])

    @property
    def page(self) -> Statement:
        """The next rows in order. $1 guild, $2 … the order's values in the last row."""
        columns = ", ".join(dict.fromkeys((*self.line.fields(), *self.order)))
        order = ", ".join(self.order)
        places = ", ".join(f"${place}" for place, _ in enumerate(self.order, 2))
        return Statement(
            f"SELECT {columns} FROM {self.model._meta.db_table}"
            f" WHERE guild_id = $1 AND ({order}) > ({places}) ORDER BY {order} LIMIT {PAGE}"
        )

    @property
    def insert(self) -> Statement:
        """A row. $1 guild, $2 … the line's fields."""
        columns = ("guild_id", *self.line.fields())
        places = ", ".join(f"${place}" for place, _ in enumerate(columns, 1))
        return Statement(
            f"INSERT INTO {self.model._meta.db_table} ({', '.join(columns)}) VALUES ({places})"
        )


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC), UUID(int=0)

SECTIONS = (
    Section(ConfigLine, BytesConfig, ("guild_id",), ("",)),
    Section(SquadLine, Squad, ("role_id",), ("",)),
    Section(BalanceLine, BytesBalance, ("user_id",), ("",)),
    Section(MembershipLine, SquadMembership, ("user_id",), ("",)),
    Section(TransactionLine, BytesTransaction, ("created_at", "id"), _BEFORE_ALL),
)

SIZES = Statement(
    "SELECT "
    + ", ".join(
        f"(SELECT count(*) FROM {section.model._meta.db_table} WHERE guild_id = $1)"
        f" AS {section.type}s"
        for section in SECTIONS
    )
)
"""How much there is of a guild, by the names of `archive.Sizes`. $1 guild."""
