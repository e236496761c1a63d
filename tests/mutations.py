"""Do the tests have teeth? Take out one safeguard at a time, and see which tests fail.

Each mutation replaces a piece of the package in a copy of the checkout and runs the tests that are
meant to notice. ``make mutants`` runs them all and fails when one goes unnoticed;
`test_architecture` checks that every piece is still there.
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

ROOT = Path(__file__).parent.parent
SECONDS = 300
"""How long a run may take; one that hangs has noticed as well."""


@dataclass(frozen=True)
class Mutation:
    """A safeguard and how to take it out."""

    safeguard: str
    file: str
    there: str
    gone: str
    tests: str


_MEET = (
    "            config = await ledger.meet("
    "db, row.guild_id, ledger.parties(row), row.created_at)\n"
)

MUTATIONS = (
    Mutation(
        "Rows are locked in one order",
        "bytes_squads/sql/movements.py",
        "        ORDER BY user_id FOR UPDATE\n",
        "        ORDER BY balance FOR UPDATE\n",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "Rows are locked before they are looked at",
        "bytes_squads/sql/movements.py",
        "        ORDER BY user_id FOR UPDATE\n",
        "        ORDER BY user_id\n",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "What is changed is what was locked, not what was there when the statement began",
        "bytes_squads/sql/movements.py",
        "        balance = judged.balance\n",
        "        balance = member.balance\n",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "New members are welcomed before any row is locked",
        "bytes_squads/operations/bytes.py",
        f"{_MEET}            if await ledger.settle(db, row):\n                return row\n",
        f"            if await ledger.settle(db, row):\n                return row\n{_MEET}",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "An event changes rows as they were locked, whole",
        "bytes_squads/sql/events.py",
        "        total_sent = willing.total_sent,\n",
        "",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "Who has too little is refused: in the one statement",
        "bytes_squads/sql/movements.py",
        "WHEN balance < $7::bigint THEN 0",
        "WHEN balance < 0 THEN 0",
        "tests/test_concurrency.py tests/test_transfers.py",
    ),
    Mutation(
        "Who has too little is refused: with the reason",
        "bytes_squads/operations/ledger.py",
        "giver.balance < row.amount",
        "giver.balance < 0",
        "tests/test_concurrency.py tests/test_transfers.py",
    ),
    Mutation(
        "A day already claimed is refused",
        "bytes_squads/operations/bytes.py",
        "if member.last_daily is not None and member.last_daily >= today:",
        "if False:",
        "tests/test_concurrency.py tests/test_daily.py",
    ),
    Mutation(
        "The member is locked while the day is looked at",
        "bytes_squads/sql/movements.py",
        '    FOR UPDATE OF member\n    """,\n    {KEY_LOCKED',
        '    """,\n    {KEY_LOCKED',
        "tests/test_concurrency.py",
    ),
    Mutation(
        "The cooldown trusts the ledger only if the giver has not moved since",
        "bytes_squads/sql/movements.py",
        "    total_sent = (\n        SELECT total_sent FROM",
        "    0 <= (\n        SELECT total_sent FROM",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "An idempotency key is looked up first",
        "bytes_squads/operations/ledger.py",
        "    if key is None and not retried():\n",
        "    if not retried():\n",
        "tests/test_concurrency.py tests/test_idempotency.py",
    ),
    Mutation(
        "The content of an order is compared with its key's",
        "bytes_squads/operations/ledger.py",
        'for name in ("kind", "giver_id", "receiver_id", "amount", "reason", "details")',
        "for name in ()",
        "tests/test_concurrency.py tests/test_idempotency.py",
    ),
    Mutation(
        "Orders with one key wait for each other",
        "bytes_squads/operations/ledger.py",
        'if key is not None and db.capabilities.dialect == "postgres":',
        "if False:",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "The places of a squad are counted",
        "bytes_squads/sql/squads.py",
        "WHERE $6::int IS NULL OR $6::int > (",
        "WHERE $6::int IS NULL OR 0 <= (",
        "tests/test_concurrency.py tests/test_squad_memberships.py",
    ),
    Mutation(
        "The squad is locked while its members are counted",
        "bytes_squads/sql/squads.py",
        "id = $2::uuid\n    FOR UPDATE\n",
        "id = $2::uuid\n",
        "tests/test_concurrency.py",
    ),
    Mutation(
        "An operation is shielded from its caller's cancel",
        "bytes_squads/engine/tasks.py",
        "        return await answer\n",
        "        return await task\n",
        "tests/test_cancellation.py",
    ),
    Mutation(
        "A block gives its connection back before a cancel goes on",
        "bytes_squads/engine/tasks.py",
        "    if asyncio.current_task() in running:  # nobody cancels an operation's own task\n",
        "    if True:\n",
        "tests/test_cancellation.py",
    ),
    Mutation(
        "Operations gathered in a block take turns",
        "bytes_squads/engine/transaction.py",
        "    scope = _scope(client)\n    async with scope.lock:\n",
        "    scope = _scope(client)\n    async with asyncio.Lock():\n",
        "tests/test_transactions.py",
    ),
    Mutation(
        "Nothing begins after its block has ended",
        "bytes_squads/engine/transaction.py",
        "        if scope.ended or client._finalized:\n",
        "        if False:\n",
        "tests/test_transactions.py tests/test_cancellation.py",
    ),
    Mutation(
        "Conflicts and lost connections are retried",
        "bytes_squads/engine/transaction.py",
        "            if loop.time() + pause > deadline:\n",
        "            if True:\n",
        "tests/test_concurrency.py tests/test_faults.py",
    ),
    Mutation(
        "A statement of its own that broke is asked for as well",
        "bytes_squads/engine/transaction.py",
        "            or not await _was_committed(this.client, trace, pid, error)\n",
        "            or True\n",
        "tests/test_faults.py",
    ),
    Mutation(
        "A broken COMMIT is asked for, not guessed: done",
        "bytes_squads/engine/transaction.py",
        "return bool(await statement.rows(db, *values))",
        "return True",
        "tests/test_faults.py",
    ),
    Mutation(
        "A broken COMMIT is asked for, not guessed: not done",
        "bytes_squads/engine/transaction.py",
        "return bool(await statement.rows(db, *values))",
        "return False",
        "tests/test_faults.py",
    ),
    Mutation(
        "What the server did not record did not happen",
        "bytes_squads/sql/statement.py",
        "!= _NOTHING_RECORDED",
        "is not None",
        "tests/test_transfers.py tests/test_idempotency.py",
    ),
    Mutation(
        "SQLite's transactions begin with the write lock",
        "bytes_squads/sql/statement.py",
        '"BEGIN IMMEDIATE"',
        '"BEGIN"',
        "tests/test_concurrency.py tests/test_busy_sqlite.py",
    ),
    Mutation(
        "A refused block is rolled back",
        "bytes_squads/engine/transaction.py",
        "self._db.savepoint_rollback() if self._nested else self._db.rollback()",
        "self._db.release_savepoint() if self._nested else self._db.commit()",
        "tests/test_transactions.py",
    ),
    Mutation(
        "The amount of a ledger row is final",
        "migrations/bytes_squads/1_20261122121000_ledger_is_final.py",
        """OLD."amount" IS NOT NEW."amount\"""",
        "false",
        "tests/test_final_ledger.py",
    ),
    Mutation(
        "verify adds up what was sent",
        "bytes_squads/sql/reads.py",
        "OR sent_high <> total_sent >> 32 OR sent_low <> total_sent & 4294967295",
        "",
        "tests/test_verify.py",
    ),
    Mutation(
        "An archive is of one moment",
        "bytes_squads/engine/snapshot.py",
        '"BEGIN ISOLATION LEVEL REPEATABLE READ"',
        '"BEGIN"',
        "tests/test_archive.py",
    ),
    Mutation(
        "An archive that was cut off is noticed by its counts",
        "bytes_squads/archive/format.py",
        "        if found != line.values():\n",
        "        if found is None:\n",
        "tests/test_archive.py",
    ),
    Mutation(
        "An archive goes into an empty guild only",
        "bytes_squads/archive/importer.py",
        "    if found:\n",
        "    if not there:\n",
        "tests/test_archive.py",
    ),
    Mutation(
        "An archive's books are checked before it is committed",
        "bytes_squads/archive/importer.py",
        "        if not report.ok:\n",
        "        if report is None:\n",
        "tests/test_archive.py",
    ),
    Mutation(
        "An archive's rows are sent to their end, whoever cancels",
        "bytes_squads/archive/importer.py",
        "await finish(insert.many(db, rows))",
        "await insert.many(db, rows)",
        "tests/test_archive.py",
    ),
    Mutation(
        "A text is stored as what it is, not as its str() says",
        "bytes_squads/domain/validation.py",
        "return str.__str__(value)",
        "return str(value)",
        "tests/test_values.py",
    ),
    Mutation(
        "A number is stored as what it is, not as its int() says",
        "bytes_squads/domain/validation.py",
        "return int.__add__(value, 0)",
        "return int(value)",
        "tests/test_values.py",
    ),
    Mutation(
        "An operation validates its input again",
        "bytes_squads/schemas.py",
        "    return model(\n",
        "    return value\n    return model(\n",
        "tests/test_inputs.py",
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
