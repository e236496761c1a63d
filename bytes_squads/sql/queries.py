"""Read-only queries: leaderboard, ledger pages, verification."""

from __future__ import annotations

from uuid import UUID

from ..domain.rules import LATEST
from .statement import Statement


def sum_halves(column: str) -> str:
    """Return the sum of a column as two columns, ``high`` and ``low``; see `join_halves`.

    A sum may exceed 2⁶³, where SQLite's sum() fails. So the upper and lower 32 bits are added up
    separately, with a carry.
    """
    return f"""
            (sum({column} >> 32) + (sum({column} & 4294967295)::bigint >> 32))::bigint AS high,
            sum({column} & 4294967295)::bigint & 4294967295 AS low"""


LEADERBOARD = Statement("""
    SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1 AND left_at IS NULL
    ORDER BY balance DESC, user_id LIMIT $2::int OFFSET $3::bigint
""")
"""List the members with the most bytes, without those who left. $1 guild, $2 limit, $3 offset.

``left_at IS NULL`` is the predicate of the leaderboard's index, which the planner needs to use it.
"""

# The sub-query returns the best first; the outer one looks up who left until it has enough.
EARNINGS_LEADERBOARD = Statement(f"""
    SELECT earned.* FROM (
        SELECT entry.receiver_id AS user_id, {sum_halves("entry.amount")}
        FROM bytes_transactions AS entry
        WHERE entry.guild_id = $1::text AND entry.created_at >= $2::timestamptz
          AND entry.created_at < $3::timestamptz
          AND entry.kind IN ('transfer', 'daily', 'grant') AND entry.amount > 0
          AND NOT EXISTS (
              SELECT 1 FROM bytes_transactions AS reversal
              WHERE reversal.guild_id = $1::text AND reversal.reverses_id = entry.id
          )
        GROUP BY entry.receiver_id
        ORDER BY high DESC, low DESC, user_id
    ) AS earned
    WHERE (
        SELECT member.left_at IS NULL FROM bytes_balances AS member
        WHERE member.guild_id = $1::text AND member.user_id = earned.user_id
    )
    ORDER BY high DESC, low DESC, user_id LIMIT $4::int
""")
"""List the members by what they received in a period and what was not reversed since.

Without those who left. The sums have an upper and a lower half, see `join_halves`.
$1 guild, $2 from, $3 until, $4 limit.
"""

COUNT_MEMBERS = Statement("""
    SELECT count(*) AS members FROM bytes_balances WHERE guild_id = $1 AND left_at IS NULL
""")
"""Count the members who have not left. $1 guild."""

GET_RANK = Statement("""
    SELECT target.balance, 1 + (
        SELECT count(*) FROM bytes_balances AS rival
        WHERE rival.guild_id = $1 AND rival.left_at IS NULL AND rival.balance > target.balance
    ) + (
        SELECT count(*) FROM bytes_balances AS rival
        WHERE rival.guild_id = $1 AND rival.left_at IS NULL AND rival.balance = target.balance
          AND rival.user_id < target.user_id
    ) AS rank
    FROM bytes_balances AS target
    WHERE target.guild_id = $1 AND target.user_id = $2 AND target.left_at IS NULL
""")
"""Get the rank and balance of a member who has not left. $1 guild, $2 user."""

GET_ROLE_REWARDS = Statement("""
    SELECT member.total_received, config.role_rewards
    FROM bytes_balances AS member, bytes_configs AS config
    WHERE member.guild_id = $1 AND member.user_id = $2 AND config.guild_id = $1
""")
"""Get a member's total received and the guild's role rewards. $1 guild, $2 user."""

_ENTRY_PAGE = """
    SELECT * FROM bytes_transactions
    WHERE guild_id = $1 {whose}
      AND (created_at, id) < ($3::timestamptz, $4::uuid) AND created_at >= $5::timestamptz
      AND ($6::text IS NULL OR kind = $6::text)
    ORDER BY created_at DESC, id DESC LIMIT $2::int
"""

LIST_ENTRIES = Statement(_ENTRY_PAGE.format(whose=""))
"""List a page of a guild's ledger, newest first.

$1 guild, $2 limit, $3 created_at and $4 id of the last row seen (`FIRST_PAGE` for the first page),
$5 the earliest created_at, $6 kind, or null for all.
"""

FIRST_PAGE = LATEST, UUID(int=2**128 - 1)
"""The position before the newest ledger row."""

# Repeats the predicate of the partial indexes; otherwise the planner cannot use them.
_MEMBER_FILTER = "AND {party} = $7 AND {party} <> 'SYSTEM'"

