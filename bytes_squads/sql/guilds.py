"""A guild as a whole, and its people."""

from __future__ import annotations

from .statement import Statement

_SQUAD_ROLES = "SELECT string_agg(role_id, ' ') FROM squads WHERE guild_id = $1::text"

GET_ROLES = Statement(
    f"""
    SELECT
        (SELECT total_received FROM bytes_balances
         WHERE guild_id = $1::text AND user_id = $2::text) AS total_received,
        (SELECT role_rewards FROM bytes_configs WHERE guild_id = $1::text) AS role_rewards,
        ({_SQUAD_ROLES}) AS squad_roles,
        ({_SQUAD_ROLES} AND id = (
            SELECT squad_id FROM squad_memberships
            WHERE guild_id = $1::text AND user_id = $2::text
        )) AS own_squad_role
    """,
    {"string_agg": "group_concat"},
)
"""Get the roles that a guild gives, and what a member's roles depend on, in one row.

Null without such a member, config or squad. The roles of squads are separated by spaces.
$1 guild, $2 user.
"""
