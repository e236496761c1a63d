"""Post one ledger entry: check the rules, update the balances, insert the entry.

A posting's first parameters are those of its entry, see `ENTRY_PARAMETER_COUNT`; it may have more.

Rows are locked in the order of user ids, so that two transfers between the same members wait for
each other instead of deadlocking. New values are computed from the locked rows: after a lock wait,
all other data is as old as the statement's snapshot. So if a locked row has changed since the
snapshot, a refusal is not conclusive: the outcome is ``stale``, and the statement is executed
again.
"""

from __future__ import annotations

from ..domain.defaults import MAX_TRANSFER, TRANSFER_COOLDOWN_HOURS
from ..domain.rules import MAX_BYTES
from .statement import Insert, PostingStatement, Statement, row_changed

ENTRY_COLUMNS = (
    "id, guild_id, giver_id, giver_username, receiver_id, receiver_username, created_at, kind,"
    " actor_id, idempotency_key, amount, reason, details, reverses_id"
)

ENTRY_PARAMETER_COUNT = 10
"""$1 id, $2 guild, $3 giver, $4 giver's name, $5 receiver, $6 receiver's name, $7 clock, $8 kind,
$9 actor, $10 idempotency key; then $11 wall time."""

_ENTRY_VALUES = (
    "$1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::timestamptz, $8::text,"
    " $9::text, $10::text"
)


def locked_members_cte(columns: str = "", *, after: str = "") -> str:
    """Return the CTE ``locked``: the rows of the parties, locked in the order of user ids.

    Args:
        columns: Further columns.
        after: A CTE whose rows are locked first.
    """
    return f"""
    locked AS MATERIALIZED (
        SELECT ctid AS version, id, user_id, balance, total_received, total_sent {columns}
        FROM bytes_balances
        WHERE guild_id = $2::text AND user_id IN ($3::text, $5::text)
        {f"AND (SELECT count(*) FROM {after}) >= 0" if after else ""}
        ORDER BY user_id FOR UPDATE
    )"""


PARTIES = """
    LEFT JOIN locked AS giver ON giver.user_id = $3::text
    LEFT JOIN locked AS receiver ON receiver.user_id = $5::text"""
"""The locked rows of both parties, at the end of a verdict's source."""

ONE_ROW = "(SELECT 1) AS one"
"""The start of a source that joins what may be missing."""

KEY_IS_USED = """(
        SELECT true FROM bytes_transactions
        WHERE guild_id = $2::text AND idempotency_key = $10::text
    )"""

MEMBER_IS_UNKNOWN = """
    WHEN giver.id IS NULL AND $3::text <> 'SYSTEM'
        OR receiver.id IS NULL AND $5::text <> 'SYSTEM' THEN 'unknown_member'"""

MEMBERS_CHANGED = row_changed("locked", "bytes_balances")

# A statement of many members compares with the locked rows' guild_id instead of the parameter. With
# the parameter and few rows of the guild in its statistics, PostgreSQL would read the whole guild
# again for each locked row.
ANY_MEMBER_CHANGED = row_changed("locked", "bytes_balances", "locked.guild_id")
DISTRIBUTED_PIECES = {"locked.guild_id": "$1::text"}
"""Only a comparison with the parameter tells a distributed PostgreSQL the node."""

BALANCES = {"giver_balance": "giver.balance", "receiver_total": "receiver.total_received"}
"""The numbers for the errors of `balance_cases`."""


def insufficient_balance_case(amount: str) -> str:
    """Return the case of a giver with too few bytes."""
    return f"WHEN giver.balance < {amount} THEN 'insufficient_balance'"


def balance_cases(amount: str) -> str:
    """Return the cases of a giver with too few bytes and of a receiver without room."""
    return f"""
    {insufficient_balance_case(amount)}
    WHEN receiver.total_received > {MAX_BYTES} - {amount} THEN 'overflow'"""


