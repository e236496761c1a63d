"""Squads and memberships."""

from __future__ import annotations

from .postings import (
    BALANCES,
    KEY_IS_USED,
    MEMBER_IS_UNKNOWN,
    MEMBERS_CHANGED,
    ONE_ROW,
    PARTIES,
    RECORD_ENTRY,
    balance_cases,
    balances_update,
    locked_members_cte,
)
from .statement import Insert, PostingStatement, Statement, row_changed

INSERT_SQUAD = Statement("""
    INSERT INTO squads
        (id, guild_id, role_id, name, description, switch_cost, max_members, is_active,
         created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
    ON CONFLICT (guild_id, role_id) DO NOTHING
    RETURNING *
""")
"""Insert a squad; no row if the role is taken. $1 … $8 in the order of columns, $9 wall time."""

UPDATE_SQUAD = Statement("""
    UPDATE squads SET
        role_id = coalesce($3::text, role_id), name = coalesce($4::text, name),
        description = CASE WHEN $5::boolean THEN $6::text ELSE description END,
        switch_cost = coalesce($7::bigint, switch_cost),
        max_members = CASE WHEN $8::boolean THEN $9::int ELSE max_members END,
        is_active = coalesce($10::boolean, is_active), updated_at = $11::timestamptz
    WHERE guild_id = $1::text AND id = $2::uuid
    RETURNING *
""")
"""Update columns of a squad; null keeps a column.

$1 guild, $2 squad, $3 role, $4 name, $5 whether $6 description is given, $7 switch cost, $8 whether
$9 max_members is given, $10 is_active, $11 wall time.
"""

DELETE_SQUAD = Statement("""
    DELETE FROM squads WHERE guild_id = $1::text AND id = $2::uuid RETURNING id
""")
"""Delete a squad; the foreign key deletes its memberships. $1 guild, $2 squad."""

GET_SQUAD = Statement("SELECT * FROM squads WHERE guild_id = $1::text AND id = $2::uuid")
"""Get a squad. $1 guild, $2 squad."""

GET_SAVED_SQUAD = Statement("""
    SELECT * FROM squads
    WHERE guild_id = $1::text AND id = $2::uuid AND updated_at = $3::timestamptz
""")
"""Get a squad if it was last saved at this wall time. $1 guild, $2 squad, $3 wall time."""

GET_MEMBER_SQUAD = Statement("""
    SELECT * FROM squads WHERE guild_id = $1::text AND id = (
        SELECT squad_id FROM squad_memberships WHERE guild_id = $1::text AND user_id = $2::text
    )
""")
"""Get a member's squad. $1 guild, $2 user."""

GET_MEMBERSHIP = Statement("""
    SELECT * FROM squad_memberships WHERE guild_id = $1::text AND user_id = $2::text
""")
"""Get a member's membership. $1 guild, $2 user."""

LIST_MEMBERSHIPS = Statement("""
    SELECT member.* FROM squads AS squad
    LEFT JOIN squad_memberships AS member
        ON member.guild_id = $1::text AND member.squad_id = squad.id
    WHERE squad.guild_id = $1::text AND squad.id = $2::uuid
    ORDER BY member.joined_at, member.id
""")
"""List a squad's memberships, oldest first; one row of nulls for an empty squad.

$1 guild, $2 squad.
"""

LIST_SQUADS = Statement("""
    SELECT squads.*, (
        SELECT count(*) FROM squad_memberships AS member
        WHERE member.guild_id = $1::text AND member.squad_id = squads.id
    ) AS member_count
    FROM squads
    WHERE guild_id = $1::text AND (is_active OR NOT $2::boolean)
    ORDER BY name COLLATE "C", id
""")
"""List a guild's squads with member counts. $1 guild, $2 whether only active squads."""

# A full join is never a comparison of each seat with each member, whatever the planner's statistics
# say, and costs a third of a look-up for each seat. Members without a seat get no squad.
SQUAD_LEADERBOARD = Statement(
    """
    WITH standing AS (
        SELECT squad_id, count(*) AS member_count,
            (coalesce(sum(balance >> 32), 0)
                + (coalesce(sum(balance & 4294967295), 0)::bigint >> 32))::bigint AS high,
            coalesce(sum(balance & 4294967295), 0)::bigint & 4294967295 AS low
        FROM (
            SELECT squad_id, user_id FROM squad_memberships WHERE guild_id = $1::text
        ) AS member FULL JOIN (
            SELECT user_id, balance, left_at FROM bytes_balances WHERE guild_id = $1::text
        ) AS owner ON owner.user_id = member.user_id
        WHERE owner.left_at IS NULL
        GROUP BY squad_id
    )
    SELECT squads.*, coalesce(member_count, 0) AS member_count,
        coalesce(high, 0) AS total_high, coalesce(low, 0) AS total_low
    FROM squads LEFT JOIN standing ON standing.squad_id = squads.id
    WHERE squads.guild_id = $1::text AND squads.is_active
    ORDER BY total_high DESC, total_low DESC, name COLLATE "C", squads.id
    LIMIT $2::int
    """,
    {"FULL JOIN": "LEFT JOIN"},
)
"""List the active squads by the total balance of their members, without those who left.

$1 guild, $2 limit.
"""

_MEMBERSHIP = "FROM squad_memberships WHERE guild_id = $2::text AND user_id = $3::text"

_LOCK_SQUAD = """
    squad AS MATERIALIZED (
        SELECT ctid AS version, name, switch_cost, max_members, is_active
        FROM squads WHERE guild_id = $2::text AND id = $12::uuid FOR UPDATE
    )"""

