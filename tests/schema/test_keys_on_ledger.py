"""Moving idempotency keys onto the ledger in a database that is in use, and back."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from helpers import ALICE, BOB, CAROL, GUILD, OTHER_GUILD
from helpers.migrations import VERSIONS, copy_migrations, run_aerich, upgrade_in_processes
from helpers.schema_introspection import applied_versions, is_postgres, list_objects, query

import bytes_squads
from bytes_squads import BytesBalance, BytesOperations, BytesTransaction, SquadMembership
from bytes_squads.engine._tortoise import column_names
from bytes_squads.engine.driver_errors import DRIVER_ERRORS

(KEYS,) = (number for number, version in enumerate(VERSIONS) if "one_place_for_keys" in version)
LATER = {"last_transfer_at", "left_at", "reverses_id"}
"""Columns that the tables do not have before this migration."""
DAVE = "200000000000000004"
RED, BLUE = "01951000-0000-7000-8000-0000000000aa", "01951000-0000-7000-8000-0000000000bb"
OTHER_RED = "01951000-0000-7000-8000-0000000000cc"

MADE = "2026-02-01 00:00:00+00:00"
CLAIMED = '{"streak":3,"multiplier":1,"claimed_on":"2026-03-02","balance":70}'


def entry(number: int, **columns: Any) -> dict[str, Any]:
    """Return a row of the ledger as migration 2 stores it; the number orders the rows by time."""
    return {
        "guild_id": GUILD,
        "id": f"01951000-0000-7000-8000-0000000001{number:02}",
        "giver_id": "SYSTEM",
        "giver_username": "",
        "receiver_id": "SYSTEM",
        "receiver_username": "",
        "created_at": f"2026-03-02 10:{number:02}:00.000007+00:00",
        **columns,
    }


def member(user_id: str, received: int, sent: int, **columns: Any) -> dict[str, Any]:
    """Return a balance row as migration 2 stores it."""
    return {
        "guild_id": GUILD,
        "user_id": user_id,
        "balance": received - sent,
        "total_received": received,
        "total_sent": sent,
        "streak_count": 3,
        "created_at": MADE,
        "updated_at": "2026-03-02 23:59:59.999999+00:00",
        **columns,
    }


def squad(squad_id: str, name: str, cost: int, guild: str = GUILD) -> dict[str, Any]:
    """Return a squad's row."""
    return {
        "guild_id": guild,
        "id": squad_id,
        "role_id": str(100 + cost),
        "name": name,
        "switch_cost": cost,
        "is_active": True,
        "created_at": MADE,
        "updated_at": MADE,
    }


def seat(user_id: str, squad_id: str, key: str | None, guild: str = GUILD) -> dict[str, Any]:
    """Return a membership as migration 2 stores it."""
    return {
        "guild_id": guild,
        "user_id": user_id,
        "squad_id": squad_id,
        "joined_at": "2026-03-02 11:30:00.250000+00:00",
        "idempotency_key": key,
    }


