"""The state of a database: its server's version, and the rules that it enforces."""

from __future__ import annotations

from .statement import Statement

GET_VERSION = Statement(
    "SELECT current_setting('server_version') AS version",
    {"current_setting('server_version')": "sqlite_version()"},
)
"""Get the version of the server, or of SQLite."""

_TABLES = "('squads', 'bytes_balances', 'squad_memberships', 'bytes_configs', 'bytes_transactions')"

LIST_RULES = Statement(
    f"""
    SELECT conname AS rule FROM pg_constraint
    WHERE contype = 'c' AND convalidated AND conrelid IN (
        SELECT to_regclass(name) FROM unnest(ARRAY[{_TABLES[1:-1]}]) AS name
    )
    UNION ALL
    SELECT tgname FROM pg_trigger
    WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid IN (
        SELECT to_regclass(name) FROM unnest(ARRAY[{_TABLES[1:-1]}]) AS name
    )
    """,
    sqlite=(f"SELECT sql AS rule FROM sqlite_master WHERE tbl_name IN {_TABLES}",),
)
"""List the checks and triggers that are in force: their names, on SQLite the texts with them."""
