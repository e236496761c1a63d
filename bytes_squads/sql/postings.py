"""Post one ledger entry: check the rules, update the balances, insert the entry.

The first parameters of a posting are `ENTRY_PARAMETERS`; a statement may have more.

Rows are locked in the order of user ids, so that two transfers between the same members wait for
each other instead of deadlocking. New values are computed from the locked rows: after a lock wait,
all other data is as old as the statement's snapshot. So if a locked row has changed since the
snapshot, a refusal is not conclusive: the outcome is ``stale``, and the statement is executed
again.
"""

from __future__ import annotations

from ..domain.defaults import MAX_TRANSFER, TRANSFER_COOLDOWN_HOURS
from ..domain.rules import MAX_BYTES
from .statement import Insert, PostingStatement, Statement

ENTRY_COLUMNS = (
    "id, guild_id, giver_id, giver_username, receiver_id, receiver_username, created_at, kind,"
    " actor_id, idempotency_key, amount, reason, details"
)

ENTRY_PARAMETERS = 10
"""$1 id, $2 guild, $3 giver, $4 giver's name, $5 receiver, $6 receiver's name, $7 clock, $8 kind,
$9 actor, $10 idempotency key; then $11 wall time."""

_ENTRY_VALUES = (
    "$1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::timestamptz, $8::text,"
    " $9::text, $10::text"
)


def lock_members(*, after: str = "") -> str:
    """Return the CTE ``locked``: the rows of the parties, locked in the order of user ids.

    Args:
        after: A CTE whose rows are locked first.
    """
    return f"""
    locked AS MATERIALIZED (
        SELECT ctid AS version, id, user_id, balance, total_received, total_sent, last_daily,
            streak_count, last_transfer_at
        FROM bytes_balances
        WHERE guild_id = $2::text AND user_id IN ($3::text, $5::text)
        {f"AND (SELECT count(*) FROM {after}) >= 0" if after else ""}
        ORDER BY user_id FOR UPDATE
    )"""


EARLIER_ENTRY = """
    (SELECT id::text FROM bytes_transactions
     WHERE guild_id = $2::text AND idempotency_key = $10::text) AS earlier_id"""
"""The id of the earlier entry with the same key."""

MEMBER_FACTS = """
    (SELECT count(*) FROM locked) AS members_found,
    ($3::text <> 'SYSTEM')::int + ($5::text <> 'SYSTEM')::int AS members_needed,
    (SELECT balance FROM locked WHERE user_id = $3::text) AS giver_balance,
    (SELECT total_received FROM locked WHERE user_id = $5::text) AS receiver_total"""

MEMBER_IS_UNKNOWN = "WHEN members_found < members_needed THEN 'unknown_member'"

BALANCE_CASES = f"""
    WHEN giver_balance < amount THEN 'insufficient_balance'
    WHEN receiver_total > {MAX_BYTES} - amount THEN 'overflow'"""

MEMBERS_CHANGED = """
    (SELECT version FROM locked WHERE user_id = $3::text) IS DISTINCT FROM (
        SELECT ctid FROM bytes_balances WHERE guild_id = $2::text AND user_id = $3::text)
    OR (SELECT version FROM locked WHERE user_id = $5::text) IS DISTINCT FROM (
        SELECT ctid FROM bytes_balances WHERE guild_id = $2::text AND user_id = $5::text)"""
"""Whether a locked row has changed since the statement's snapshot."""


def build_verdict(facts: str, cases: str, *, stale: str, conclusive: str) -> str:
    """Return the SELECT of the verdict.

    Args:
        facts: Columns: sub-queries that each filter by the guild.
        cases: WHEN … THEN … for each refusal; otherwise the outcome is ``done``.
        stale: The condition that a locked row has changed since the snapshot.
        conclusive: The outcomes that are valid even then, quoted and separated by commas.
    """
    return f"""
        SELECT CASE
            WHEN found <> 'repeated' AND found NOT IN ({conclusive}) AND ({stale}) THEN 'stale'
            ELSE found
        END AS outcome, checked.*
        FROM (
            SELECT CASE
                WHEN earlier_id IS NOT NULL THEN 'repeated' {cases} ELSE 'done'
            END AS found, facts.*
            FROM (SELECT {facts}) AS facts
        ) AS checked"""


def update_balances(*, assignments: str = "", only: str = "") -> str:
    """Return the UPDATE of the parties' rows.

    Args:
        assignments: Further assignments.
        only: A further condition.
    """
    return f"""
        UPDATE bytes_balances AS member SET
            balance = locked.balance
                + CASE WHEN locked.user_id = $5::text THEN verdict.amount ELSE - verdict.amount END,
            total_received = locked.total_received
                + CASE WHEN locked.user_id = $5::text THEN verdict.amount ELSE 0 END,
            total_sent = locked.total_sent
                + CASE WHEN locked.user_id = $3::text THEN verdict.amount ELSE 0 END,
            {assignments}
            updated_at = $11::timestamptz
        FROM locked, verdict
        WHERE member.guild_id = $2::text AND member.id = locked.id
          AND verdict.outcome = 'done' {only}"""


RECORD_ENTRY = {
    "entry_inserted": Insert(
        f"bytes_transactions ({ENTRY_COLUMNS})",
        f"{_ENTRY_VALUES}, verdict.amount, verdict.reason, verdict.details::jsonb",
    )
}
"""Insert the entry, with what the verdict has computed."""

_COOLDOWN = "last_transfer_at > $7::timestamptz - cooldown_hours * interval '1 hour'"


def _microseconds(timestamp: str) -> str:
    # SQLite's date functions round to milliseconds; the stored text has microseconds.
    return (
        f"(CAST(strftime('%s', substr({timestamp}, 1, 19)) AS INTEGER) * 1000000"
        f" + CASE substr({timestamp}, 20, 1) WHEN '.'"
        f" THEN CAST(substr({timestamp}, 21, 6) AS INTEGER) ELSE 0 END)"
    )


POST_ENTRY = PostingStatement(
    locks=lock_members(),
    verdict=build_verdict(
        facts=f"""
            $12::bigint AS amount, $13::text AS reason, $14::text AS details,
            coalesce(
                (SELECT max_transfer FROM bytes_configs WHERE guild_id = $2::text), {MAX_TRANSFER}
            ) AS max_transfer,
            coalesce(
                (SELECT transfer_cooldown_hours FROM bytes_configs WHERE guild_id = $2::text),
                {TRANSFER_COOLDOWN_HOURS}
            ) AS cooldown_hours,
            (SELECT last_transfer_at FROM locked WHERE user_id = $3::text) AS last_transfer_at,
            {EARLIER_ENTRY}, {MEMBER_FACTS}""",
        cases=f"""
            WHEN $8::text = 'transfer' AND amount > max_transfer THEN 'limit'
            {MEMBER_IS_UNKNOWN}
            {BALANCE_CASES}
            WHEN $8::text = 'transfer' AND cooldown_hours > 0 AND {_COOLDOWN} THEN 'cooldown'""",
        stale=MEMBERS_CHANGED,
        conclusive="'done', 'unknown_member'",
    ),
    changes={
        "balances_updated": update_balances(
            assignments="""
            last_transfer_at = CASE
                WHEN $8::text <> 'transfer' OR locked.user_id <> $3::text
                    OR locked.last_transfer_at > $7::timestamptz THEN locked.last_transfer_at
                ELSE $7::timestamptz
            END,"""
        )
    },
    inserts=RECORD_ENTRY,
    pieces={
        _COOLDOWN: f"{_microseconds('$7')} - {_microseconds('last_transfer_at')}"
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