CLAIM = {"last_daily": "2026-03-02", "claim_details": CLAIMED}
ROWS: dict[str, list[dict[str, Any]]] = {
    "bytes_balances": [
        # The claim was the last change: its time is known.
        member(ALICE, 100, 30, **CLAIM, claim_key="claim a"),
        # The member has changed since the date of the claim.
        member(BOB, 130, 60, **CLAIM, claim_key="click", updated_at="2026-03-09 08:00:00+00:00"),
        member(
            CAROL, 110, 40, **CLAIM, claim_key="claim c", updated_at="2026-03-03 00:00:00+00:00"
        ),
        member(ALICE, 5, 0, **CLAIM, claim_key="claim a", guild_id=OTHER_GUILD),
        member("200000000000000009", 0, 0),
    ],
    "bytes_transactions": [
        entry(1, kind="starting", receiver_id=ALICE, amount=100),
        entry(2, kind="starting", receiver_id=BOB, amount=100),
        entry(3, kind="starting", receiver_id=CAROL, amount=100),
        entry(4, kind="starting", receiver_id=ALICE, amount=5, guild_id=OTHER_GUILD),
        entry(5, kind="transfer", giver_id=ALICE, receiver_id=BOB, amount=10),
        entry(6, kind="transfer", giver_id=ALICE, receiver_id=BOB, amount=20, reason="cake",
              idempotency_key="click"),
        entry(7, kind="transfer", giver_id=BOB, receiver_id=CAROL, amount=10),
        entry(8, kind="squad", giver_id=BOB, amount=50, reason="Blue", idempotency_key="join b",
              details=f'{{"how":"switch","squad_id":"{BLUE}"}}'),
        entry(9, kind="charge", giver_id=CAROL, amount=40, details='{"how":"kept"}'),
    ],
    "squads": [
        squad(RED, "Red", 0),
        squad(BLUE, "Blue", 50),
        squad(OTHER_RED, "Other red", 0, OTHER_GUILD),
    ],
    "squad_memberships": [
        seat(ALICE, RED, "join a"),
        seat(BOB, BLUE, None),
        seat(CAROL, RED, "claim c"),  # the key of a claim as well
        seat(DAVE, RED, "join d"),  # a free join did not make a member known
        seat(ALICE, OTHER_RED, "join a", OTHER_GUILD),
    ],
}  # fmt: skip
ORDER = ("squads", "bytes_balances", "bytes_transactions", "squad_memberships")


def literal(value: Any) -> str:
    """Return a value as SQL that both databases read."""
    if value is None or isinstance(value, bool | int):
        return "NULL" if value is None else str(value)
    return "'" + value.replace("'", "''") + "'"


async def execute(url: str, *statements: str) -> None:
    """Execute statements over a separate connection and commit them."""
    if is_postgres(url):
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
            file.executescript(";".join(statements))


