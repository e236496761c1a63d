"""Squads, and who is in them."""

from __future__ import annotations

from .movements import KEY_LOCKED
from .statement import Statement

FOUND = Statement("""
    INSERT INTO squads
        (id, guild_id, role_id, name, description, switch_cost, max_members, is_active,
         created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
    ON CONFLICT (guild_id, role_id) DO NOTHING
    RETURNING id
""")
"""A new squad; no row when the role is taken. $9 wall time, the rest in the order of columns."""

OPEN = Statement(
    f"""
    SELECT * FROM squads
    WHERE {KEY_LOCKED} AND guild_id = $1::text AND id = $2::uuid
    FOR UPDATE
    """,
    {KEY_LOCKED: "true"},
)
"""A squad, its row locked: until the end nobody else takes a place or changes it.

The key, when there is one, is locked before that: see `KEY_LOCK`. $1 guild, $2 squad, $3 key.
"""

SEAT = Statement("""
    INSERT INTO squad_memberships (guild_id, user_id, squad_id, joined_at, idempotency_key)
    SELECT $1::text, $2::text, $3::uuid, $4::timestamptz, $5::text
    WHERE $6::int IS NULL OR $6::int > (
        SELECT count(*) FROM squad_memberships WHERE guild_id = $1::text AND squad_id = $3::uuid
    )
    ON CONFLICT (guild_id, user_id) DO NOTHING
    RETURNING *
""")
"""A place in a squad whose row is locked; no row when it is full or the member is in a squad.

$1 guild, $2 user, $3 squad, $4 clock, $5 key of a free joining, $6 places, null for no limit.
"""

RESEAT = Statement("""
    UPDATE squad_memberships SET squad_id = $3::uuid, joined_at = $4, idempotency_key = $5
    WHERE guild_id = $1 AND user_id = $2 AND squad_id <> $3::uuid
      AND ($6::int IS NULL OR $6::int > (
        SELECT count(*) FROM squad_memberships WHERE guild_id = $1 AND squad_id = $3::uuid
      ))
    RETURNING *
""")
"""A place in another squad whose row is locked; no row when it is full or the member's own.

The placeholders are those of `SEAT`.
"""

SQUADS = Statement("""
    SELECT squads.*, (
        SELECT count(*) FROM squad_memberships AS member
        WHERE member.guild_id = squads.guild_id AND member.squad_id = squads.id
    ) AS member_count
    FROM squads
    WHERE guild_id = $1 AND (is_active OR NOT $2::boolean)
    ORDER BY name COLLATE "C", id
""")
"""A guild's squads with their members counted. $1 guild, $2 whether only active ones."""

STANDINGS = Statement("""
    SELECT squads.*, standing.member_count, standing.total_high, standing.total_low
    FROM squads JOIN (
        SELECT squad.id,
            count(member.user_id) AS member_count,
            (coalesce(sum(has.balance >> 32), 0)
                + (coalesce(sum(has.balance & 4294967295), 0)::bigint >> 32))::bigint AS total_high,
            coalesce(sum(has.balance & 4294967295), 0)::bigint & 4294967295 AS total_low
        FROM squads AS squad
        LEFT JOIN squad_memberships AS member
            ON member.guild_id = squad.guild_id AND member.squad_id = squad.id
        LEFT JOIN bytes_balances AS has
            ON has.guild_id = member.guild_id AND has.user_id = member.user_id
        WHERE squad.guild_id = $1 AND squad.is_active
        GROUP BY squad.id
    ) AS standing ON standing.id = squads.id
    WHERE squads.guild_id = $1
    ORDER BY total_high DESC, total_low DESC, name COLLATE "C", squads.id
    LIMIT $2::int
""")
"""The active squads by what their members have together. $1 guild, $2 limit."""
