"""The options of a database URL, each with a function that parses its value.

The function returns None for an invalid value. It does not raise, because an exception's context
would contain a part of the URL.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

ParseValue = Callable[[str], Any]

_TRUE, _FALSE = ("1", "on", "yes", "true"), ("0", "off", "no", "false")


def _text(text: str) -> str | None:
    return text or None


def _integer(low: int, high: int = 2**63 - 1) -> ParseValue:
    """Return a parser of whole numbers.

    Args:
        low: The smallest valid number.
        high: The largest valid number.
    """

    def parse(text: str) -> int | None:
        valid = re.fullmatch("-?[0-9]{1,19}", text) and low <= int(text) <= high
        return int(text) if valid else None

    return parse


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None


def _one_of(*names: str) -> ParseValue:
    """Return a parser of names, case-insensitive."""
    return lambda text: text.casefold() if text.casefold() in names else None


def _hosts(text: str) -> list[str] | None:
    """Parse libpq's list of hosts, whose ports are in a separate option."""
    hosts = [host.removeprefix("[").removesuffix("]") for host in text.split(",")]
    return hosts if all(host and _is_host(host) for host in hosts) else None


def _is_host(text: str) -> bool:
    if text.startswith("/") or ":" not in text:
        return True
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _ports(text: str) -> list[int] | None:
    ports = [_integer(1, 2**16 - 1)(port) for port in text.split(",")]
    return None if None in ports else ports


def _boolean(text: str) -> bool | None:
    return None if text.casefold() not in _TRUE + _FALSE else text.casefold() in _TRUE


_SSL_MODES = _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

POSTGRES_OPTIONS: Mapping[str, ParseValue] = {
    "host": _hosts,
    "port": _ports,
    "target_session_attrs": _one_of(
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby"
    ),
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

SQLITE_PRAGMAS: Mapping[str, ParseValue] = {
    # Pragmas of an open connection that do not weaken the schema's constraints ("PRAGMA Statements"
    # in SQLite's documentation). SQLite ignores unknown names and values.
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
    "install_regexp_functions": _boolean,  # Tortoise's, for regex filters
}
