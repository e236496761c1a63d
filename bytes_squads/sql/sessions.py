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

GET_NODE = Statement("""
    SELECT citus_calculate_gpid(citus_nodeid_for_gpid(citus_backend_gpid()), $1::int) AS global_pid,
        (SELECT groupid FROM pg_dist_local_group) AS group_id,
        has_function_privilege('recover_prepared_transactions()', 'execute') AS may_recover
""")
"""Get the global process id of a session on this node of Citus, the node's group, and whether this
role may recover prepared transactions. $1 process id."""

RUN_ON_WORKERS = Statement("SELECT success, result FROM run_command_on_workers($1::text)")
"""Execute a command on each worker of Citus, each in its own transaction. $1 command."""

RECOVER_PREPARED = Statement("SELECT recover_prepared_transactions()")
"""Commit or roll back what a broken two-phase commit has left prepared on the workers."""


def end_worker_backends(global_pid: int, group_id: int, pid: int) -> str:
    """Return the command that ends a worker's processes of a session of Citus.

    It counts those, and the transactions of the session that are prepared on the worker.

    Args:
        global_pid: The global process id of the session.
        group_id: The group of the node with the session.
        pid: The process id of the session on its node.
    """
    return f"""
        SELECT (
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'citus_internal gpid={global_pid:d}'
        ) + (
            SELECT count(*) FROM pg_prepared_xacts
            WHERE database = current_database()
              AND starts_with(gid, 'citus_{group_id:d}_{pid:d}_')
        )"""


WAIT_FOR_STANDBY = Statement("SELECT pg_logical_emit_message(true, 'bytes_squads', '')")
"""Commit an empty message, which waits until the standby has all earlier commits."""
