"""What is shown: balances, the leaderboard, the ledger, and what `verify` adds up."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from .statement import Statement

LEADERS = Statement("""
    SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1
    ORDER BY balance DESC, user_id LIMIT $2::int OFFSET $3::bigint
""")
"""The members with the most bytes. $1 guild, $2 limit, $3 offset."""

BALANCE = Statement("SELECT * FROM bytes_balances WHERE guild_id = $1 AND user_id = $2")
"""A member's row. $1 guild, $2 user."""

RANK = Statement("""
    SELECT me.balance, 1 + (
        SELECT count(*) FROM bytes_balances AS other
        WHERE other.guild_id = me.guild_id AND other.balance > me.balance
    ) + (
        SELECT count(*) FROM bytes_balances AS other
        WHERE other.guild_id = me.guild_id AND other.balance = me.balance
          AND other.user_id < me.user_id
    ) AS rank
    FROM bytes_balances AS me
    WHERE me.guild_id = $1 AND me.user_id = $2
""")
"""A member's position and balance. $1 guild, $2 user."""

EARNED = Statement("""
    SELECT member.total_received, config.role_rewards
    FROM bytes_balances AS member
    JOIN bytes_configs AS config ON config.guild_id = member.guild_id
    WHERE member.guild_id = $1 AND member.user_id = $2
""")
"""What a member has received, and what that earns. $1 guild, $2 user."""

_PAGE = """
    SELECT * FROM bytes_transactions
    WHERE guild_id = $1 {whose}
      AND (created_at, id) < ($3::timestamptz, $4::uuid)
    ORDER BY created_at DESC, id DESC LIMIT $2::int
"""

HISTORY = Statement(_PAGE.format(whose=""))
"""A page of a guild's ledger, newest first. $1 guild, $2 rows, $3 clock and $4 id of the last one
seen; `BEFORE_ALL` for the first page."""

BEFORE_ALL = datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1)
"""What every ledger row comes after, newest first."""

# That a member is not SYSTEM goes without saying, except to the indexes that SYSTEM is not in.
_OF_MEMBER = "AND {party} = $5 AND {party} <> 'SYSTEM'"

MEMBER_HISTORY = Statement(f"""
    SELECT * FROM (
        SELECT * FROM ({_PAGE.format(whose=_OF_MEMBER.format(party="giver_id"))}) AS given
        UNION ALL
        SELECT * FROM ({_PAGE.format(whose=_OF_MEMBER.format(party="receiver_id"))}) AS received
    ) AS page
    ORDER BY created_at DESC, id DESC LIMIT $2::int
""")
"""The page of a member, of what was given and received: each through its index. $1 … $4 as in
`HISTORY`, $5 user."""

# A member's sums may pass 2⁶³ when the ledger was tampered with, and those of a squad always may;
# SQLite's sum() fails there. So the upper and the lower 32 bits are added up apart (`whole` puts
# them together), and the upper half takes the carry.
VERIFY = Statement("""
    WITH entry AS (
        SELECT guild_id, receiver_id AS user_id, amount AS received, 0::bigint AS sent,
            0::bigint AS balance, 0::bigint AS total_received, 0::bigint AS total_sent
        FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text
        UNION ALL
        SELECT guild_id, giver_id, 0, amount, 0, 0, 0
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
    )
    SELECT * FROM account
    WHERE received_high <> total_received >> 32 OR received_low <> total_received & 4294967295
       OR sent_high <> total_sent >> 32 OR sent_low <> total_sent & 4294967295
       OR balance <> total_received - total_sent
    ORDER BY guild_id, user_id
""")
"""The members whose balance row is not what the ledger adds up to. $1 guild, or null for all."""

COUNTS = Statement("""
    SELECT
        (SELECT count(*) FROM bytes_balances WHERE $1::text IS NULL OR guild_id = $1::text)
            AS members,
        (SELECT count(*) FROM bytes_transactions WHERE $1::text IS NULL OR guild_id = $1::text)
            AS transactions
""")
"""How many members and ledger rows there are. $1 guild, or null for all."""


def whole(high: int, low: int) -> int:
    """The number whose upper and lower 32 bits were added up apart."""
    return (high << 32) + low
