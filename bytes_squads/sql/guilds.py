"""A guild as a whole, and its people."""

from __future__ import annotations

from .queries import sum_halves
from .squads import leave_posting
from .statement import Statement

_SQUAD_ROLES = "SELECT string_agg(role_id, ' ') FROM squads WHERE guild_id = $1::text"

GET_ROLE_STATE = Statement(
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


def _select_mark_outcome(is_marked: str) -> str:
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
    + _select_mark_outcome("EXISTS (SELECT 1 FROM marked)"),
    sqlite=(_MARK_MEMBER, _select_mark_outcome("changes() > 0")),
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

LEAVE_GUILD = leave_posting(
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

_ENTRY_TIMES = """
    SELECT created_at FROM bytes_transactions
    WHERE guild_id = $1::text AND created_at >= $2::timestamptz AND created_at < $3::timestamptz
    ORDER BY created_at"""

GET_LEDGER_PERIOD = Statement(f"""
    SELECT (SELECT timezone FROM bytes_configs WHERE guild_id = $1::text) AS timezone,
        ({_ENTRY_TIMES} LIMIT 1) AS first, ({_ENTRY_TIMES} DESC LIMIT 1) AS last
""")
"""Get a guild's time zone, and the times of the first and the last entry of a period.

$1 guild, $2 from, $3 until.
"""

_ENTRIES = """
        SELECT ($5::int[])[width_bucket(created_at, $4::timestamptz[])] AS day,
            giver_id, receiver_id, kind, amount
        FROM bytes_transactions
        WHERE guild_id = $1::text
          AND created_at >= $2::timestamptz AND created_at < $3::timestamptz"""

# Each date's entries through the index.
_ENTRIES_ON_SQLITE = """
        SELECT day, giver_id, receiver_id, kind, amount
        FROM (
            SELECT json_extract(value, '$[0]') AS start, json_extract(value, '$[1]') AS day,
                lead(json_extract(value, '$[0]'), 1, $3) OVER (ORDER BY key) AS stop
            FROM json_each($4)
        ) AS period
        CROSS JOIN bytes_transactions AS entry
        WHERE entry.guild_id = $1
          AND entry.created_at >= period.start AND entry.created_at < period.stop"""

_FROM_PRESENT_MEMBERS = "FROM bytes_balances WHERE guild_id = $1::text AND left_at IS NULL"

GET_STATISTICS = Statement(
    f"""
    SELECT 'entries' AS part, day, kind, giver_id = 'SYSTEM' AS from_system,
        receiver_id = 'SYSTEM' AS to_system, count(*) AS count, {sum_halves("amount")}
    FROM ({_ENTRIES}) AS entries
    GROUP BY day, kind, giver_id = 'SYSTEM', receiver_id = 'SYSTEM'
    UNION ALL
    SELECT 'active members', day, NULL::text, NULL::boolean, NULL::boolean, count(*),
        NULL::bigint, NULL::bigint
    FROM (
        SELECT day, giver_id AS user_id FROM ({_ENTRIES}) AS given WHERE giver_id <> 'SYSTEM'
        UNION
        SELECT day, receiver_id FROM ({_ENTRIES}) AS received WHERE receiver_id <> 'SYSTEM'
    ) AS active
    GROUP BY day
    UNION ALL
    SELECT CASE WHEN left_at IS NULL THEN 'members' ELSE 'members who left' END,
        NULL::int, NULL::text, NULL::boolean, NULL::boolean, count(*), {sum_halves("balance")}
    FROM bytes_balances WHERE guild_id = $1::text
    GROUP BY 1
    UNION ALL
    SELECT 'richest tenth', NULL::int, NULL::text, NULL::boolean, NULL::boolean, count(*),
        {sum_halves("balance")}
    FROM (
        SELECT balance {_FROM_PRESENT_MEMBERS}
        ORDER BY balance DESC, user_id LIMIT (SELECT (count(*) + 9) / 10 {_FROM_PRESENT_MEMBERS})
    ) AS richest
    """,
    {_ENTRIES: _ENTRIES_ON_SQLITE},
)
"""Count and add up a guild's balances and the entries of a period, in one snapshot.

A row has a ``part`` of it, see `operations.statistics`; the sums have an upper and a lower half.
$1 guild, $2 from, $3 until, $4 the instants at which dates begin, the first of them $2, $5 the
number of each date.
"""
