"""The schema of the migrations: columns, keys, names, comments, checks.

Written for all migrations that there are, however many.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from helpers import MODELS, Ids
from helpers.schema_introspection import (
    TABLES,
    Schema,
    describe_columns,
    is_postgres,
    query,
    read_schema,
    sqlite_constraints,
    table_names,
)
from tortoise.context import TortoiseContext

import bytes_squads
from bytes_squads import BytesConfigUpdate, BytesOperations, SquadCreate, SquadOperations
from bytes_squads.database import tortoise_config

CHECKS = {
    "bytes_balances": {
        "ck_bytes_balances_balance",
        "ck_bytes_balances_total_received",
        "ck_bytes_balances_total_sent",
        "ck_bytes_balances_streak_count",
        "ck_bytes_balances_identity",
    },
    "bytes_configs": {
        "ck_bytes_configs_starting_balance",
        "ck_bytes_configs_daily_amount",
        "ck_bytes_configs_max_transfer",
        "ck_bytes_configs_transfer_cooldown_hours",
        "ck_bytes_configs_streak_grace_days",
    },
    "bytes_transactions": {
        "ck_bytes_transactions_amount",
        "ck_bytes_transactions_parties",
        "ck_bytes_transactions_kind",
    },
    "squad_memberships": set(),
    "squads": {"ck_squads_switch_cost", "ck_squads_max_members"},
}
SQLITE_CHECKS = {
    "bytes_balances": {"ck_bytes_balances_types", "ck_bytes_balances_lengths"},
    "bytes_configs": {"ck_bytes_configs_types", "ck_bytes_configs_lengths"},
    "bytes_transactions": {"ck_bytes_transactions_types", "ck_bytes_transactions_lengths"},
    "squad_memberships": {"ck_squad_memberships_lengths"},
    "squads": {"ck_squads_types", "ck_squads_lengths"},
}


async def generate_schemas(url: str) -> None:
    """Make the tables of the models, without migrations."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(url))
        await context.generate_schemas(safe=False)


def with_what_the_models_cannot_say(generated: Schema, *, postgres: bool) -> Schema:
    """Return the generated schema with all intended additions of the migrations."""
    migrated = dict(generated)
    for name, table in generated.items():
        checks = CHECKS[name] if postgres else CHECKS[name] | SQLITE_CHECKS[name]
        migrated[name] = replace(table, checks=frozenset(checks))
        if postgres and table.primary_key == ("id",):
            migrated[name] = replace(migrated[name], primary_key=("id", "guild_id"))
    migrated["squad_memberships"] = replace(
        migrated["squad_memberships"],
        foreign_keys=frozenset(
            {(("squad_id", "guild_id"), "squads", ("id", "guild_id"), "CASCADE")}
        ),
    )
    if not postgres:  # where the foreign key points to; on PostgreSQL that is the primary key
        squads = migrated["squads"]
        migrated["squads"] = replace(squads, unique=squads.unique | {("id", "guild_id")})
    return migrated


