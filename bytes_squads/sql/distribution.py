"""Citus: find out whether the tables are distributed, and distribute them."""

from __future__ import annotations

from .statement import Statement

TABLES = ("squads", "bytes_balances", "squad_memberships", "bytes_configs", "bytes_transactions")
"""The tables, in the order in which operations lock them; a referenced table precedes others."""

FIND_CITUS = Statement("""
    SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS version
""")
"""Get the version of the extension Citus, or null."""

IS_COORDINATOR = Statement("SELECT citus_is_coordinator() AS is_coordinator")
"""Get whether this server is Citus's coordinator."""

LIST_DISTRIBUTED = Statement("""
    SELECT relname FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid
    WHERE logicalrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
      AND partmethod = 'h'
""")
"""List those of some tables that are distributed; only with Citus. $1 names."""

GET_DISTRIBUTION = Statement("""
    SELECT count(DISTINCT shard.shardid) AS shards, count(DISTINCT placement.groupid) AS nodes
    FROM pg_dist_shard AS shard JOIN pg_dist_placement AS placement USING (shardid)
    WHERE shard.logicalrelid = to_regclass($1::text)
""")
"""Get into how many shards a distributed table is divided, and on how many nodes. $1 name."""

COUNT_ROWS = "SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
"""Count the rows of all guilds."""

BEGIN_DISTRIBUTION = (
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL client_min_messages = debug1",  # counts the rows that were moved
    # Foreign keys between distributed tables.
    "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
    # The ledger's trigger reads no other row, so it is the same on each node.
    "SET LOCAL citus.enable_unsafe_triggers = on",
    # Operations in progress finish; a second distribution waits for the first.
    f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE",
)

DISTRIBUTE_TABLE = """
    SELECT create_distributed_table(
        $1::regclass, 'guild_id', colocate_with => $2::text, shard_count => $3::int
    )
"""
"""Distribute a table and copy its rows. $1 table, $2 the table to place it beside, or ``none`` and
then $3 number of shards, null for the server's default."""

DELETE_LOCAL_COPY = "SELECT truncate_local_data_after_distributing_table($1::regclass)"
"""Delete the rows that the coordinator keeps of a distributed table. $1 table."""
