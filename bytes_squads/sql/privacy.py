"""Export a member."""

from __future__ import annotations

from .statement import Statement

_BALANCE = (
    "id",
    "guild_id",
    "user_id",
    "balance",
    "total_received",
    "total_sent",
    "last_daily",
    "streak_count",
    "last_transfer_at",
    "left_at",
    "created_at",
    "updated_at",
)
_ENTRY = (
    "id",
    "guild_id",
    "giver_id",
    "receiver_id",
    "amount",
    "reason",
    "created_at",
    "kind",
    "actor_id",
    "idempotency_key",
    "details",
    "reverses_id",
)


def _json_object(*columns: str, table: str, **values: str) -> str:
    """Return a JSON object of a table's columns, and of further values by name."""
    values = {name: f"{table}.{name}" for name in columns} | values
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"json_build_object({pairs})::text"


def _select_entries(party: str) -> str:
    """Return the SELECT of the member's entries as this party, without the other party's name."""
    data = _json_object(*_ENTRY, f"{party}_username", table="entry", details="to_json(details)")
    return f"""
        SELECT 'transaction', entry.created_at, entry.id, {data}
        FROM bytes_transactions AS entry
        WHERE guild_id = $1::text AND {party}_id = $2::text AND {party}_id <> 'SYSTEM'"""


_MEMBERSHIP = _json_object(
    "id", "guild_id", "user_id", "squad_id", "joined_at", table="seat", name="squad.name"
)

EXPORT_MEMBER = Statement(
    f"""
    SELECT part, data FROM (
        SELECT 'balance' AS part, NULL::timestamptz AS at, NULL::uuid AS id,
            {_json_object(*_BALANCE, table="member")} AS data
        FROM bytes_balances AS member WHERE guild_id = $1::text AND user_id = $2::text
        UNION ALL
        SELECT 'squad', NULL, NULL, {_MEMBERSHIP}
        FROM squad_memberships AS seat
        JOIN squads AS squad ON squad.guild_id = $1::text AND squad.id = seat.squad_id
        WHERE seat.guild_id = $1::text AND seat.user_id = $2::text
        UNION ALL
        SELECT 'ordered', NULL, NULL, count(*)::text
        FROM bytes_transactions WHERE guild_id = $1::text AND actor_id = $2::text
        UNION ALL {_select_entries("giver")}
        UNION ALL {_select_entries("receiver")}
    ) AS parts
    ORDER BY at, id
    """,
    {"json_build_object(": "json_object(", "to_json(": "json("},
)
"""Get all that is stored of a member, in one snapshot: rows of ``part`` and ``data``, as JSON.

The parts are balance, squad, ordered (a number) and transaction (oldest first). The number is
counted in O(rows of the guild): actors have no index. $1 guild, $2 user.
"""
