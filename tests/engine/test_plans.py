"""Plans of statements: indexes only, and no unneeded rows.

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
from helpers import GUILD, OTHER_GUILD
from helpers.big_guild import BEGAN, make_guild, member_id
from helpers.schema_introspection import is_postgres

import bytes_squads
from bytes_squads import BytesOperations
from bytes_squads.domain.rules import wall_time
from bytes_squads.engine.execution import bind_sqlite
from bytes_squads.sql import (
    bulk_grants,
    claims,
    configs,
    guilds,
    members,
    postings,
    queries,
    reset_balances,
    reversals,
    set_balances,
    squads,
)
from bytes_squads.sql.statement import PostingStatement, Statement

MEMBERS = 3_000
"""Ten ledger rows each; fewer, and PostgreSQL would rather read a whole table than an index."""

LARGE = {"bytes_balances", "bytes_transactions", "squad_memberships"}
"""The tables that grow with a guild; of guilds and squads there are few, however read."""

WALK = re.compile(
    r"SCAN (bytes_balances|bytes_transactions|squad_memberships"
    r"|member|rival|owner|entry|reversal)\b"
)
"""A step of SQLite's that reads a whole table or index, by the names they have in statements."""

NOW = wall_time() + timedelta(days=1)
SEEN = NOW, UUID(int=2**128 - 1)
PERIOD = BEGAN + timedelta(seconds=2), BEGAN + timedelta(milliseconds=2_010)
ALICE, BOB = member_id(17), member_id(1_234)

# Each member's balance is 100, and ids have the same length: seventeen are above member 17.
READS: dict[str, tuple[Statement, tuple[Any, ...], int]] = {
    "balance": (members.GET_BALANCE, (GUILD, ALICE), 1),
    "config": (configs.GET_CONFIG, (GUILD,), 0),
    "what a claim depends on": (claims.GET_CLAIM_STATE, (GUILD, ALICE, "key 1"), 3 + 1),
    "top ten": (queries.LEADERBOARD, (GUILD, 10, 0), 10),
    "number of members": (queries.COUNT_MEMBERS, (GUILD,), MEMBERS),
    "rank of the eighteenth": (queries.GET_RANK, (GUILD, ALICE), 1 + 17),
    "role rewards": (queries.GET_ROLE_REWARDS, (GUILD, ALICE), 1),
    "history of the guild": (queries.LIST_ENTRIES, (GUILD, 20, *SEEN, BEGAN, None), 20),
    "transfers of the guild": (
        queries.LIST_ENTRIES,
        (GUILD, 20, *SEEN, BEGAN, "transfer"),
        20,
    ),
    "history since an instant": (
        queries.LIST_ENTRIES,
        (GUILD, 100, *SEEN, BEGAN + timedelta(milliseconds=9_990), None),
        30,
    ),
    "history of a member": (
        queries.LIST_MEMBER_ENTRIES,
        (GUILD, 5, *SEEN, BEGAN, None, ALICE),
        5 + 5,
    ),
    # Three entries each millisecond, and the ten members who received most.
    "earnings in a period": (
        queries.EARNINGS_LEADERBOARD,
        (GUILD, *PERIOD, 10),
        30 + 10,
    ),
    "an entry": (postings.GET_ENTRY, (GUILD, UUID(int=int(GUILD) << 64)), 1),
    "the balance to be set": (set_balances.GET_EXPECTED_BALANCE, (GUILD, ALICE), 1),
    "a commit check": (postings.FIND_POSTED_ENTRY, (GUILD, UUID(int=int(GUILD) << 64)), 1),
    "a key that was used": (postings.GET_ENTRY_BY_KEY, (GUILD, "key 1"), 1),
    "a key that was not": (postings.GET_ENTRY_BY_KEY, (GUILD, "none"), 0),
    "leaving, in a squad": (guilds.MARK_MEMBER, (GUILD, ALICE, NOW, NOW), 1 + 1 + 1 + 1),
    "period of the ledger": (guilds.GET_LEDGER_PERIOD, (GUILD, BEGAN, NOW), 1 + 1),
    "role changes": (guilds.GET_ROLE_STATE, (GUILD, ALICE), 1 + 1),
    "a member's squad": (squads.GET_MEMBER_SQUAD, (GUILD, ALICE), 1),
    "squads": (squads.LIST_SQUADS, (GUILD, True), MEMBERS),
    # Members and seats of both guilds: those of the larger one are most of the tables.
    "standings": (squads.SQUAD_LEADERBOARD, (GUILD, 10), 2 * (MEMBERS + 300)),
}
"""Each with its values, and the most rows of large tables that it may touch."""


