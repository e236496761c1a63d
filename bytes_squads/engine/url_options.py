"""The options that a database URL may have, each with a function that reads its value.

Such a function returns None for a value that the database does not know. It raises nothing: an
error would carry a piece of the URL in its context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

ReadValue = Callable[[str], Any]

_TRUE, _FALSE = ("1", "on", "yes", "true"), ("0", "off", "no", "false")


def _text(text: str) -> str | None:
    return text or None


def _integer(low: int, high: int = 2**63 - 1) -> ReadValue:
    """Return a reader of whole numbers.

    Args:
        low: The lowest valid number.
        high: The highest valid number.
    """

    def read(text: str) -> int | None:
        valid = re.fullmatch("-?[0-9]{1,19}", text) and low <= int(text) <= high
        return int(text) if valid else None

    return read


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None


def _one_of(*names: str) -> ReadValue:
    """Return a reader of names, in lower or upper case."""
    return lambda text: text if text.casefold() in names else None


def _boolean(text: str) -> bool | None:
    return None if text.casefold() not in _TRUE + _FALSE else text.casefold() in _TRUE


_SSL_MODES = _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

POSTGRES_OPTIONS: Mapping[str, ReadValue] = {
    "host": _text,
    "port": _integer(1, 2**16 - 1),
    "user": _text,
    "password": _text,
    "schema": _text,
    "application_name": _text,
    "minsize": _integer(0, 10_000),
    "maxsize": _integer(1, 10_000),
    "timeout": _seconds,
    "connect_timeout": _seconds,  # libpq's name for timeout
    "command_timeout": _seconds,
    "ssl": _SSL_MODES,
    "sslmode": _SSL_MODES,  # libpq's name for ssl
    "statement_cache_size": _integer(0),
    "max_cached_statement_lifetime": _integer(0),
    "max_cacheable_statement_size": _integer(0),
    "max_inactive_connection_lifetime": _seconds,
    "max_queries": _integer(1),
    "keepalives": _integer(0, 1),
    "keepalives_idle": _integer(0, 32_767),
    "keepalives_interval": _integer(0, 32_767),
    "keepalives_count": _integer(0, 127),
    "tcp_user_timeout": _integer(0, 2**31 - 1),
}

_SWITCH = _one_of(*_TRUE, *_FALSE)

SQLITE_PRAGMAS: Mapping[str, ReadValue] = {
    # Those that set an open connection and weaken no rule of the schema ("PRAGMA Statements" in
    # SQLite's documentation). SQLite itself ignores a name or value that it does not know.
    "analysis_limit": _integer(0, 2**31 - 1),
    "automatic_index": _SWITCH,
    "busy_timeout": _integer(0, 2**31 - 1),
    "cache_size": _integer(-(2**31), 2**31 - 1),
    "cache_spill": lambda text: _SWITCH(text) or _integer(0, 2**31 - 1)(text),
    "cell_size_check": _SWITCH,
    "checkpoint_fullfsync": _SWITCH,
    "foreign_keys": _SWITCH,
    "fullfsync": _SWITCH,
    "hard_heap_limit": _integer(0),
    "journal_mode": _one_of("delete", "truncate", "persist", "memory", "wal", "off"),
    "journal_size_limit": _integer(-1),
    "locking_mode": _one_of("normal", "exclusive"),
    "max_page_count": _integer(1, 2**32 - 2),
    "mmap_size": _integer(-1),
    "query_only": _SWITCH,
    "read_uncommitted": _SWITCH,
    "recursive_triggers": _SWITCH,
    "secure_delete": _one_of(*_TRUE, *_FALSE, "fast"),
    "soft_heap_limit": _integer(0),
    "synchronous": _one_of("off", "normal", "full", "extra", "0", "1", "2", "3"),
    "temp_store": _one_of("default", "file", "memory", "0", "1", "2"),
    "threads": _integer(0, 2**31 - 1),
    "trusted_schema": _SWITCH,
    "wal_autocheckpoint": _integer(-(2**31), 2**31 - 1),
    "install_regexp_functions": _boolean,  # Tortoise's: its filters by regular expressions
}
