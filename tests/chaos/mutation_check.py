"""Remove one safeguard at a time, and list the tests that fail.

Each mutation replaces a piece of the package in a copy of the checkout and runs the tests that
should fail. ``make mutation-check`` fails if a mutation passes; `test_mutation_check`
checks that every piece exists.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 300
"""The longest run; a run that hangs counts as failed."""


@dataclass(frozen=True)
class Mutation:
    """A safeguard and how to remove it."""

    safeguard: str
    file: str
    there: str
    gone: str
    tests: str


MUTATIONS = (
    Mutation(
        "Rows are locked in one order",
        "bytes_squads/sql/postings.py",
        "        ORDER BY user_id FOR UPDATE\n",
        "        ORDER BY balance FOR UPDATE\n",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "Rows are locked before they are checked",
        "bytes_squads/sql/postings.py",
        "        ORDER BY user_id FOR UPDATE\n",
        "        ORDER BY user_id\n",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "New values are computed from the locked rows",
        "bytes_squads/sql/postings.py",
        "            balance = locked.balance\n",
        "            balance = member.balance\n",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "A bulk grant computes every column from the locked rows",
        "bytes_squads/sql/bulk_grants.py",
        "            total_sent = locked.total_sent,\n",
        "",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "A giver with too few bytes is refused",
        "bytes_squads/sql/postings.py",
        "WHEN giver.balance < {amount} THEN",
        "WHEN giver.balance < 0 THEN",
        "tests/laws/test_concurrency.py tests/operations/test_transfers.py",
    ),
    Mutation(
        "An overflow of the receiver's total is refused",
        "bytes_squads/sql/postings.py",
        "WHEN receiver.total_received > {MAX_BYTES} - {amount} THEN",
        "WHEN receiver.total_received > {MAX_BYTES} THEN",
        "tests/operations/test_bytes_operations.py tests/operations/test_transfers.py",
    ),
    Mutation(
        "A transfer beyond the guild's limit is refused",
        "bytes_squads/sql/postings.py",
        "AND $12::bigint > max_transfer THEN",
        "AND $12::bigint > max_transfer + 1 THEN",
        "tests/operations/test_transfers.py",
    ),
    Mutation(
        "A transfer in the cooldown is refused",
        "bytes_squads/sql/postings.py",
        "AND cooldown_hours > 0 AND {_COOLDOWN} THEN",
        "AND false THEN",
        "tests/laws/test_concurrency.py tests/operations/test_transfers.py",
    ),
    Mutation(
        "A refusal is valid only if the locked rows are the snapshot's",
        "bytes_squads/sql/statement.py",
        "AND {changed} THEN 'stale'",
        "AND false THEN 'stale'",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "A refused posting leaves no new member",
        "bytes_squads/operations/ledger.py",
        "                    raise _NotPostedError\n",
        "                    pass\n",
        "tests/laws/test_transactions.py tests/operations/test_transfers.py"
        " tests/operations/test_squad_memberships.py",
    ),
    Mutation(
        "A claim is posted only if the row that it read has not changed",
        "bytes_squads/sql/claims.py",
        "IS DISTINCT FROM $15::date THEN 'outdated'",
        "IS DISTINCT FROM $15::date THEN 'done'",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "A date that is already claimed is refused",
        "bytes_squads/operations/claims.py",
        "if last_daily is not None and last_daily >= today:",
        "if False:",
        "tests/laws/test_concurrency.py tests/operations/test_daily.py",
    ),
    Mutation(
        "A claim's date is that of the guild's zone",
        "bytes_squads/operations/claims.py",
        "today = rules.local_date(now, zone)",
        "today = now.date()",
        "tests/operations/test_daily.py",
    ),
    Mutation(
        "Grace days do not end a streak",
        "bytes_squads/domain/rules.py",
        "<= 1 + grace_days:",
        "<= 1:",
        "tests/unit/test_rules.py",
    ),
    Mutation(
        "The next claim waits for a change of offset",
        "bytes_squads/domain/rules.py",
        "end = _find_change(zone, begin, end)",
        "pass",
        "tests/unit/test_calendar.py",
    ),
    Mutation(
        "Members who left are not in the leaderboard",
        "bytes_squads/sql/queries.py",
        "SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1 AND left_at IS NULL",
        "SELECT user_id, balance FROM bytes_balances WHERE guild_id = $1",
        "tests/operations/test_bytes_reads.py",
    ),
    Mutation(
        "Members are marked as gone once",
        "bytes_squads/sql/guilds.py",
        "          AND member.left_at IS NULL AND verdict.outcome = 'done'",
        "          AND verdict.outcome = 'done'",
        "tests/operations/test_members_left.py",
    ),
    Mutation(
        "Earnings that were reversed do not count",
        "bytes_squads/sql/queries.py",
        "reversal.reverses_id = entry.id",
        "reversal.reverses_id = NULL",
        "tests/operations/test_earnings_leaderboard.py",
    ),
    Mutation(
        "A member is active once on a date",
        "bytes_squads/sql/guilds.py",
        "        UNION\n",
        "        UNION ALL\n",
        "tests/operations/test_statistics.py",
    ),
    Mutation(
        "Only roles of the guild's rewards and squads are removed",
        "bytes_squads/operations/guilds.py",
        "current & given - due",
        "current - due",
        "tests/operations/test_role_changes.py",
    ),
    Mutation(
        "A row is reversed once",
        "migrations/bytes_squads/4_20261125230000_reversals_zones_and_leavers.py",
        'CREATE UNIQUE INDEX "uq_bytes_transactions_guild_id_reverses_id"',
        'CREATE INDEX "uq_bytes_transactions_guild_id_reverses_id"',
        "tests/schema/test_models.py",
    ),
    Mutation(
        "A balance is set from the locked row",
        "bytes_squads/sql/set_balances.py",
        "WHEN {_DIFFERENCE} < 0 THEN 'outdated'",
        "WHEN false THEN 'outdated'",
        "tests/operations/test_set_balance.py",
    ),
    Mutation(
        "A new member is kept if the balance is the one to set",
        "bytes_squads/operations/ledger.py",
        'verdict["outcome"] == "unchanged"',
        "False",
        "tests/operations/test_set_balance.py",
    ),
    Mutation(
        "A reset includes members created while it waits",
        "bytes_squads/sql/reset_balances.py",
        "        WHEN {ANY_MEMBER_CHANGED} THEN 'stale'\n",
        "",
        "tests/operations/test_reset_balances.py",
    ),
    Mutation(
        "A reset refuses a total that is too large",
        "bytes_squads/sql/reset_balances.py",
        "        WHEN overflowing.amount IS NOT NULL THEN 'overflow'",
        "",
        "tests/operations/test_reset_balances.py",
    ),
    Mutation(
        "A reset locks the members in one order",
        "bytes_squads/sql/reset_balances.py",
        "        ORDER BY member.user_id\n        FOR UPDATE OF member\n",
        "        ORDER BY member.balance\n        FOR UPDATE OF member\n",
        "tests/operations/test_reset_balances.py",
    ),
    Mutation(
        "A reversal looks for an earlier one",
        "bytes_squads/sql/reversals.py",
        "WHEN reversal.id IS NOT NULL THEN",
        "WHEN false THEN",
        "tests/operations/test_reversals.py",
    ),
    Mutation(
        "A reversal of a row that was reversed since the snapshot is judged again",
        "bytes_squads/sql/reversals.py",
        "        WHEN {MEMBERS_CHANGED} THEN 'stale'",
        "",
        "tests/engine/test_split_postings.py",
    ),
    Mutation(
        "A starting balance and a reversal are not reversed",
        "bytes_squads/sql/reversals.py",
        "WHEN original.kind IN ('starting', 'reversal') OR",
        "WHEN",
        "tests/operations/test_reversals.py",
    ),
    Mutation(
        "A reversal's parties are those of its row",
        "bytes_squads/sql/reversals.py",
        "          AND giver_id = $5::text AND receiver_id = $3::text\n",
        "",
        "tests/operations/test_reversals.py",
    ),
    Mutation(
        "A reversal creates no member",
        "bytes_squads/sql/reversals.py",
        "OR receiver.id IS NULL AND $5::text <> 'SYSTEM' THEN 'outdated'",
        "OR receiver.id IS NULL AND $5::text <> 'SYSTEM' THEN 'unknown_member'",
        "tests/operations/test_reversals.py",
    ),
    Mutation(
        "A reversal lowers the totals",
        "bytes_squads/sql/reversals.py",
        "balances_update(takes_back=True)",
        "balances_update()",
        "tests/operations/test_reversals.py",
    ),
    Mutation(
        "A reversal in an archive mirrors its row",
        "bytes_squads/archive/importer.py",
        "        if wrong:\n",
        "        if wrong is None:\n",
        "tests/archive/test_archive_reversals.py",
    ),
    Mutation(
        "A date that comes twice leaves out the one in between",
        "bytes_squads/sql/guilds.py",
        "\n              AND NOT (entry.created_at >= date.gap_start AND"
        " entry.created_at < date.gap_stop)",
        "",
        "tests/operations/test_statistics.py",
    ),
    Mutation(
        "Who left is not among the richest",
        "bytes_squads/sql/guilds.py",
        " AND left_at IS NULL\n        ORDER BY balance DESC",
        "\n        ORDER BY balance DESC",
        "tests/operations/test_statistics.py",
    ),
    Mutation(
        "Who left is not among those who earned most",
        "bytes_squads/sql/queries.py",
        "SELECT member.left_at IS NULL FROM",
        "SELECT true FROM",
        "tests/operations/test_earnings_leaderboard.py",
    ),
    Mutation(
        "Who left does not count in a squad's standing",
        "bytes_squads/sql/squads.py",
        "        WHERE owner.left_at IS NULL\n",
        "",
        "tests/operations/test_squad_standings.py tests/operations/test_members_left.py",
    ),
    Mutation(
        "Who leaves has no seat",
        "bytes_squads/sql/guilds.py",
        "AND ($3::timestamptz IS NULL OR NOT EXISTS (",
        "AND ($3::timestamptz IS NULL OR $1::text <> '' OR NOT EXISTS (",
        "tests/operations/test_members_left.py",
    ),
    Mutation(
        "The history is of one kind",
        "bytes_squads/sql/queries.py",
        "\n      AND ($6::text IS NULL OR kind = $6::text)",
        "\n      AND ($6::text IS NULL OR true)",
        "tests/operations/test_bytes_reads.py",
    ),
    Mutation(
        "The history begins at an instant",
        "bytes_squads/sql/queries.py",
        "AND created_at >= $5::timestamptz\n",
        "AND $5::timestamptz IS NOT NULL\n",
        "tests/operations/test_bytes_reads.py",
    ),
    Mutation(
        "An export has only the member's own names",
        "bytes_squads/sql/privacy.py",
        'f"{party}_username", table="entry"',
        '"giver_username", "receiver_username", table="entry"',
        "tests/operations/test_export_member.py",
    ),
    Mutation(
        "An erasure locks the member first",
        "bytes_squads/sql/privacy.py",
        "WHERE guild_id = $1::text AND user_id = $2::text FOR UPDATE",
        "WHERE guild_id = $1::text AND user_id = $2::text",
        "tests/operations/test_erase_member.py",
    ),
    Mutation(
        "An erasure of an unknown member leaves parties alone",
        "bytes_squads/sql/privacy.py",
        '_IS_RECEIVER = "($5::boolean AND receiver_id = $2::text)"',
        '_IS_RECEIVER = "($5::boolean IS NOT NULL AND receiver_id = $2::text)"',
        "tests/operations/test_erase_member.py",
    ),
    Mutation(
        "An erasure removes the digests of the member's bulk requests",
        "bytes_squads/operations/guilds.py",
        "            await execute_in_block(db, privacy.REMOVE_DIGESTS, guild, user)\n",
        "",
        "tests/operations/test_erase_member.py",
    ),
    Mutation(
        "An erasure empties the member's reasons",
        "bytes_squads/sql/privacy.py",
        "{_IS_RECEIVER} THEN NULL\n",
        "{_IS_RECEIVER} THEN reason\n",
        "tests/operations/test_erase_member.py",
    ),
    Mutation(
        "A pseudonym is nobody's id",
        "bytes_squads/operations/guilds.py",
        '            if not rows[0]["is_used"]:\n',
        "            if rows:\n",
        "tests/operations/test_erase_member.py",
    ),
    Mutation(
        "A lost COMMIT of an erasure is looked for",
        "bytes_squads/operations/guilds.py",
        "check = CommitCheck(privacy.FIND_ERASURE, (guild, pseudonym), committed_if_absent=False)",
        "check = CommitCheck(privacy.FIND_ERASURE, (guild, user), committed_if_absent=False)",
        "tests/laws/test_lost_commits.py",
    ),
    Mutation(
        "A deletion locks the members",
        "bytes_squads/sql/privacy.py",
        "        ORDER BY user_id FOR UPDATE\n",
        "        ORDER BY user_id\n",
        "tests/operations/test_delete_guild.py",
    ),
    Mutation(
        "A deletion deletes what was committed in between",
        "bytes_squads/operations/guilds.py",
        '                if not rows[0]["has_rows"]:\n',
        "                if rows:\n",
        "tests/operations/test_delete_guild.py",
    ),
    Mutation(
        "A lost COMMIT of a caller's deletion is not guessed",
        "bytes_squads/operations/guilds.py",
        "conclusive = not run.is_nested and (",
        "conclusive = (",
        "tests/laws/test_lost_commits.py",
    ),
    Mutation(
        "An idempotency key is looked up first",
        "bytes_squads/sql/statement.py",
        "CASE WHEN {repeated} THEN 'repeated'",
        "CASE WHEN false AND {repeated} THEN 'repeated'",
        "tests/laws/test_idempotency.py",
    ),
    Mutation(
        "The content of a request is compared with its key's",
        "bytes_squads/operations/ledger.py",
        "for name in _CONTENT)",
        "for name in ())",
        "tests/laws/test_concurrency.py tests/laws/test_idempotency.py",
    ),
    Mutation(
        "The seats of a squad are counted",
        "bytes_squads/sql/squads.py",
        "AND {_SEATS_TAKEN} >= squad.max_members",
        "AND {_SEATS_TAKEN} >= 2147483647",
        "tests/laws/test_concurrency.py tests/operations/test_squad_memberships.py",
    ),
    Mutation(
        "A seat that was taken since the snapshot is counted",
        "bytes_squads/sql/squads.py",
        "          AND squads.max_members IS NOT NULL AND verdict.outcome = 'done'",
        "          AND false",
        "tests/laws/test_concurrency.py",
    ),
    Mutation(
        "An operation is shielded from its caller's cancel",
        "bytes_squads/engine/tasks.py",
        "        return await result\n",
        "        return await task\n",
        "tests/laws/test_cancellation.py",
    ),
    Mutation(
        "A cancelled block releases its connection first",
        "bytes_squads/engine/tasks.py",
        "    if asyncio.current_task() in running_tasks:",
        "    if True:",
        "tests/laws/test_cancellation.py",
    ),
    Mutation(
        "A cancelled waiter gets CancelledError, also while the database is closed",
        "bytes_squads/engine/tasks.py",
        " or (current and current.cancelling())",
        "",
        "tests/engine/test_cancelled_waiters.py",
    ),
    Mutation(
        "Operations gathered in a block run one after another",
        "bytes_squads/engine/transaction.py",
        "    state = _state_of(client)\n    async with state.lock:\n",
        "    state = _state_of(client)\n    async with asyncio.Lock():\n",
        "tests/laws/test_transactions.py",
    ),
    Mutation(
        "No operation begins after its block has ended",
        "bytes_squads/engine/transaction.py",
        "        if state.ended or is_finished(client):\n",
        "        if False:\n",
        "tests/laws/test_transactions.py tests/laws/test_cancellation.py",
    ),
    Mutation(
        "Conflicts and lost connections are retried",
        "bytes_squads/engine/operation.py",
        "            if loop.time() + pause > deadline:\n",
        "            if True:\n",
        "tests/laws/test_concurrency.py tests/laws/test_faults.py",
    ),
    Mutation(
        "The outcome of a single statement whose answer was lost is found out",
        "bytes_squads/engine/operation.py",
        "                if found is not None:\n",
        "                if False:\n",
        "tests/laws/test_faults.py",
    ),
    Mutation(
        "The outcome of a lost COMMIT is found out: committed",
        "bytes_squads/engine/commit_checks.py",
        "return rows if committed else None",
        "return rows",
        "tests/laws/test_faults.py",
    ),
    Mutation(
        "The outcome of a lost COMMIT is found out: not committed",
        "bytes_squads/engine/commit_checks.py",
        "return rows if committed else None",
        "return None",
        "tests/laws/test_faults.py",
    ),
    Mutation(
        "The server process is ended before an operation counts as not done",
        "bytes_squads/engine/commit_checks.py",
        "        while await execute(connection, END_BACKEND, lost.pid, lost.started):",
        "        while False:",
        "tests/laws/test_late_packets.py",
    ),
    Mutation(
        "Behind a pooler an absent row is no proof",
        "bytes_squads/engine/commit_checks.py",
        "(False if direct and False in results else None)",
        "(False if False in results else None)",
        "tests/laws/test_late_packets.py",
    ),
    Mutation(
        "An absent config is no proof",
        "bytes_squads/operations/bytes.py",
        "check=CommitCheck(GET_SAVED_CONFIG, (guild, saved_at)),",
        "check=CommitCheck(GET_SAVED_CONFIG, (guild, saved_at), committed_if_absent=False),",
        "tests/laws/test_faults.py",
    ),
    Mutation(
        "BEGIN names its isolation level",
        "bytes_squads/engine/connections.py",
        '"BEGIN ISOLATION LEVEL READ COMMITTED;"',
        '"BEGIN;"',
        "tests/laws/test_isolation_levels.py",
    ),
    Mutation(
        "The server ends a block that sends nothing",
        "bytes_squads/engine/connections.py",
        "SET LOCAL idle_in_transaction_session_timeout = {round(IDLE_TIMEOUT * 1000)}",
        "SELECT 1",
        "tests/engine/test_half_open.py",
    ),
    Mutation(
        "A commit that was cut off waits for the standby again",
        "bytes_squads/engine/commit_checks.py",
        '            if settings["synchronous"]:\n',
        "            if False:\n",
        "tests/engine/test_standby.py",
    ),
    Mutation(
        "A cancelled wait for the standby is detected",
        "bytes_squads/engine/_tortoise.py",
        "            self.unconfirmed = True\n",
        "            pass\n",
        "tests/engine/test_standby.py",
    ),
    Mutation(
        "A block begins on a new connection if the idle one is lost",
        "bytes_squads/engine/connections.py",
        "if not spare or loop.time() > deadline or translate_loss(error) is None:\n",
        "if error:\n",
        "tests/engine/test_lost_connections.py",
    ),
    Mutation(
        "A former primary is refused",
        "bytes_squads/engine/servers.py",
        "        if newest is not None and system == newest.system and number < newest.number:\n",
        "        if False:\n",
        "tests/engine/test_lost_connections.py tests/engine/test_failover.py",
    ),
    Mutation(
        "The outcome of a lost COMMIT is looked up on the primary",
        "bytes_squads/engine/connections.py",
        '"target_session_attrs": "primary"',
        '"target_session_attrs": "any"',
        "tests/engine/test_failover.py",
    ),
    Mutation(
        "A read-only server's host is tried last",
        "bytes_squads/engine/connections.py",
        "            avoid_server_of(self._connection)\n",
        "",
        "tests/engine/test_failover.py",
    ),
    Mutation(
        "SQLite's transactions begin with the write lock",
        "bytes_squads/engine/execution.py",
        '"BEGIN IMMEDIATE"',
        '"BEGIN"',
        "tests/laws/test_concurrency.py tests/engine/test_busy_sqlite.py",
    ),
    Mutation(
        "A refused block is rolled back",
        "bytes_squads/engine/transaction.py",
        "self._db.savepoint_rollback() if self._nested else self._db.rollback()",
        "self._db.release_savepoint() if self._nested else self._db.commit()",
        "tests/laws/test_transactions.py",
    ),
    Mutation(
        "The amount of a ledger row is final",
        "migrations/bytes_squads/1_20261122121000_ledger_is_final.py",
        """OLD."amount" IS NOT NEW."amount\"""",
        "false",
        "tests/schema/test_final_ledger.py",
    ),
    Mutation(
        "verify adds up sent bytes",
        "bytes_squads/sql/queries.py",
        "OR sent_high <> total_sent >> 32 OR sent_low <> total_sent & 4294967295",
        "",
        "tests/operations/test_verify.py",
    ),
    Mutation(
        "An archive is of one snapshot",
        "bytes_squads/engine/connections.py",
        '"BEGIN ISOLATION LEVEL REPEATABLE READ;"',
        '"BEGIN"',
        "tests/archive/test_archive.py",
    ),
    Mutation(
        "A truncated archive is detected by its counts",
        "bytes_squads/archive/format.py",
        "        if found != record.values():\n",
        "        if found is None:\n",
        "tests/archive/test_archive.py",
    ),
    Mutation(
        "An archive is imported into an empty guild only",
        "bytes_squads/archive/importer.py",
        "    if found:\n",
        "    if not counts:\n",
        "tests/archive/test_archive.py",
    ),
    Mutation(
        "An archive's balances are verified before it is committed",
        "bytes_squads/archive/importer.py",
        "        if not report.ok:\n",
        "        if report is None:\n",
        "tests/archive/test_archive.py",
    ),
    Mutation(
        "An archive's rows are sent to their end despite a cancel",
        "bytes_squads/archive/importer.py",
        "await run_to_completion(execute_many(db, statement, rows))",
        "await execute_many(db, statement, rows)",
        "tests/archive/test_archive.py",
    ),
    Mutation(
        "A text is stored as the builtin value, not as its str()",
        "bytes_squads/domain/validation.py",
        "return str.__str__(value)",
        "return str(value)",
        "tests/laws/test_values.py",
    ),
    Mutation(
        "A number is stored as the builtin value, not as its int()",
        "bytes_squads/domain/validation.py",
        "return int.__add__(value, 0)",
        "return int(value)",
        "tests/laws/test_values.py",
    ),
    Mutation(
        "An operation validates its input again",
        "bytes_squads/schemas.py",
        "    return model(\n",
        "    return value\n    return model(\n",
        "tests/laws/test_inputs.py",
    ),
    Mutation(
        "A claim in an archive has the details of its result",
        "bytes_squads/archive/records.py",
        '        or set(details) != {"streak", "multiplier", "claimed_on", "balance"}\n',
        "",
        "tests/archive/test_archive_hostile.py tests/archive/test_archive_version_1.py",
    ),
    Mutation(
        "A streak in an archive fits the calendar",
        "bytes_squads/archive/records.py",
        "        if self.streak_count > days:\n",
        "        if days < 0:\n",
        "tests/archive/test_archive_hostile.py",
    ),
    Mutation(
        "One of several processes applies the migrations",
        "migrations/bytes_squads/3_20261124232000_one_place_for_keys.py",
        '    \'SELECT "member"."claim_key" FROM "bytes_balances" AS "member" LIMIT 0\',\n',
        "",
        "tests/schema/test_keys_on_ledger.py",
    ),
)


