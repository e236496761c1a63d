"""Sessions of a PostgreSQL server."""

from __future__ import annotations

from .statement import Statement

GET_SESSION = Statement("""
    SELECT pg_backend_pid() AS pid,
        current_setting('synchronous_standby_names') <> '' AS synchronous
""")
"""Get this session's server process, and whether commits wait for a standby."""

END_BACKEND = Statement("""
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1::int AND pid <> pg_backend_pid()
""")
"""End a server process; no row when there is none. $1 its pid."""

WAIT_FOR_STANDBY = Statement("SELECT pg_logical_emit_message(true, 'bytes_squads', '')")
"""Commit an empty message, and thereby wait until the standby has all that was committed before."""
