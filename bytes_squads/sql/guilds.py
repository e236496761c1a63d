"""A guild as a whole, and its people."""

from __future__ import annotations

from .squads import leave_squad
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

_MARK_MEMBER = """
    UPDATE bytes_balances SET left_at = $3::timestamptz, updated_at = $4::timestamptz
    WHERE guild_id = $1::text AND user_id = $2::text
      AND (left_at IS NULL) = ($3::timestamptz IS NOT NULL)
      AND ($3::timestamptz IS NULL OR NOT EXISTS (
          SELECT 1 FROM squad_memberships WHERE guild_id = $1::text AND user_id = $2::text
      ))"""


def _mark_outcome(is_marked: str) -> str:
    return f"""
    SELECT CASE
        WHEN {is_marked} THEN 'done'
        WHEN NOT EXISTS (
            SELECT 1 FROM bytes_balances WHERE guild_id = $1::text AND user_id = $2::text
        ) THEN 'unknown_member'
        WHEN $3::timestamptz IS NOT NULL AND EXISTS (
            SELECT 1 FROM squad_memberships WHERE guild_id = $1::text AND user_id = $2::text
        ) THEN 'in_squad'
        ELSE 'unchanged'
    END AS outcome"""


MARK_MEMBER = Statement(
    f"WITH marked AS ({_MARK_MEMBER} RETURNING id)"
    + _mark_outcome("EXISTS (SELECT 1 FROM marked)"),
    sqlite=(_MARK_MEMBER, _mark_outcome("changes() > 0")),
)
"""Mark a member as gone, or as there again, unless the one who is gone has a seat in a squad.

$1 guild, $2 user, $3 when the member left, or null, $4 wall time.
Outcomes: done, unknown_member, in_squad, unchanged.
"""

GET_MARKED_MEMBER = Statement("""
    SELECT 'done' AS outcome FROM bytes_balances
    WHERE guild_id = $1::text AND user_id = $2::text AND updated_at = $3::timestamptz
""")
"""Find out whether a member was last changed at this wall time. $1 guild, $2 user, $3 wall time."""

LEAVE_GUILD = leave_squad(
    cases="WHEN membership.squad_id IS NULL OR giver.id IS NULL THEN 'not_in_squad'",
    member_marked="""
        UPDATE bytes_balances AS member SET
            left_at = $7::timestamptz, updated_at = $11::timestamptz
        FROM verdict
        WHERE member.guild_id = $2::text AND member.user_id = $3::text
          AND member.left_at IS NULL AND verdict.outcome = 'done'""",
)
"""Give up the seat of a member and mark them as gone. $1 … $11 as in `postings.POST_ENTRY`.

Outcomes: done, repeated, stale, not_in_squad, also of an unknown member.
"""