async def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows in the form of `ROWS`, columns that are null left out."""
    found = {}
    for table in ORDER:
        names = sorted({name for row in ROWS[table] for name in row})
        rows = await query(
            url, f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(names)}"
        )
        found[table] = [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in rows
        ]
    return found


@pytest.fixture
async def used_url(empty_url: str, tmp_path: Path) -> str:
    """A database in use, with keys on balances and memberships: the migration comes next."""
    await run_aerich(empty_url, "upgrade", copy_migrations(tmp_path / "before", VERSIONS[:KEYS]))
    inserts = [
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))})"
        for table in ORDER
        for row in ROWS[table]
    ]
    await execute(empty_url, *inserts)
    return empty_url


async def moved_rows(url: str) -> list[tuple[Any, ...]]:
    """Return the rows of 0 bytes, without their ids, and check that these are of version 7."""
    await bytes_squads.init(url)
    try:
        assert (await BytesOperations().verify()).ok
        rows = await BytesTransaction.filter(amount=0)
    finally:
        await bytes_squads.close()
    for row in rows:
        assert row.id.version == 7
        assert row.id.variant == UUID(RED).variant
        assert row.id.int >> 80 == int(row.created_at.timestamp() * 1000)
    return sorted(
        (
            row.idempotency_key,
            row.guild_id,
            row.kind,
            (row.giver_id, row.giver_username),
            (row.receiver_id, row.receiver_username),
            row.reason,
            row.created_at.isoformat(),
            row.details,
            row.actor_id,
        )
        for row in rows
    )


SYSTEM = ("SYSTEM", "SYSTEM")
DETAILS = {"streak": 3, "multiplier": 1, "claimed_on": "2026-03-02", "balance": 70}


def daily(key: str, user: str, at: str, guild: str = GUILD) -> tuple[Any, ...]:
    return key, guild, "daily", SYSTEM, (user, ""), None, at, DETAILS, None


def join(key: str, user: str, guild: str = GUILD) -> tuple[Any, ...]:
    squad_id, name = (RED, "Red") if guild == GUILD else (OTHER_RED, "Other red")
    details = {"action": "join", "squad_id": squad_id}
    at = "2026-03-02T11:30:00.250000+00:00"
    return key, guild, "squad", (user, ""), SYSTEM, name, at, details, None


MOVED = [
    daily("claim a", ALICE, "2026-03-02T23:59:59.999999+00:00"),
    daily("claim a", ALICE, "2026-03-02T23:59:59.999999+00:00", OTHER_GUILD),
    daily("claim c", CAROL, "2026-03-02T00:00:00+00:00"),
    join("join a", ALICE),
    join("join a", ALICE, OTHER_GUILD),
    join("join d", DAVE),
]
"""Bob's key is that of a transfer, and Carol's join has the key of her claim: both stay there."""


async def test_upgrade_moves_each_key_onto_a_row_of_0_bytes(used_url: str) -> None:
    """Unpaid claims and free joins become ledger rows under their keys, and `verify` holds."""
    await bytes_squads.init(used_url)
    before = await BytesOperations().verify()
    await bytes_squads.close()
    await bytes_squads.upgrade(used_url)

    assert (before.ok, before.transactions) == (True, len(ROWS["bytes_transactions"]))
    assert await moved_rows(used_url) == MOVED


async def test_upgrade_keeps_every_other_value(used_url: str) -> None:
    """Balances, memberships and ledger rows do not change, except the names of details."""
    await bytes_squads.init(used_url)
    entries = [name for name in column_names(BytesTransaction) if name not in LATER]
    ledger = {row["id"]: row for row in await BytesTransaction.all().values(*entries)}
    columns = [name for name in column_names(BytesBalance) if name not in LATER]
    balances = await BytesBalance.all().order_by("id").values(*columns)
    seats = await SquadMembership.all().order_by("id").values()
    await bytes_squads.upgrade()
    for row in await BytesTransaction.exclude(amount=0).values(*entries):
        old = ledger.pop(row["id"])
        if row["kind"] == "squad":
            assert old["details"] == {"how": "switch", "squad_id": BLUE}
            old["details"] = {"action": "switch", "squad_id": BLUE}
        assert row == old
    after = (
        await BytesBalance.all().order_by("id").values(*columns),
        await SquadMembership.all().order_by("id").values(),
    )
    await bytes_squads.close()

    assert ledger == {}
    assert after == (balances, seats)


async def test_upgrade_computes_the_time_of_the_last_transfer(used_url: str) -> None:
    """Only transfers count, only as giver, and only the last one of the same guild."""
    await bytes_squads.upgrade(used_url)
    await bytes_squads.init(used_url)
    times = {
        (row.guild_id, row.user_id): row.last_transfer_at and row.last_transfer_at.isoformat()
        for row in await BytesBalance.all()
    }
    await bytes_squads.close()

    assert times == {
        (GUILD, ALICE): "2026-03-02T10:06:00.000007+00:00",
        (GUILD, BOB): "2026-03-02T10:07:00.000007+00:00",
        (GUILD, CAROL): None,
        (GUILD, "200000000000000009"): None,
        (OTHER_GUILD, ALICE): None,
    }


async def test_downgrade_moves_the_keys_back_and_upgrade_forth(used_url: str) -> None:
    """Down again, the tables are as before, except for duplicate keys; up once more."""
    before, objects = await contents(used_url), await list_objects(used_url)
    await bytes_squads.upgrade(used_url)
    await run_aerich(used_url, "downgrade", version=KEYS, delete=False)
    after = await contents(used_url)
    for table, user, column in (
        ("bytes_balances", BOB, "claim_key"),
        ("bytes_balances", BOB, "claim_details"),
        ("squad_memberships", CAROL, "idempotency_key"),
    ):
        (row,) = (row for row in before[table] if row["user_id"] == user)
        del row[column]

    assert await list_objects(used_url) == objects
    assert {table: by_value(rows) for table, rows in after.items()} == {
        table: by_value(rows) for table, rows in before.items()
    }
    assert await bytes_squads.upgrade(used_url) == VERSIONS[KEYS:]
    assert await moved_rows(used_url) == MOVED


def by_value(rows: list[dict[str, Any]]) -> Counter[str]:
    """Return the rows without an order, with parsed JSON."""
    return Counter(
        str(
            [
                (name, sorted(json.loads(value).items()) if name.endswith("details") else value)
                for name, value in sorted(row.items())
            ]
        )
        for row in rows
    )


async def test_downgrade_deletes_rows_that_the_old_tables_cannot_hold(used_url: str) -> None:
    """Free acts that are not a member's last are deleted with their keys."""
    await bytes_squads.upgrade(used_url)
    await bytes_squads.init(used_url)
    act = {"guild_id": GUILD, "amount": 0, "giver_username": "", "receiver_username": ""}
    system = {"giver_id": "SYSTEM", "receiver_id": ALICE}
    old = DETAILS | {"claimed_on": "2026-03-01"}
    left = {"action": "leave", "squad_id": RED}
    joined = (await SquadMembership.get(guild_id=GUILD, user_id=ALICE)).joined_at
    by_alice = {"giver_id": ALICE, "receiver_id": "SYSTEM", "created_at": joined}
    for row in (
        act | system | {"kind": "starting"},
        act | system | {"kind": "daily", "idempotency_key": "older", "details": old},
        act | by_alice | {"kind": "squad", "idempotency_key": "left", "details": left},
    ):
        await BytesTransaction.create(**row)
    await bytes_squads.close()
    await run_aerich(used_url, "downgrade", version=KEYS, delete=False)
    ids = {str(id_) for (id_,) in await query(used_url, "SELECT id FROM bytes_transactions")}
    keys = await query(used_url, "SELECT claim_key FROM bytes_balances ORDER BY guild_id, user_id")

    assert ids == {row["id"] for row in ROWS["bytes_transactions"]}
    assert keys == [("claim a",), (None,), ("claim c",), (None,), ("claim a",)]