def posting(giver: str, receiver: str, kind: str, *more: Any) -> tuple[Any, ...]:
    """The values of a posting with a key."""
    return UUID(int=1), GUILD, giver, "", receiver, "", NOW, kind, None, "new", NOW, *more


SQUAD = UUID(int=int(GUILD) << 64 | 1)

# The rows are looked up and locked, and found once more to be changed.
WRITES: dict[str, tuple[PostingStatement, tuple[Any, ...], int]] = {
    "transfer": (
        postings.POST_ENTRY,
        posting(ALICE, BOB, "transfer", 1, None, None),
        2 + 2,
    ),
    "grant": (postings.POST_ENTRY, posting("SYSTEM", BOB, "grant", 1, None, None), 1 + 1),
    "transfer, refused": (
        postings.POST_ENTRY,
        posting(ALICE, BOB, "transfer", 101, None, None),
        2 + 2 + 2,  # and once more as the statement's snapshot has them
    ),
    "claim": (
        claims.POST_DAILY_CLAIM,
        posting("SYSTEM", ALICE, "daily", 1, None, "{", NOW.date(), 0, NOW.date(), 1),
        1 + 1 + 1,
    ),
    "setting a balance": (
        set_balances.SET_BALANCE,
        posting("SYSTEM", BOB, "grant", 130, None, None),
        1 + 1,
    ),
    # The members, once more in the snapshot, and the row, which has other parties.
    "reversal": (
        reversals.POST_REVERSAL,
        posting(BOB, ALICE, "reversal", UUID(int=int(GUILD) << 64), None),
        2 + 2 + 1,
    ),
    # Member and membership, once more in the snapshot, and to be changed.
    "switch": (squads.SWITCH_SQUAD, posting(ALICE, "SYSTEM", "squad", SQUAD), 3 * 2),
    "leave": (
        squads.LEAVE_SQUAD,
        posting(ALICE, "SYSTEM", "squad")[: postings.ENTRY_PARAMETER_COUNT],
        3 * 2,
    ),
    "leave the guild": (guilds.LEAVE_GUILD, posting(ALICE, "SYSTEM", "squad"), 3 * 2),
}


