"""Parse database URLs, and describe databases in messages.

No part of a password may reach an error, its cause or its context. So no exception contains a part
of the URL, and an ambiguous URL, such as one with an unescaped ``/`` in its password, is rejected
without being repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import unquote

from tortoise.backends.base.config_generator import DB_LOOKUP

from ..domain.errors import StorageUnavailableError
from .connections import reset_connection
from .servers import Address, ServerConnector
from .url_options import POSTGRES_OPTIONS, SQLITE_PRAGMAS

DEFAULT_URL = "sqlite://bytes_squads.db"

DEFAULT_PORT = 5432

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
        url: ``postgres://`` or ``postgresql://`` with user, password, hosts with ports, database
            and options (``minsize``, ``maxsize``, ``sslmode``, ``target_session_attrs``, …); or
            ``sqlite://`` with a path, whose options are pragmas. Several hosts are separated by
            commas. The characters ``/ ? # @`` in a name or password are percent-encoded.

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
    authority, path, query = _split_url(rest)
    if "@" in path or "@" in query:
        raise _InvalidUrlError(_ESCAPE)
    login, _, server = authority.rpartition("@")
    user, _, password = login.partition(":")
    hosts, ports = _read_servers(server)
    parts: dict[str, Any] = {
        "user": unquote(user) or None,
        "password": unquote(password) or None,
        "host": hosts,
        "port": ports,
        "database": unquote(path) or None,
        "target_session_attrs": None,
    }
    options = _read_options(query)
    secret = any(name == "password" for name, _ in options)
    for name, text in options:
        if name != "channel_binding":  # libpq's; asyncpg decides for itself
            value = _read_value(POSTGRES_OPTIONS, name, text, "option", secret=secret)
            parts[_LIBPQ_NAMES.get(name, name)] = value
    addresses = _pair(parts["host"], parts["port"])
    texts = [*parts.values(), *(address.host for address in addresses)]
    if any(isinstance(text, str) and _UNSTORABLE.search(text) for text in texts):
        raise _InvalidUrlError("a part of it is not valid text")
    credentials = POSTGRES_DEFAULTS | parts
    keepalives = {name: credentials.pop(option) for option, name in _KEEPALIVES.items()}
    connector = ServerConnector(addresses, credentials.pop("target_session_attrs"), keepalives)
    # Tortoise takes one host; the connector, which asyncpg's pool calls, has them all.
    credentials |= {"host": addresses[0].host, "port": addresses[0].port}
    credentials |= {"connect": connector, "reset": reset_connection}
    return {"engine": "tortoise.backends.asyncpg", "credentials": credentials}


def _read_servers(text: str) -> tuple[list[str | None], list[int]]:
    """Return the hosts and ports of a URL's server part."""
    servers = text.split(",")
    matches = [match for server in servers if (match := _HOST.fullmatch(server))]
    hosts = [unquote(match["host"].strip("[]")) or None for match in matches]
    ports = [int(match["port"] or DEFAULT_PORT) for match in matches]
    if len(matches) < len(servers) or not all(0 < port < 2**16 for port in ports):
        raise _InvalidUrlError("its host or port is invalid")
    if None in hosts and len(hosts) > 1:
        raise _InvalidUrlError("one of its hosts is empty")
    return hosts, ports


def _pair(hosts: Sequence[str | None], ports: Sequence[int]) -> list[Address]:
    """Return the addresses; one port holds for all hosts."""
    if len(ports) == 1:
        ports = list(ports) * len(hosts)
    if len(ports) != len(hosts):
        raise _InvalidUrlError(f"it has {len(hosts)} hosts and {len(ports)} ports")
    return [Address(host, port) for host, port in zip(hosts, ports, strict=True)]


def _split_url(rest: str) -> tuple[str, str, str]:
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
    """Return a description for messages: hosts and database, never the password."""
    credentials = connection["credentials"]
    if "file_path" in credentials:
        return f"the SQLite database {credentials['file_path']}"
    servers = ", ".join(str(address) for address in credentials["connect"].addresses)
    return f"the PostgreSQL database {credentials.get('database') or 'by default'} on {servers}"


def _redact(url: str) -> str:
    """Return the part of an invalid URL that is certainly not a part of a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.casefold() not in DB_LOOKUP:
        return "the URL given"
    if scheme == "sqlite":  # a path and pragmas, no password
        return url.partition("?")[0]
    authority, path, query = _split_url(rest)
    login, _, server = authority.rpartition("@")
    ambiguous = "#" in rest or "@" in path or "@" in query
    if ambiguous or (not login and not all(map(_HOST.fullmatch, server.split(",")))):
        return f"{scheme}://…"
    return f"{scheme}://{server}{'/' if path else ''}{path}"
