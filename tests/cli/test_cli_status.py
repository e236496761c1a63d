"""The command `status`: present and missing rules of a database."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from typing import Any

import asyncpg
import pytest
from helpers.citus import ON_CITUS, SHARDS
from helpers.sample_guild import open_database
from helpers.schema_introspection import is_postgres

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_json, read_text, run_command

from bytes_squads.domain.schema_rules import rules_of
from bytes_squads.operations.read_only import ReadOnlyQueries


async def change(url: str, *statements: str) -> None:
    """Change the schema over another connection."""
    if is_postgres(url):
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file, file:
            for statement in statements:
                file.execute(statement)


async def test_status_of_an_upgraded_database(populated_url: str) -> None:
    """Nothing is missing: the rules are those that the migrations have made."""
    found = await read_json("status", DATABASE_URL=populated_url)
    server = "PostgreSQL " if is_postgres(populated_url) else "SQLite 3."
    assert found.pop("server").startswith(server)
    assert found.pop("database")
    assert found.pop("version")
    assert found == {
        "migrations_missing": [],
        "rules": 16 if is_postgres(populated_url) else 25,
        "rules_missing": [],
        "distribution": [SHARDS, 2] if is_postgres(populated_url) and ON_CITUS else None,
        "pool": [0, 10] if is_postgres(populated_url) else None,
    }
    text = await read_text("status", url=populated_url)
    assert "migrations missing none" in text
    assert f"all {found['rules']} present" in text


async def test_status_lists_every_rule(populated_url: str) -> None:
    """No check or trigger of the package is left out of the list."""
    async with open_database(populated_url):
        present = await ReadOnlyQueries().rules()
    assert present == rules_of(sqlite=not is_postgres(populated_url))


async def test_status_names_what_is_missing(migrated_url: str) -> None:
    """It exits with 1: a trigger, a check, a migration."""
    trigger = "DROP TRIGGER tr_bytes_transactions_final"
    last = "DELETE FROM aerich WHERE id = (SELECT max(id) FROM aerich)"
    if is_postgres(migrated_url):
        check = "ALTER TABLE squads DROP CONSTRAINT ck_squads_switch_cost"
        await change(migrated_url, f"{trigger} ON bytes_transactions", check, last)
        rules = ["ck_squads_switch_cost", "tr_bytes_transactions_final"]
    else:
        await change(migrated_url, trigger, last)
        rules = ["tr_bytes_transactions_final"]

    result = await run_command("status", "--json", DATABASE_URL=migrated_url)
    found: dict[str, Any] = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert found["rules_missing"] == rules
    assert len(found["migrations_missing"]) == 1


async def test_status_of_an_empty_database(empty_url: str) -> None:
    """Everything is missing, in words as well."""
    async with open_database(empty_url):
        await asyncio.sleep(0)  # a SQLite file is there now
    result = await run_command("status", DATABASE_URL=empty_url)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "4_20261125230000_reversals_zones_and_leavers" in "".join(result.stdout.split())
    assert "missing:" in result.stdout
