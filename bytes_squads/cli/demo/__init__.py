"""The demo: two weeks of a guild, played by the operations."""
