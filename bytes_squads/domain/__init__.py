"""Rules and values: no database, only the standard library."""
