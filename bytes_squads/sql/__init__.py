"""Hand-written SQL statements, each with a name and bound parameters."""