@pytest.fixture
async def populated_url(migrated_url: str) -> str:
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
    if isinstance(value, list):
        return literal("{" + ",".join(f'"{item}"' for item in value) + "}")
    if isinstance(value, int):
        return str(value)
    return "'{}'".format(str(value).replace("'", "''"))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def executed_plan(
    url: str, statement: str, values: tuple[Any, ...], mode: str = "force_generic_plan"
) -> list[dict[str, Any]]:
    """Execute a statement, undo it, and return its plan's nodes; by default the plan for any."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE asked AS {statement}")
        call = f"asked ({', '.join(map(literal, values))})"
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {call}")
    finally:
        await transaction.rollback()
        await connection.close()
    (explained,) = json.loads(found)
    return list(nodes(explained["Plan"]))


async def scans(url: str, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """How large tables are read by the plan for any values."""
    return [
        node
        for node in await executed_plan(url, statement, values)
        if node.get("Relation Name") in LARGE and node["Node Type"] != "ModifyTable"
    ]


def touched(scan: dict[str, Any]) -> int:
    """The rows that a scan read, discarded ones included."""
    removed = sum(value for name, value in scan.items() if name.startswith("Rows Removed"))
    return round((scan["Actual Rows"] + removed) * scan["Actual Loops"])


def walks(url: str, texts: tuple[str, ...], values: tuple[Any, ...]) -> list[str]:
    """The steps in which SQLite would read a whole large table."""
    named = bind_sqlite(values) | dict.fromkeys(PostingStatement.COMPUTED)
    with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
        steps = [
            str(row[3])
            for text in texts
            for row in file.execute(f"EXPLAIN QUERY PLAN {text}", named)
        ]
    return [step for step in steps if WALK.match(step)]


async def check(url: str, name: str, sql: str, values: tuple[Any, ...], most: int) -> None:
    """On PostgreSQL: a statement touches no more rows of large tables than that."""
    found = await scans(url, sql, values)

    assert sum(map(touched, found)) <= most, name


async def test_reads_touch_only_the_rows_of_their_answer(populated_url: str) -> None:
    """Each read uses an index and reads only the rows of its result."""
    for name, (statement, values, most) in READS.items():
        if is_postgres(populated_url):
            await check(populated_url, name, statement.postgres, values, most)
        else:
            assert (name, walks(populated_url, statement.sqlite, values)) == (name, [])


async def test_statistics_touch_only_the_entries_of_the_period(populated_url: str) -> None:
    """Once, through the index, however many the ledger has; every member is added up."""
    since, until = PERIOD
    values = GUILD, [since], [until], [since], [until], [0]
    if is_postgres(populated_url):
        found = await scans(populated_url, guilds.GET_STATISTICS.postgres, values)
        ledger = [scan for scan in found if scan["Relation Name"] == "bytes_transactions"]
        assert [scan for scan in ledger if scan["Node Type"] == "Seq Scan"] == []
        assert sum(map(touched, ledger)) <= 30  # three entries each millisecond
    else:
        found_walks = walks(populated_url, guilds.GET_STATISTICS.sqlite, values)
        assert [step for step in found_walks if "entry" in step or "transactions" in step] == []


@pytest.mark.parametrize("hours", [0, 1])
async def test_posting_touches_only_the_rows_of_its_parties(populated_url: str, hours: int) -> None:
    """A posting reads the rows of two members, in a guild of any size."""
    await execute(populated_url, f"UPDATE bytes_configs SET transfer_cooldown_hours = {hours}")
    for name, (statement, values, most) in WRITES.items():
        if is_postgres(populated_url):
            await check(populated_url, name, statement.postgres, values, most)
        else:
            texts = statement.sqlite_verdict, *statement.sqlite_writes
            assert (name, walks(populated_url, texts, values)) == (name, [])


MANY = [member_id(number) for number in range(MEMBERS)]
NEW = [member_id(10**6 + number) for number in range(MEMBERS)]
IDS = [str(UUID(int=number)) for number in range(1, 1 + MEMBERS)]

# Rows that all nodes of the plan handle, for each member: read, lock, sort, update, insert.
BULK: dict[str, tuple[Statement | PostingStatement, tuple[Any, ...]]] = {
    "known members": (
        bulk_grants.POST_GRANTS,
        (GUILD, MANY, [1] * MEMBERS, IDS, None, NOW, None, IDS[0], "new", "{}", NOW, MEMBERS),
    ),
    "new members": (members.INSERT_MEMBERS, (GUILD, NEW, [""] * MEMBERS, IDS, NOW, NOW)),
    "all balances": (
        reset_balances.POST_RESET,
        (GUILD, IDS[0], IDS[0], 7, None, NOW, None, "new", NOW),
    ),
    "standings": (squads.SQUAD_LEADERBOARD, (GUILD, 10)),
}


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("known", ["nothing", "one member", "other guilds"])
async def test_bulk_statements_handle_each_member_a_fixed_number_of_times(
    migrated_url: str, known: str, mode: str
) -> None:
    """Also if PostgreSQL's statistics are of a time when the guild was empty or had one member."""
    for table in LARGE:
        await execute(migrated_url, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await bytes_squads.init(migrated_url)
    try:
        if known == "one member":
            await BytesOperations().grant(GUILD, member_id(10**7), 1)
        elif known == "other guilds":
            for number in range(200):
                await BytesOperations().grant(int(OTHER_GUILD) + number, ALICE, 1)
        if known != "nothing":
            await execute(migrated_url, "ANALYZE")
        await make_guild(GUILD, MEMBERS)
    finally:
        await bytes_squads.close()
    for name, (statement, values) in BULK.items():
        found = await executed_plan(migrated_url, statement.postgres, values, mode)

        assert sum(map(touched, found)) <= 40 * MEMBERS, name
        assert max(node["Actual Rows"] for node in found) >= MEMBERS, name


@pytest.mark.postgres
async def test_bulk_operation_is_planned_again_for_a_guild_that_has_grown(
    migrated_url: str,
) -> None:
    """A connection that has executed it often in a small guild does not keep that plan."""
    for table in LARGE:
        await execute(migrated_url, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    operations = BytesOperations()
    await bytes_squads.init(f"{migrated_url}{'&' if '?' in migrated_url else '?'}maxsize=1")
    try:
        await operations.grant(GUILD, MANY[0], 1)
        await execute(migrated_url, "ANALYZE")
        for number in range(10):
            await operations.grant_many(GUILD, {MANY[0]: 1})
            await operations.reset_balances(GUILD, number)
        await operations.grant_many(GUILD, dict.fromkeys(MANY, 1))
        await operations.grant_many(GUILD, dict.fromkeys(MANY, 1))
        await operations.reset_balances(GUILD, 7)
    finally:
        await bytes_squads.close()
    connection = await asyncpg.connect(migrated_url)
    try:
        read = await connection.fetchval(
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables"
            " WHERE relname = 'bytes_balances'"
        )
    finally:
        await connection.close()
    assert 3 * MEMBERS <= read <= 20 * MEMBERS
