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

# Each date is read, and its members are counted, separately: in memory, through the index.
_EACH_DATE = """unnest(
        $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::int[]
    ) AS date (start, gap_start, gap_stop, stop, day) CROSS JOIN LATERAL """

_DATES_ON_SQLITE = """(
            SELECT json_extract(value, '$[0]') AS start, json_extract(value, '$[1]') AS gap_start,
                json_extract(value, '$[2]') AS gap_stop, json_extract(value, '$[3]') AS stop,
                json_extract(value, '$[4]') AS day
            FROM json_each($2)
        ) AS date CROSS JOIN bytes_transactions AS entry"""

GET_STATISTICS = Statement(
    f"""
    WITH members AS MATERIALIZED (
        SELECT left_at IS NULL AS is_here, count(*) AS count, {sum_halves("balance")}
        FROM bytes_balances WHERE guild_id = $1::text
        GROUP BY left_at IS NULL
    )
    SELECT found.* FROM {_EACH_DATE}(
        WITH movement AS MATERIALIZED (
            SELECT date.day, giver_id, receiver_id, kind, amount
            FROM bytes_transactions AS entry
            WHERE entry.guild_id = $1::text
              AND entry.created_at >= date.start AND entry.created_at < date.stop
              AND NOT (entry.created_at >= date.gap_start AND entry.created_at < date.gap_stop)
        )
        SELECT 'entries' AS part, day, kind, giver_id = 'SYSTEM' AS from_system,
            receiver_id = 'SYSTEM' AS to_system, count(*) AS count, {sum_halves("amount")}
        FROM movement
        GROUP BY day, kind, giver_id = 'SYSTEM', receiver_id = 'SYSTEM'
        UNION ALL
        SELECT 'active members', day, NULL::text, NULL::boolean, NULL::boolean, count(*),
            NULL::bigint, NULL::bigint
        FROM (
            SELECT day, giver_id AS user_id FROM movement WHERE giver_id <> 'SYSTEM'
            UNION
            SELECT day, receiver_id FROM movement WHERE receiver_id <> 'SYSTEM'
        ) AS active
        GROUP BY day
    ) AS found
    UNION ALL
    SELECT CASE WHEN is_here THEN 'members' ELSE 'members who left' END, NULL::int, NULL::text,
        NULL::boolean, NULL::boolean, count, high, low
    FROM members
    UNION ALL
    SELECT 'richest tenth', NULL::int, NULL::text, NULL::boolean, NULL::boolean, count(*),
        {sum_halves("balance")}
    FROM (
        SELECT balance FROM bytes_balances WHERE guild_id = $1::text AND left_at IS NULL
        ORDER BY balance DESC, user_id
        LIMIT (SELECT (coalesce(max(count), 0) + 9) / 10 FROM members WHERE is_here)
    ) AS richest
    """,
    {_EACH_DATE: "", "bytes_transactions AS entry": _DATES_ON_SQLITE},
)
"""Count and add up a guild's balances and the entries of a period, in one snapshot.

A row has a ``part`` of it, see `operations.statistics`; the sums have an upper and a lower half.
$1 guild, $2 the first instant of each date, $3 and $4 where another date is between, as if clocks
went back over midnight, $5 the instant after the date, $6 its number. Without such a gap, $4 is
before $3.
"""
