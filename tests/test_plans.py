"""What the databases do for a statement: only through indexes, and no rows that nobody asked for.

On PostgreSQL the statement is executed by the plan it has for any values, the one that a prepared
statement of a bot ends up with, and the rows that each scan touched are counted. SQLite tells how
it will search.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from big_guild import make_guild, user
from databases import is_postgres

import bytes_squads
from bytes_squads.domain.rules import wall_time
from bytes_squads.engine import commit_checks as traces
from bytes_squads.sql import movements, reads, squads
from bytes_squads.sql.statement import Pair, Statement
from conftest import GUILD, OTHER_GUILD

MEMBERS = 3_000
"""Ten ledger rows each; fewer, and PostgreSQL would rather read a whole table than an index."""

LARGE = {"bytes_balances", "bytes_transactions", "squad_memberships"}
"""The tables that grow with a guild; of guilds and squads there are few, however read."""

WALK = re.compile(r"SCAN (bytes_balances|bytes_transactions|squad_memberships|me|member|other|has)")
"""A step of SQLite's that reads a whole table or index, by the names they have in statements."""

NOW = wall_time() + timedelta(days=1)
SEEN = NOW, UUID(int=2**128 - 1)
ALICE, BOB = user(17), user(1_234)

# Each member's balance is 100, and ids have the same length: seventeen are above member 17.
READS: dict[str, tuple[Statement, tuple[Any, ...], int]] = {
    "balance": (reads.BALANCE, (GUILD, ALICE), 1),
    "config and two members": (movements.MEET, (GUILD, ALICE, BOB), 2),
    "a member who claims": (movements.HOLD, (GUILD, ALICE, None), 1),
    "top ten": (reads.LEADERS, (GUILD, 10, 0), 10),
    "rank of the eighteenth": (reads.RANK, (GUILD, ALICE), 1 + 17),
    "earned roles": (reads.EARNED, (GUILD, ALICE), 1),
    "history of the guild": (reads.HISTORY, (GUILD, 20, *SEEN), 20),
    "history of a member": (reads.MEMBER_HISTORY, (GUILD, 5, *SEEN, ALICE), 5 + 5),
    "last transfer": (movements.LAST_TRANSFER, (GUILD, ALICE), 1),
    "a ledger row": (traces.LEDGER_ROW_EXISTS, (GUILD, UUID(int=int(GUILD) << 64)), 1),
    "a key that was used": (movements.KEY_USED, (GUILD, "key 1", None), 1),
    "a key that was not": (movements.KEY_USED, (GUILD, "none", None), 0),
    "squads": (squads.SQUADS, (GUILD, True), MEMBERS),
    "standings": (squads.STANDINGS, (GUILD, 10), MEMBERS + MEMBERS),
}
"""Each with its values, and the most rows of large tables that it may touch."""


def transfer(key: str | None) -> tuple[Any, ...]:
    """The values of a transfer of one byte."""
    ids = UUID(int=1), GUILD, ALICE, "", BOB, ""
    return *ids, 1, None, NOW, "transfer", None, key, None, NOW


# Two rows are looked up and locked, and found once more to be changed.
WRITES: dict[str, tuple[Pair, tuple[Any, ...], int]] = {
    "transfer": (movements.settlement("transfer", None), transfer(None), 2 + 2),
    "transfer with a key": (movements.settlement("transfer", "new"), transfer("new"), 2 + 2),
}
COOLDOWN = 2 * (1 + 1)
"""For both rows, though it is the giver's that counts: the sum sent before, and the last row."""


@pytest.fixture
async def lived(migrated_url: str) -> str:
    """A guild of thousands, one of hundreds, and what the planner knows of them."""
    await bytes_squads.init(migrated_url)
    try:
        await make_guild(GUILD, MEMBERS)
        await make_guild(OTHER_GUILD, 300)
    finally:
        await bytes_squads.close()
    await execute(migrated_url, "VACUUM")  # as autovacuum leaves it, so that indexes are enough
    await execute(migrated_url, "ANALYZE")
    return migrated_url


async def execute(url: str, statement: str) -> None:
    if is_postgres(url):
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)) as file:
            file.execute(statement)


def literal(value: Any) -> str:
    """A value as PostgreSQL's EXECUTE takes it."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'{}'".format(str(value).replace("'", "''"))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def scans(url: str, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """How large tables are read by the plan for any values, executed; then all is undone."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked AS {statement}")
        call = f"asked ({', '.join(map(literal, values))})"
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {call}")
    finally:
        await transaction.rollback()
        await connection.close()
    (explained,) = json.loads(found)
    return [
        node
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") in LARGE and node["Node Type"] != "ModifyTable"
    ]


def touched(scan: dict[str, Any]) -> int:
    """The rows that a scan looked at, those that it then threw away included."""
    removed = sum(value for name, value in scan.items() if name.startswith("Rows Removed"))
    return round((scan["Actual Rows"] + removed) * scan["Actual Loops"])


def walks(url: str, statement: Statement, values: tuple[Any, ...]) -> list[str]:
    """The steps in which SQLite would read a whole large table."""
    explain = f"EXPLAIN QUERY PLAN {statement.sqlite}"
    with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
        steps = [str(row[3]) for row in file.execute(explain, statement.bound(values))]
    return [step for step in steps if WALK.match(step)]


async def check(url: str, name: str, sql: str, values: tuple[Any, ...], most: int) -> None:
    """On PostgreSQL: every large table through an index, and no more rows than that."""
    found = await scans(url, sql, values)

    assert (name, [scan for scan in found if scan["Node Type"] == "Seq Scan"]) == (name, [])
    assert sum(map(touched, found)) <= most, name


async def test_reads_touch_what_they_show(lived: str) -> None:
    """Each read goes through an index and looks at no row that its answer does not need."""
    for name, (statement, values, most) in READS.items():
        if is_postgres(lived):
            await check(lived, name, statement.postgres, values, most)
        else:
            assert (name, walks(lived, statement, values)) == (name, [])


@pytest.mark.parametrize("hours", [0, 1])
async def test_a_transfer_touches_two_rows(lived: str, hours: int) -> None:
    """However large the guild: the two members, and with a cooldown the giver's last row."""
    await execute(lived, f"UPDATE bytes_configs SET transfer_cooldown_hours = {hours}")
    for name, (pair, values, most) in WRITES.items():
        if is_postgres(lived):
            await check(lived, name, pair.postgres, values, most + COOLDOWN * hours)
        else:
            assert (name, walks(lived, pair._change, values)) == (name, [])