def balances_update(*, assignments: str = "", only: str = "", takes_back: bool = False) -> str:
    """Return the UPDATE of the parties' rows.

    Args:
        assignments: Further assignments.
        only: A further condition.
        takes_back: Whether the totals shrink: what the giver received and the receiver sent.
    """
    received, sent, sign = (
        ("$3::text", "$5::text", "-") if takes_back else ("$5::text", "$3::text", "+")
    )
    return f"""
        UPDATE bytes_balances AS member SET
            balance = locked.balance
                + CASE WHEN locked.user_id = $5::text THEN verdict.amount ELSE - verdict.amount END,
            total_received = locked.total_received
                {sign} CASE WHEN locked.user_id = {received} THEN verdict.amount ELSE 0 END,
            total_sent = locked.total_sent
                {sign} CASE WHEN locked.user_id = {sent} THEN verdict.amount ELSE 0 END,
            {assignments}
            updated_at = $11::timestamptz
        FROM locked, verdict
        WHERE member.guild_id = $2::text AND member.id = locked.id
          AND verdict.outcome = 'done' {only}"""


RECORD_ENTRY = {
    "entry_inserted": Insert(
        f"bytes_transactions ({ENTRY_COLUMNS})",
        f"{_ENTRY_VALUES}, verdict.amount, verdict.reason, verdict.details::jsonb,"
        " verdict.reverses_id",
    )
}
"""Insert the entry, with what the verdict has computed."""

_CONFIG = f"""(
        SELECT coalesce(max(max_transfer), {MAX_TRANSFER}) AS max_transfer,
            coalesce(max(transfer_cooldown_hours), {TRANSFER_COOLDOWN_HOURS}) AS cooldown_hours
        FROM bytes_configs WHERE guild_id = $2::text
    ) AS config"""
"""The guild's limits in one row, also without a config."""

_COOLDOWN = "giver.last_transfer_at > $7::timestamptz - cooldown_hours * interval '1 hour'"


def _microseconds(timestamp: str) -> str:
    # SQLite's date functions round to milliseconds; the stored text has microseconds.
    return (
        f"(CAST(strftime('%s', substr({timestamp}, 1, 19)) AS INTEGER) * 1000000"
        f" + CASE substr({timestamp}, 20, 1) WHEN '.'"
        f" THEN CAST(substr({timestamp}, 21, 6) AS INTEGER) ELSE 0 END)"
    )


POST_ENTRY = PostingStatement(
    locks=locked_members_cte(", last_transfer_at"),
    source=f"{_CONFIG} {PARTIES}",
    repeated=KEY_IS_USED,
    cases=f"""
        WHEN $8::text = 'transfer' AND $12::bigint > max_transfer THEN 'limit'
        {MEMBER_IS_UNKNOWN}
        {balance_cases("$12::bigint")}
        WHEN $8::text = 'transfer' AND cooldown_hours > 0 AND {_COOLDOWN} THEN 'cooldown'""",
    amount="$12::bigint",
    reason="$13::text",
    details="$14::text",
    numbers={
        **BALANCES,
        "max_transfer": "max_transfer",
        "cooldown_hours": "cooldown_hours",
        "last_transfer_at": "giver.last_transfer_at",
    },
    changes={
        "balances_updated": balances_update(
            assignments="""
            last_transfer_at = CASE
                WHEN $8::text <> 'transfer' OR locked.user_id <> $3::text
                    OR locked.last_transfer_at > $7::timestamptz THEN locked.last_transfer_at
                ELSE $7::timestamptz
            END,"""
        )
    },
    inserts=RECORD_ENTRY,
    changed=MEMBERS_CHANGED,
    pieces={
        _COOLDOWN: f"{_microseconds('$7')} - {_microseconds('giver.last_transfer_at')}"
        " < cooldown_hours * 3600000000"
    },
)
"""Post a transfer, a grant or a charge. $12 amount, $13 reason, $14 details.

Outcomes: done, repeated, stale, unknown_member, limit, insufficient_balance, overflow, cooldown.
"""

GET_ENTRY_BY_KEY = Statement("""
    SELECT * FROM bytes_transactions WHERE guild_id = $1::text AND idempotency_key = $2::text
""")
"""Get the entry with this key. $1 guild, $2 key."""

GET_ENTRY = Statement("""
    SELECT * FROM bytes_transactions WHERE guild_id = $1::text AND id = $2::uuid
""")
"""Get an entry. $1 guild, $2 id."""

FIND_POSTED_ENTRY = Statement("""
    SELECT 'done' AS outcome FROM bytes_transactions WHERE guild_id = $1::text AND id = $2::uuid
""")
"""Find out whether an entry was committed. $1 guild, $2 id."""
