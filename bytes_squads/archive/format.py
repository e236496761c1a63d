"""The export format: JSON Lines, one object per line.

::

    {"type": "header", "format": "bytes_squads guild", "version": 3, "guild_id": "…", …}
    {"type": "config", …}          at most one
    {"type": "squad", …}
    {"type": "balance", …}
    {"type": "membership", …}
    {"type": "transaction", …}     the ledger, oldest first
    {"type": "end", "configs": 1, "squads": …, …}

Records are grouped by type, in this order, so that an archive can be read as a stream. The closing
line counts the records: an archive without it is truncated. Null fields are left out. Surrogate
keys of balances and memberships are not exported, as they belong to one database.

Archives of versions 1 and 2 can be read as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, BinaryIO, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError

from .records import RECORD_TYPES, Footer, Header, TableRecord
from .version_1 import RecordV1, TableRecordV1
from .version_2 import RecordV2, TableRecordV2

FORMAT: Literal["bytes_squads guild"] = "bytes_squads guild"
VERSION = 3

MAX_LINE_BYTES = 2**20
"""Largest length of a line: more than any row needs, and small enough to keep in memory."""

_MAX_MESSAGE = 200

_ADAPTERS: dict[int, TypeAdapter[Any]] = {
    1: TypeAdapter(Annotated[Header | TableRecordV1 | Footer, Field(discriminator="type")]),
    2: TypeAdapter(Annotated[Header | TableRecordV2 | Footer, Field(discriminator="type")]),
    3: TypeAdapter(Annotated[Header | TableRecord | Footer, Field(discriminator="type")]),
}
"""The parser of a line, by version."""

ReadRecord = TableRecord | RecordV1 | RecordV2
"""A record of any version."""

_RECORD_ORDER = ("header", *(record.type_name() for record in RECORD_TYPES), "end")


class ArchiveError(ValueError):
    """An archive is invalid, or its guild cannot be exported or imported.

    Attributes:
        line: The number of the line, from 1; None if the error concerns no line.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem, line)
        self.line = line

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.args[0]}"


def encode_record(record_type: str, fields: Mapping[str, Any]) -> bytes:
    """Return a record as a line of ASCII.

    Args:
        record_type: The record's type.
        fields: The record's fields; None is left out.
    """
    values = {name: _to_json(value) for name, value in fields.items() if value is not None}
    return _json.encode({"type": record_type, **values}).encode("ascii") + b"\n"


_json = json.JSONEncoder(separators=(",", ":"))


def _to_json(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):  # the same order on both databases
        return dict(sorted(value.items()))
    return value


def format_timestamp(value: datetime) -> str:
    """Return a timestamp in ISO 8601, UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class ArchiveReader:
    """A reader of archives that validates each line and the order of lines.

    Args:
        source: The archive; it is read once, forwards.
        copy: A file that each valid line is copied to, or None.
    """

    def __init__(self, source: BinaryIO, copy: BinaryIO | None = None) -> None:
        self._source = source
        self._copy = copy
        self._line_number = 0
        self._position = 0
        self._counts = dict.fromkeys(_RECORD_ORDER[1:-1], 0)
        self._adapter: TypeAdapter[Any] = _ADAPTERS[VERSION]

    def read_header(self) -> Header:
        """Return the first line.

        Raises:
            ArchiveError: It is not an archive, or of an unknown version.
        """
        header = self._read_record()
        if not isinstance(header, Header):
            raise ArchiveError("this is not a guild's archive: it does not begin with a header", 1)
        if header.version not in _ADAPTERS:
            raise ArchiveError(
                f"this archive has version {header.version}; supported are 1 to {VERSION}",
                1,
            )
        self._adapter = _ADAPTERS[header.version]
        return header

    def read_records(self) -> Iterator[tuple[int, ReadRecord]]:
        """Yield the records after the header, each with the number of its line.

        Raises:
            ArchiveError: A line is invalid or in the wrong place, or the closing line is missing or
                does not match the lines.
        """
        while True:
            record = self._read_record()
            if isinstance(record, Footer):
                break
            position = _RECORD_ORDER.index(record.type)
            second = record.type == "config" and self._counts["config"]
            if isinstance(record, Header) or position < self._position or second:
                raise ArchiveError(f"a {record.type} line is in the wrong place", self._line_number)
            self._position = position
            self._counts[record.type] += 1
            yield self._line_number, record
        found = tuple(self._counts.values())
        if found != record.values():
            counted = ", ".join(
                f"{count} {name}" for name, count in zip(Footer.fields(), found, strict=True)
            )
            raise ArchiveError(
                f"the counts in the closing line do not match the lines: {counted}",
                self._line_number,
            )
        if self._source.readline(1):
            raise ArchiveError("there is data after the closing line", self._line_number + 1)

    def _read_record(self) -> Any:
        self._line_number += 1
        raw = self._source.readline(MAX_LINE_BYTES + 1)
        if len(raw) > MAX_LINE_BYTES:
            raise ArchiveError(f"longer than {MAX_LINE_BYTES:,} bytes", self._line_number)
        if not raw:
            raise ArchiveError(
                "the closing line is missing: the archive was cut off", self._line_number
            )
        try:
            record = self._adapter.validate_json(raw)
        except ValidationError as error:
            if not raw.endswith(b"\n"):
                raise ArchiveError(
                    "the archive was cut off in this line", self._line_number
                ) from None
            raise ArchiveError(_describe_error(error), self._line_number) from None
        if self._copy is not None:
            self._copy.write(raw)
        return record


def _describe_error(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, problem["loc"]))
    message = f"{where}: {problem['msg']}" if where else problem["msg"]
    if not message.isprintable():  # a field name can hold any text
        message = repr(message)[1:-1]
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}..."
