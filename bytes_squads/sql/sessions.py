"""Server processes of PostgreSQL."""

from __future__ import annotations

from .statement import Statement

GET_SESSION = Statement("""
    SELECT pg_backend_pid() AS pid,
        current_setting('synchronous_standby_names') <> '' AS synchronous
""")
"""Get this session's process id, and whether commits wait for a standby."""

END_BACKEND = Statement("""
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1::int AND pid <> pg_backend_pid()
""")
"""Terminate a server process; no row if it does not exist. $1 process id."""

WAIT_FOR_STANDBY = Statement("SELECT pg_logical_emit_message(true, 'bytes_squads', '')")
"""Commit an empty message, which waits until the standby has all earlier commits."""
