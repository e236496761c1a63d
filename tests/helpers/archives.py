"""Archives as lists of records."""

from __future__ import annotations

import io
import json
from typing import Any

from bytes_squads.archive.exporter import export_guild

from .sample_data import GUILD, Rows

Record = dict[str, Any]

EMPTY: Rows = {
    "bytes_balances": [],
    "bytes_transactions": [],
    "bytes_configs": [],
    "squads": [],
    "squad_memberships": [],
}
"""What `helpers.sample_guild.dump` returns for a database without rows."""


async def export_records(guild: str = GUILD) -> list[Record]:
    """Export a guild of the open database, and return the records of its archive."""
    target = io.BytesIO()
    await export_guild(guild, target)
    return [json.loads(line) for line in target.getvalue().splitlines()]


def write_archive(lines: list[Record]) -> io.BytesIO:
    """Return an archive of these records."""
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def find_record(lines: list[Record], kind: str, /, **fields: Any) -> Record:
    """Return the first record of a type that has these fields."""
    return next(
        line
        for line in lines
        if line["type"] == kind and all(line.get(name) == fields[name] for name in fields)
    )