_GIVEN = _ENTRY_PAGE.format(whose=_MEMBER_FILTER.format(party="giver_id"))
_RECEIVED = _ENTRY_PAGE.format(whose=_MEMBER_FILTER.format(party="receiver_id"))

LIST_MEMBER_ENTRIES = Statement(f"""
    SELECT * FROM (
        SELECT * FROM ({_GIVEN}) AS given
        UNION ALL
        SELECT * FROM ({_RECEIVED}) AS received
    ) AS page
    ORDER BY created_at DESC, id DESC LIMIT $2::int
""")
"""List a page of a member's entries, given and received, each through its index.

$1 … $6 as in `LIST_ENTRIES`, $7 user.
"""

# The sum of a member in a tampered ledger may exceed 2⁶³; see `sum_halves`. That holds for negative
# numbers as well: shifts and masks are those of the two's complement.
FIND_DISCREPANCIES = Statement("""
    WITH entry AS (
        SELECT guild_id, receiver_id AS user_id,
            CASE WHEN kind = 'reversal' THEN 0 ELSE amount END AS received,
            CASE WHEN kind = 'reversal' THEN - amount ELSE 0 END AS sent,
            0::bigint AS balance, 0::bigint AS total_received, 0::bigint AS total_sent
        FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text
        UNION ALL
        SELECT guild_id, giver_id,
            CASE WHEN kind = 'reversal' THEN - amount ELSE 0 END,
            CASE WHEN kind = 'reversal' THEN 0 ELSE amount END, 0, 0, 0
        FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text
        UNION ALL
        SELECT guild_id, user_id, 0, 0, balance, total_received, total_sent
        FROM bytes_balances WHERE $1::text IS NULL OR guild_id = $1::text
    ), account AS (
        SELECT guild_id, user_id,
            (sum(received >> 32) + (sum(received & 4294967295)::bigint >> 32))::bigint
                AS received_high,
            sum(received & 4294967295)::bigint & 4294967295 AS received_low,
            (sum(sent >> 32) + (sum(sent & 4294967295)::bigint >> 32))::bigint AS sent_high,
            sum(sent & 4294967295)::bigint & 4294967295 AS sent_low,
            sum(balance)::bigint AS balance,
            sum(total_received)::bigint AS total_received, sum(total_sent)::bigint AS total_sent
        FROM entry WHERE user_id <> 'SYSTEM' GROUP BY guild_id, user_id
    ), wrong AS (
        SELECT * FROM account
        WHERE received_high <> total_received >> 32 OR received_low <> total_received & 4294967295
           OR sent_high <> total_sent >> 32 OR sent_low <> total_sent & 4294967295
           OR balance <> total_received - total_sent
    ), counts AS (
        SELECT
            (SELECT count(*) FROM bytes_balances WHERE $1::text IS NULL OR guild_id = $1::text)
                AS members,
            (SELECT count(*) FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text)
                AS transactions
    )
    SELECT counts.members, counts.transactions, wrong.*
    FROM counts LEFT JOIN wrong ON true
    ORDER BY wrong.guild_id, wrong.user_id
""")
"""Count members and ledger rows, and find the members whose balance row does not match the ledger.

A reversal lowers what its giver received and what its receiver sent. One row of counts and nulls if
all match. $1 guild, or null for all.
"""


HAS_MEMBERS = Statement("""
    SELECT EXISTS (SELECT 1 FROM bytes_balances WHERE guild_id = $1::text) AS found
""")
"""Find out whether a guild has a row of a member. $1 guild."""


LIST_GUILDS = Statement("""
    SELECT guild.*, (
        SELECT max(entry.created_at) FROM bytes_transactions AS entry
        WHERE entry.guild_id = guild.guild_id
    ) AS last_activity
    FROM (
        SELECT guild_id, sum(members) AS members,
            (sum(balance >> 32) + (sum(balance & 4294967295)::bigint >> 32))::bigint AS high,
            sum(balance & 4294967295)::bigint & 4294967295 AS low
        FROM (
            SELECT guild_id, CASE WHEN left_at IS NULL THEN 1 ELSE 0 END AS members, balance
            FROM bytes_balances
            UNION ALL SELECT guild_id, 0, 0 FROM bytes_configs
            UNION ALL SELECT guild_id, 0, 0 FROM squads
        ) AS part
        GROUP BY guild_id
    ) AS guild
    ORDER BY members DESC, guild_id COLLATE "C" LIMIT $1::int OFFSET $2::int
""")
"""List the guilds with a member, a config or a squad, largest first. $1 limit, $2 offset."""


def join_halves(high: int, low: int) -> int:
    """Return the sum whose upper and lower 32 bits were added up separately."""
    return (high << 32) + low
