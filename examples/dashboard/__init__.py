"""A dashboard for a guild's moderators: read-only pages about bytes, members and squads."""
