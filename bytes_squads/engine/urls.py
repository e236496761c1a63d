"""Database URLs: what their parts and options mean, and how a message names a database.

The parser is written for one promise: no piece of a password reaches an error, its cause or its
context. So it raises nothing that holds a piece of the URL, and a URL whose parts are ambiguous,
such as one with an unescaped ``/`` in its password, is refused without being repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn
from urllib.parse import unquote

from tortoise.backends.base.config_generator import DB_LOOKUP

from ..domain.errors import StorageUnavailableError
from .connections import reset_connection
from .keepalives import set_keepalives
from .url_options import POSTGRES_OPTIONS, SQLITE_PRAGMAS

DEFAULT_URL = "sqlite://bytes_squads.db"

BUSY_TIMEOUT_MS = 5_000
"""Milliseconds that a SQLite statement waits for another process's write lock."""

WAL_SIZE_LIMIT = 16 * 2**20
"""Bytes of SQLite's write-ahead log that stay on disk to be overwritten."""

SQLITE_DEFAULTS: dict[str, Any] = {
    "journal_mode": "WAL",  # readers do not block the writer, nor the writer them
    # Tortoise's 16 KiB truncate the file after each checkpoint; syncing a growing file costs more.
    "journal_size_limit": WAL_SIZE_LIMIT,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": "ON",  # off by default in SQLite: deleting a squad would keep its members
}

POSTGRES_DEFAULTS: dict[str, Any] = {
    # With connections kept from the start, asyncpg logs each failed attempt while a server is away.
    "minsize": 0,
    "maxsize": 10,
    "timeout": 10.0,  # seconds to connect
    "command_timeout": 30.0,  # seconds for one statement
    "application_name": "bytes_squads",
    "keepalives": 1,
    "keepalives_idle": 15,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds, as in libpq
}

_LIBPQ_NAMES = {"connect_timeout": "timeout", "sslmode": "ssl"}
_KEEPALIVES = {
    "keepalives": "enabled",
    "keepalives_idle": "idle",
    "keepalives_interval": "interval",
    "keepalives_count": "count",
    "tcp_user_timeout": "user_timeout",
}
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPE = "percent-encode the characters / ? # @ in its parts"


class _InvalidUrlError(Exception):
    """The reason why a URL is refused; it holds nothing that may be secret."""


def database_url() -> str:
    """Return the URL of the environment variable ``DATABASE_URL``, or a file in this folder."""
    return os.environ.get("DATABASE_URL") or DEFAULT_URL


def connection_config(url: str) -> dict[str, Any]:
    """Return Tortoise's connection config for a database URL, with this package's defaults.

    Args:
        url: ``postgres://`` or ``postgresql://`` with user, password, host, port, database and
            options (``minsize``, ``maxsize``, ``sslmode``, ``command_timeout``, …); or
            ``sqlite://`` with a path, whose options are pragmas. The characters ``/ ? # @`` in a
            name or password are percent-encoded.

    Raises:
        StorageUnavailableError: The URL does not have one of these forms, or an option or its
            value is unknown.
    """
    scheme, separator, rest = url.partition("://")
    try:
        if not separator or scheme not in ("postgres", "postgresql", "sqlite"):
            raise _InvalidUrlError("it has to begin with postgres:// or sqlite://")
        return _sqlite_config(rest) if scheme == "sqlite" else _postgres_config(rest)
    except _InvalidUrlError as error:
        reason = str(error)
    # Outside of the block above, so that this error has no context.
    raise StorageUnavailableError(f"{_redact(url)} is not a valid database URL: {reason}")


def refused_config(reason: str) -> dict[str, Any]:
    """Return a connection config that Tortoise refuses with this reason when it opens it."""
    return {"engine": __name__, "credentials": {"reason": reason}}


def get_client_class(connection: dict[str, Any]) -> NoReturn:
    """Refuse a `refused_config`, whose engine this module is.

    Raises:
        StorageUnavailableError: Always.
    """
    raise StorageUnavailableError(connection["credentials"]["reason"])