async def test_upgrade_keeps_surrogate_keys_from_coming_back(used_url: str) -> None:
    """The id of a deleted row is not given to another row after the tables were built again."""
    insert = (
        "INSERT INTO squad_memberships (guild_id, user_id, squad_id, joined_at) "
        f"VALUES ('{GUILD}', '77', '{RED}', '{MADE}')"
    )
    await execute(used_url, insert)
    ((gone,),) = await query(used_url, "SELECT id FROM squad_memberships WHERE user_id = '77'")
    await execute(used_url, "DELETE FROM squad_memberships WHERE user_id = '77'")
    await bytes_squads.upgrade(used_url)
    await execute(used_url, insert)
    ((new,),) = await query(used_url, "SELECT id FROM squad_memberships WHERE user_id = '77'")

    assert new == gone + 1


async def test_upgrades_by_several_processes_move_each_key_once(used_url: str) -> None:
    """One process moves the keys; the others wait and do nothing."""
    await upgrade_in_processes(used_url, 3)

    assert await applied_versions(used_url) == VERSIONS
    assert await moved_rows(used_url) == MOVED


async def test_upgrade_by_a_late_process_changes_nothing(used_url: str) -> None:
    """A process that did not see the version recorded fails before it has moved anything."""
    await bytes_squads.upgrade(used_url)
    version = VERSIONS[KEYS]
    await execute(used_url, f"DELETE FROM aerich WHERE version = '{version}'")
    with pytest.raises(DRIVER_ERRORS, match=r"claim_key|uq_squad_memberships_guild_id_idem"):
        await run_aerich(used_url, "upgrade")

    assert version not in await applied_versions(used_url)
    assert await moved_rows(used_url) == MOVED
