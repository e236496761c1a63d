"""What tells, after a broken COMMIT, whether an operation happened."""

from __future__ import annotations

from ..sql.statement import Statement

BACKEND_RUNS = Statement("""
    SELECT pid FROM pg_stat_activity
    WHERE pid = $1::int AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'
""")
"""Whether a server process is still at work (PostgreSQL only). $1 its pid."""

LEDGER_ROW_EXISTS = Statement("""
    SELECT 1 AS found FROM bytes_transactions WHERE guild_id = $1 AND id = $2
""")
"""The trace of an operation that moves bytes. $1 guild, $2 id."""

MEMBER_EXISTS = Statement("""
    SELECT 1 AS found FROM bytes_balances WHERE guild_id = $1 AND user_id = $2
""")

CLAIMED = Statement("""
    SELECT 1 AS found FROM bytes_balances
    WHERE guild_id = $1 AND user_id = $2 AND updated_at = $3
""")

CONFIG_CHANGED = Statement("""
    SELECT 1 AS found FROM bytes_configs WHERE guild_id = $1 AND updated_at = $2
""")

SQUAD_CHANGED = Statement("""
    SELECT 1 AS found FROM squads WHERE guild_id = $1 AND id = $2 AND updated_at = $3
""")

SQUAD_GONE = Statement("""
    SELECT 1 AS found WHERE NOT EXISTS (SELECT 1 FROM squads WHERE guild_id = $1 AND id = $2)
""")

SEATED = Statement("""
    SELECT 1 AS found FROM squad_memberships
    WHERE guild_id = $1 AND user_id = $2 AND squad_id = $3 AND joined_at = $4
""")

SEAT_GONE = Statement("""
    SELECT 1 AS found WHERE NOT EXISTS (
        SELECT 1 FROM squad_memberships WHERE guild_id = $1 AND id = $2
    )
""")