def mutate(mutation: Mutation, root: Path) -> None:
    """Take the safeguard out of the checkout under ``root``."""
    path = root / mutation.file
    text = path.read_text()
    path.write_text(text.replace(mutation.there, mutation.gone))


def failures(mutation: Mutation) -> list[str]:
    """The names of the tests that fail without the safeguard."""
    with tempfile.TemporaryDirectory(prefix="bs_mutant_") as folder:
        root = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns(".*", "*.db*", "__pycache__")
        shutil.copytree(ROOT, root, ignore=ignored)
        mutate(mutation, root)
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "--maxfail=40"]
        environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                [*command, *mutation.tests.split()],
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ["(hung)"]
    found = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    if done.returncode > 1:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return list(dict.fromkeys(found))


def main() -> int:
    """Print, for each safeguard, the tests that notice when it is gone."""
    chosen = [m for m in MUTATIONS if all(word in m.safeguard for word in sys.argv[1:])]
    unnoticed = 0
    for mutation in chosen:
        noticed = failures(mutation)
        unnoticed += not noticed
        names = ", ".join(f"`{name}`" for name in noticed[:3]) or "**nobody**"
        more = f" and {len(noticed) - 3} more" if len(noticed) > 3 else ""
        print(f"| {mutation.safeguard} | {names}{more} |", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    raise SystemExit(main())
