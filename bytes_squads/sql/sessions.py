"""Server processes of PostgreSQL."""

from __future__ import annotations

from .statement import Statement

GET_SERVER = Statement("""
    SELECT pg_backend_pid() AS pid,
        (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())) AS started,
        (SELECT system_identifier FROM pg_control_system()) AS system,
        CASE WHEN NOT pg_is_in_recovery() THEN
            ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
        END AS timeline
""")
"""Get this session's process, the cluster's identifier, and a primary's timeline."""

GET_SESSION = Statement("""
    SELECT pg_backend_pid() AS pid,
        current_setting('synchronous_standby_names') <> '' AS synchronous
""")
"""Get this session's process id, and whether commits wait for a standby."""

END_BACKEND = Statement("""
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1::int AND pid <> pg_backend_pid()
        AND backend_start = coalesce($2::timestamptz, backend_start)
""")
"""Terminate a server process; no row if it does not exist.

$1 process id, $2 when it began; null if unknown.
"""

WAIT_FOR_STANDBY = Statement("SELECT pg_logical_emit_message(true, 'bytes_squads', '')")
"""Commit an empty message, which waits until the standby has all earlier commits."""