def _sqlite_config(rest: str) -> dict[str, Any]:
    path, _, query = rest.partition("?")
    if not path:
        raise _InvalidUrlError("it names no file")
    given = dict(_read_options(query))
    pragmas = {
        name: _read_value(SQLITE_PRAGMAS, name, value, "pragma") for name, value in given.items()
    }
    return {
        "engine": "tortoise.backends.sqlite",
        "credentials": {**SQLITE_DEFAULTS, **pragmas, "file_path": path},
    }


def _postgres_config(rest: str) -> dict[str, Any]:
    if "#" in rest:
        raise _InvalidUrlError(_ESCAPE)
    authority, path, query = _split(rest)
    if "@" in path or "@" in query:
        raise _InvalidUrlError(_ESCAPE)
    login, _, server = authority.rpartition("@")
    user, _, password = login.partition(":")
    address = _HOST.fullmatch(server)
    if address is None or not 0 < int(address["port"] or 5432) < 2**16:
        raise _InvalidUrlError("its host or port is invalid")
    parts = {
        "user": unquote(user) or None,
        "password": unquote(password) or None,
        "host": unquote(address["host"].strip("[]")) or None,
        "port": int(address["port"] or 5432),
        "database": unquote(path) or None,
    }
    options = _read_options(query)
    secret = any(name == "password" for name, _ in options)
    for name, text in options:
        if name != "channel_binding":  # libpq's; asyncpg decides for itself
            value = _read_value(POSTGRES_OPTIONS, name, text, "option", secret=secret)
            parts[_LIBPQ_NAMES.get(name, name)] = value
    if any(isinstance(value, str) and _UNSTORABLE.search(value) for value in parts.values()):
        raise _InvalidUrlError("a part of it is not valid text")
    credentials = POSTGRES_DEFAULTS | parts
    keepalives = {name: credentials.pop(option) for option, name in _KEEPALIVES.items()}
    hooks = {"reset": reset_connection, "init": partial(set_keepalives, **keepalives)}
    return {"engine": "tortoise.backends.asyncpg", "credentials": credentials | hooks}


def _split(rest: str) -> tuple[str, str, str]:
    """Return authority, path without its slash, and query of what follows ``://``."""
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    return authority, path, query


def _read_options(query: str) -> list[tuple[str, str]]:
    pairs = (item.partition("=") for item in query.split("&") if item)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _read_value(
    options: Mapping[str, Any], name: str, text: str, kind: str, *, secret: bool = False
) -> Any:
    """Return an option's value as its driver takes it.

    Args:
        options: The parser of each option.
        name: The option's name.
        text: Its value in the URL, decoded.
        kind: What the option is called in a message.
        secret: Whether name and text may be pieces of a password.

    Raises:
        _InvalidUrlError: The option or its value is unknown.
    """
    if name not in options:
        shown = "a name in its query" if secret else repr(name)
        raise _InvalidUrlError(f"{shown} is not a known {kind}")
    value = options[name](text)
    if value is None:
        shown = "" if secret else f" {text!r}"
        raise _InvalidUrlError(f"{name} does not take the value{shown}")
    return value


def describe_database(connection: dict[str, Any]) -> str:
    """Return how a message names a database: with host and database, never with the password."""
    credentials = connection["credentials"]
    if "file_path" in credentials:
        return f"the SQLite database {credentials['file_path']}"
    host = credentials.get("host") or "the default host"
    return (
        f"the PostgreSQL database {credentials.get('database') or 'by default'} "
        f"on {host}:{credentials.get('port')}"
    )


def _redact(url: str) -> str:
    """Return what of a refused URL is certainly not a piece of a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.casefold() not in DB_LOOKUP:
        return "the URL given"
    if scheme == "sqlite":  # a path and pragmas, no password
        return url.partition("?")[0]
    authority, path, query = _split(rest)
    login, _, server = authority.rpartition("@")
    ambiguous = "#" in rest or "@" in path or "@" in query
    if ambiguous or (not login and not _HOST.fullmatch(server)):
        return f"{scheme}://…"
    return f"{scheme}://{server}{'/' if path else ''}{path}"
