"""Parse database URLs, and describe databases in messages.

No part of a password may reach an error, its cause or its context. So no exception contains a part
of the URL, and an ambiguous URL, such as one with an unescaped ``/`` in its password, is rejected
without being repeated.
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
"""Bytes of SQLite's write-ahead log that are kept on disk for reuse."""

SQLITE_DEFAULTS: dict[str, Any] = {
    "journal_mode": "WAL",  # readers and the writer do not block each other
    # Tortoise's 16 KiB truncate the file at each checkpoint; syncing a growing file is slower.
    "journal_size_limit": WAL_SIZE_LIMIT,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": "ON",  # off by default in SQLite; needed to delete memberships with a squad
}

POSTGRES_DEFAULTS: dict[str, Any] = {
    # With a minimum, asyncpg logs each failed attempt while the server is down.
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
    """The reason why a URL is rejected; it contains no secret."""


def database_url() -> str:
    """Return ``DATABASE_URL`` from the environment, or a file in the working directory."""
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
            raise _InvalidUrlError("it must begin with postgres:// or sqlite://")
        return _sqlite_config(rest) if scheme == "sqlite" else _postgres_config(rest)
    except _InvalidUrlError as error:
        reason = str(error)
    # Outside the block above, so that this error has no context.
    raise StorageUnavailableError(f"{_redact(url)} is not a valid database URL: {reason}")


def refused_config(reason: str) -> dict[str, Any]:
    """Return a connection config with which Tortoise fails with this reason when it opens it."""
    return {"engine": __name__, "credentials": {"reason": reason}}


def get_client_class(connection: dict[str, Any]) -> NoReturn:
    """Raise the reason of a `refused_config`, whose engine is this module.

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
    """Return authority, path without its slash, and query of the part after ``://``."""
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    return authority, path, query


def _read_options(query: str) -> list[tuple[str, str]]:
    pairs = (item.partition("=") for item in query.split("&") if item)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _read_value(
    options: Mapping[str, Any], name: str, text: str, kind: str, *, secret: bool = False
) -> Any:
    """Return an option's value in the driver's form.

    Args:
        options: The parser of each option.
        name: The option's name.
        text: Its value in the URL, decoded.
        kind: The word for an option in messages.
        secret: Whether name and text may be parts of a password.

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
    """Return a description for messages: host and database, never the password."""
    credentials = connection["credentials"]
    if "file_path" in credentials:
        return f"the SQLite database {credentials['file_path']}"
    host = credentials.get("host") or "the default host"
    return (
        f"the PostgreSQL database {credentials.get('database') or 'by default'} "
        f"on {host}:{credentials.get('port')}"
    )


def _redact(url: str) -> str:
    """Return the part of an invalid URL that is certainly not a part of a password."""
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
