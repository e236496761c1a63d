"""Move a guild from one database to another as JSON Lines."""