async def test_migrations_make_what_the_models_say(
    empty_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both schemas are equal, except for intended additions of the migrations."""
    await generate_schemas(empty_url)
    generated = await read_schema(empty_url)
    if is_postgres(empty_url):
        with request.getfixturevalue("postgres_server").database() as url:
            await bytes_squads.upgrade(url)
            migrated = await read_schema(url)
    else:
        url = f"sqlite://{tmp_path / 'migrated.db'}"
        await bytes_squads.upgrade(url)
        migrated = await read_schema(url)

    expected = with_what_the_models_cannot_say(generated, postgres=is_postgres(empty_url))
    assert migrated == expected


async def test_migrations_make_our_tables_and_aerichs(migrated_url: str) -> None:
    """There are five tables and the history, nothing else."""
    assert await table_names(migrated_url) == ["aerich", *TABLES]


async def test_every_index_begins_with_the_guild(migrated_url: str) -> None:
    """No query needs more than its own guild's part of an index."""
    found = {
        (name, columns)
        for name, table in (await read_schema(migrated_url)).items()
        for columns in table.indexes | table.unique
        if columns[0] != "guild_id"
    }
    # SQLite's second key of squads is what the memberships' foreign key points to.
    expected = set() if is_postgres(migrated_url) else {("squads", ("id", "guild_id"))}

    assert found == expected


async def test_every_constraint_and_index_has_a_conventional_name(migrated_url: str) -> None:
    """A refusal names its rule: pk_, uq_, fk_, ck_ or ix_, then the table."""
    prefixes = {"PRIMARY KEY": "pk", "UNIQUE": "uq", "FOREIGN KEY": "fk", "CHECK": "ck"}
    if is_postgres(migrated_url):
        kinds = {"p": "pk", "u": "uq", "f": "fk", "c": "ck", "x": "ex"}
        constraints = [
            (kinds[kind], table, name)
            for kind, table, name in await query(
                migrated_url,
                "SELECT contype::text, conrelid::regclass::text, conname FROM pg_constraint "
                "WHERE conrelid = ANY ($1::text[]::regclass[]) AND contype IN "
                "('p', 'u', 'f', 'c', 'x')",
                list(TABLES),
            )
        ]
        indexes = [
            ("uq" if is_unique else "ix", table, name)
            for is_unique, table, name in await query(
                migrated_url,
                "SELECT indisunique, indrelid::regclass::text, indexrelid::regclass::text "
                "FROM pg_index WHERE indrelid = ANY ($1::text[]::regclass[]) "
                "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
                list(TABLES),
            )
        ]
    else:
        constraints = [
            (prefixes[kind], table, name)
            for table in TABLES
            for kind, name in await sqlite_constraints(migrated_url, table)
        ]
        indexes = await query(
            migrated_url,
            "SELECT CASE WHEN sql LIKE 'CREATE UNIQUE%' THEN 'uq' ELSE 'ix' END, tbl_name, name "
            "FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name <> 'aerich'",
        )
    names = [*constraints, *indexes]
    unconventional = [
        (prefix, table, name)
        for prefix, table, name in names
        if not re.fullmatch(
            f"pk_{table}" if prefix == "pk" else rf"{prefix}_{table}_[a-z0-9_]+", name
        )
    ]

    assert unconventional == []
    assert {prefix for prefix, _, _ in names} == {"pk", "uq", "fk", "ck", "ix"}


async def test_unique_and_foreign_keys_are_named_after_their_columns(migrated_url: str) -> None:
    """The operations distinguish violations by these names."""
    if is_postgres(migrated_url):
        rows = await query(
            migrated_url,
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique "
            "AND NOT indisprimary AND indrelid = ANY ($1::text[]::regclass[]) "
            "UNION SELECT conname::text FROM pg_constraint WHERE contype = 'f' "
            "AND conrelid = ANY ($1::text[]::regclass[])",
            list(TABLES),
        )
        names = {name for (name,) in rows}
    else:
        names = {
            name
            for table in TABLES
            for kind, name in await sqlite_constraints(migrated_url, table)
            if kind in ("UNIQUE", "FOREIGN KEY")
        }
        names |= {
            name
            for (name,) in await query(
                migrated_url, "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE UNIQUE%'"
            )
        }
    tables = await read_schema(migrated_url)
    unique = {
        f"uq_{name}_{'_'.join(columns)}"
        for name, table in tables.items()
        for columns in table.unique
    }

    assert names == unique | {"fk_squad_memberships_squad_id_squads"}


# PostgreSQL: by guild, and documented -------------------------------------------------------------


@pytest.mark.postgres
async def test_every_key_includes_the_guild(migrated_url: str) -> None:
    """Each primary, unique and foreign key can be checked inside one guild's partition."""
    without = [
        (name, columns)
        for name, table in (await read_schema(migrated_url)).items()
        for columns in (
            table.primary_key,
            *table.unique,
            *(columns for columns, *_ in table.foreign_keys),
            *(others for _, _, others, _ in table.foreign_keys),
        )
        if "guild_id" not in columns
    ]

    assert without == []


@pytest.mark.postgres
async def test_tables_can_be_partitioned_by_guild_as_they_are(migrated_url: str, ids: Ids) -> None:
    """Copies of the tables, hash-partitioned by guild with every key, accept the same rows."""
    guilds = [str(100 + number) for number in range(12)]
    await bytes_squads.init(migrated_url)
    try:
        for guild in guilds:
            squad = await SquadOperations().create_squad(
                SquadCreate(guild_id=guild, role_id="9", name="Red")
            )
            await SquadOperations().join_squad(guild, ids.alice, squad.id)
            await BytesOperations().update_config(guild, BytesConfigUpdate(daily_amount=11))
    finally:
        await bytes_squads.close()

    connection = await asyncpg.connect(migrated_url)
    try:
        for table in ("squads", *(table for table in TABLES if table != "squads")):
            await connection.execute(
                f"CREATE TABLE by_guild_{table} (LIKE {table} INCLUDING ALL) "
                "PARTITION BY HASH (guild_id)"
            )
            for number in range(4):
                await connection.execute(
                    f"CREATE TABLE by_guild_{table}_{number} PARTITION OF by_guild_{table} "
                    f"FOR VALUES WITH (MODULUS 4, REMAINDER {number})"
                )
        await connection.execute(
            "ALTER TABLE by_guild_squad_memberships ADD FOREIGN KEY (squad_id, guild_id) "
            "REFERENCES by_guild_squads (id, guild_id) ON DELETE CASCADE"
        )
        for table in ("squads", *(table for table in TABLES if table != "squads")):
            await connection.execute(f"INSERT INTO by_guild_{table} SELECT * FROM {table}")
            kept = await connection.fetch(f"SELECT * FROM {table} ORDER BY guild_id, 2, 3, 4")
            copied = await connection.fetch(
                f"SELECT * FROM by_guild_{table} ORDER BY guild_id, 2, 3, 4"
            )
            partitions = await connection.fetch(
                f"SELECT DISTINCT tableoid::regclass FROM by_guild_{table}"
            )
            assert copied == kept
            assert len(copied) >= len(guilds)
            assert len(partitions) > 1
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute(f"INSERT INTO by_guild_{table} SELECT * FROM {table}")
        await connection.execute("DELETE FROM by_guild_squads")
        left = await connection.fetchval("SELECT count(*) FROM by_guild_squad_memberships")
    finally:
        await connection.close()

    assert left == 0


@pytest.mark.postgres
async def test_indexes_compare_bytes(migrated_url: str) -> None:
    """No index is in the order of a language, which changes with the operating system."""
    collations = await query(
        migrated_url,
        "SELECT DISTINCT collname::text FROM pg_index, unnest(indcollation) AS used (id) "
        "JOIN pg_collation ON pg_collation.oid = used.id "
        "WHERE indrelid = ANY ($1::text[]::regclass[])",
        list(TABLES),
    )

    assert collations == [("C",)]


@pytest.mark.postgres
async def test_only_what_is_looked_up_is_in_an_index(migrated_url: str) -> None:
    """Indexes leave out members who left, SYSTEM, and rows without a key or reversal."""
    conditions = await query(
        migrated_url,
        "SELECT indexrelid::regclass::text, pg_get_expr(indpred, indrelid) FROM pg_index "
        "WHERE indrelid = ANY ($1::text[]::regclass[]) AND indpred IS NOT NULL ORDER BY 1",
        list(TABLES),
    )

    assert conditions == [
        ("ix_bytes_balances_leaderboard", "(left_at IS NULL)"),
        ("ix_bytes_transactions_giver_id", "((giver_id)::text <> 'SYSTEM'::text)"),
        ("ix_bytes_transactions_receiver_id", "((receiver_id)::text <> 'SYSTEM'::text)"),
        ("uq_bytes_transactions_guild_id_idempotency_key", "(idempotency_key IS NOT NULL)"),
        ("uq_bytes_transactions_guild_id_reverses_id", "(reverses_id IS NOT NULL)"),
    ]


@pytest.mark.postgres
async def test_every_table_and_column_has_a_comment(migrated_url: str) -> None:
    """Each column's comment is the description of the model."""
    comments = await query(
        migrated_url,
        "SELECT c.relname::text, a.attname::text, col_description(c.oid, a.attnum) "
        "FROM pg_class c JOIN pg_attribute a "
        "ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.oid = ANY ($1::text[]::regclass[]) "
        "UNION ALL SELECT relname::text, NULL, obj_description(oid, 'pg_class') "
        "FROM pg_class WHERE oid = ANY ($1::text[]::regclass[])",
        list(TABLES),
    )
    described: dict[tuple[str, str | None], str | None] = {
        (str(model._meta.db_table), column["db_column"]): column["description"]
        for model in MODELS
        for column in describe_columns(model)
    }
    described[("squad_memberships", "squad_id")] = "A squad of the same guild"
    described |= {
        (str(model._meta.db_table), None): model.describe()["description"] for model in MODELS
    }

    assert {(table, column): text for table, column, text in comments} == described
    assert None not in described.values()
