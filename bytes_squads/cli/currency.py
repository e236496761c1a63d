"""A guild's currency in the output."""

from __future__ import annotations

import re
from dataclasses import dataclass

import asyncclick as click

from .. import BytesConfig, BytesOperations
from ..operations.read_only import ReadOnlyQueries
from .sanitize import one_line

_LONGEST_HEADER = 12


@dataclass(frozen=True)
class Currency:
    """A guild's name and emoji for its bytes.

    Attributes:
        name: ``BytesConfig.currency_name``.
        emoji: ``BytesConfig.currency_emoji``, or empty.
    """

    name: str = "bytes"
    emoji: str = ""

    @property
    def header(self) -> str:
        """The name as the header of a column, if it is short enough."""
        name = one_line(self.name)
        return name if len(name) <= _LONGEST_HEADER else "amount"

    def format(self, amount: int) -> str:
        """Return an amount with the name and the emoji; ``:gem:`` for a custom emoji."""
        emoji = re.sub(r"^<a?(:\w+:)\d+>$", r"\1", self.emoji)
        return one_line(f"{amount:,} {self.name} {emoji}")


def currency_of(config: BytesConfig) -> Currency:
    """Return the currency in a guild's settings."""
    return Currency(config.currency_name, config.currency_emoji or "")


async def get_currency(guild: str) -> Currency:
    """Return a guild's currency; the database is open."""
    return currency_of(await BytesOperations().get_config(guild))


async def is_new_guild(guild: str) -> bool:
    """Return whether a guild has no member yet; the database is open."""
    return not await ReadOnlyQueries().has_members(guild)


def warn_of_new_guild(guild: str) -> None:
    """Print on stderr that a guild was not in the database: its id may be misspelled."""
    click.echo(f"Warning: guild {guild} had no members in this database until now", err=True)