_LOCK_MEMBERSHIP = f"""
    membership AS MATERIALIZED (
        SELECT ctid AS version, id, squad_id {_MEMBERSHIP}
          AND (SELECT count(*) FROM locked) >= 0
        FOR UPDATE
    )"""

_MEMBERSHIP_CHANGED = row_changed("membership", "squad_memberships")

_SEATS_TAKEN = """(
            SELECT count(*) FROM squad_memberships
            WHERE guild_id = $2::text AND squad_id = $12::uuid
        )"""


def _membership_posting(
    action: str,
    cases: str,
    *,
    update: str | None = None,
    insert: Insert | None = None,
) -> PostingStatement:
    """Return the statement that pays for a membership and saves it.

    Members are counted in the statement's snapshot. Each new member of a squad with limited size
    also updates the squad's row, and the outcome is ``stale`` if the locked row is newer than the
    snapshot. So of two members who take the last place, the second counts again.

    Args:
        action: ``join`` or ``switch``.
        cases: The refusals that depend on the member's current squad.
        update: The statement that updates the membership.
        insert: The statement that inserts the membership.
    """
    return PostingStatement(
        locks=f"{_LOCK_SQUAD}, {locked_members_cte(after='squad')}, {_LOCK_MEMBERSHIP}",
        source=f"{ONE_ROW} LEFT JOIN squad ON true LEFT JOIN membership ON true {PARTIES}",
        repeated=KEY_IS_USED,
        cases=f"""
        WHEN squad.is_active IS NULL THEN 'squad_not_found'
        WHEN NOT squad.is_active THEN 'squad_inactive'
        {cases}
        WHEN squad.max_members IS NOT NULL AND {row_changed("squad", "squads")} THEN 'stale'
        WHEN squad.max_members IS NOT NULL AND {_SEATS_TAKEN} >= squad.max_members
            THEN 'squad_full'
        {MEMBER_IS_UNKNOWN}
        {balance_cases("squad.switch_cost")}""",
        amount="squad.switch_cost",
        reason="squad.name",
        details=f"""'{{"action":"{action}","squad_id":"' || $12::uuid::text || '"}}'""",
        numbers={
            **BALANCES,
            "squad_id": "$12::uuid::text",
            "user_id": "$3::text",
            "max_members": "squad.max_members",
            "current_squad_id": "membership.squad_id::text",
        },
        changes={
            "balances_updated": balances_update(only="AND verdict.amount > 0"),
            **({"membership_updated": update} if update else {}),
            "squad_touched": """
        UPDATE squads SET max_members = squads.max_members FROM verdict
        WHERE squads.guild_id = $2::text AND squads.id = $12::uuid
          AND squads.max_members IS NOT NULL AND verdict.outcome = 'done'""",
        },
        inserts={**({"membership_inserted": insert} if insert else {}), **RECORD_ENTRY},
        changed=f"({row_changed('squad', 'squads')} OR {_MEMBERSHIP_CHANGED} OR {MEMBERS_CHANGED})",
        answer=", (SELECT membership_id FROM membership_updated) AS membership_id"
        if update
        else "",
    )


JOIN_SQUAD = _membership_posting(
    "join",
    "WHEN membership.squad_id IS NOT NULL THEN 'already_in_squad'",
    insert=Insert(
        "squad_memberships (guild_id, user_id, squad_id, joined_at)",
        "$2::text, $3::text, $12::uuid, $7::timestamptz",
        returning="RETURNING id AS membership_id",
    ),
)
"""Join a squad for its switch cost. $1 … $11 as in `postings.POST_ENTRY`, $12 squad.

Outcomes: done, repeated, stale, squad_not_found, squad_inactive, already_in_squad, squad_full,
unknown_member, insufficient_balance.
"""

SWITCH_SQUAD = _membership_posting(
    "switch",
    """
        WHEN membership.squad_id IS NULL THEN 'not_in_squad'
        WHEN membership.squad_id = $12::uuid THEN 'already_in_squad'""",
    update="""
        UPDATE squad_memberships AS target SET squad_id = $12::uuid, joined_at = $7::timestamptz
        FROM verdict
        WHERE target.guild_id = $2::text AND target.user_id = $3::text AND verdict.outcome = 'done'
        RETURNING id AS membership_id""",
)
"""Switch to another squad for its switch cost. Parameters and outcomes as in `JOIN_SQUAD`, and
not_in_squad."""


def leave_posting(*, cases: str, **changes: str) -> PostingStatement:
    """Return the statement that gives up a member's seat.

    Args:
        cases: The refusals.
        changes: Further UPDATE statements, by CTE name.
    """
    return PostingStatement(
        locks=f"{locked_members_cte()}, {_LOCK_MEMBERSHIP}",
        source=f"{ONE_ROW} LEFT JOIN membership ON true {PARTIES}",
        repeated=KEY_IS_USED,
        cases=cases,
        amount="0::bigint",
        reason="NULL::text",
        details="""'{"action":"leave","squad_id":"' || membership.squad_id::text || '"}'""",
        numbers={"user_id": "$3::text"},
        changes={
            "membership_deleted": """
        DELETE FROM squad_memberships
        WHERE guild_id = $2::text AND user_id = $3::text
          AND (SELECT outcome FROM verdict) = 'done'""",
            **changes,
        },
        inserts=RECORD_ENTRY,
        changed=_MEMBERSHIP_CHANGED,
    )


LEAVE_SQUAD = leave_posting(
    cases=f"WHEN membership.squad_id IS NULL THEN 'not_in_squad' {MEMBER_IS_UNKNOWN}"
)
"""Leave the current squad. $1 … $10 as in `postings.POST_ENTRY`.

Outcomes: done, repeated, stale, not_in_squad, unknown_member.
"""
