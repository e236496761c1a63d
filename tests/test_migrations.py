"""The migrations: what they make, how they are applied, and how they fail.

Written for all migrations that there are, however many. `Schema` is what a database says about
its tables, read from its own catalogue.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aerich import Command
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError

import bytes_squads
from bytes_squads import BytesBalance, BytesOperations, SquadCreate, SquadOperations
from bytes_squads.database import APP_LABEL, connection_config, migrations_folder, tortoise_config
from conftest import MODELS, Ids

ROOT = Path(__file__).parent.parent
TABLES = tuple(sorted(str(model._meta.db_table) for model in MODELS))
FOLDER = migrations_folder() / APP_LABEL
VERSIONS = [
    path.name
    for path in sorted(FOLDER.glob("[0-9]*_*.py"), key=lambda path: int(path.name.split("_")[0]))
]

# Reading a schema ---------------------------------------------------------------------------------

Columns = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table as the database describes it."""

    columns: dict[str, tuple[str, bool, str | None]]  # name: type, whether nullable, default
    primary_key: Columns
    unique: frozenset[Columns]
    indexes: frozenset[Columns]
    foreign_keys: frozenset[tuple[Columns, str, Columns, str]]  # columns, table, columns, on delete
    checks: frozenset[str]  # by name


Schema = dict[str, Table]


def is_postgres(url: str) -> bool:
    return url.startswith("postgres")


async def query(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the database over a connection of its own."""
    if not is_postgres(url):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
            return file.execute(statement, values).fetchall()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def table_names(url: str) -> list[str]:
    """The tables there are, but for SQLite's own."""
    if is_postgres(url):
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    else:
        statement = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' "
            "ORDER BY 1"
        )
    return [name for (name,) in await query(url, statement)]


async def history(url: str) -> list[str]:
    """The migrations that the database has, in the order in which they were applied."""
    return [version for (version,) in await query(url, "SELECT version FROM aerich ORDER BY id")]


async def everything(url: str) -> dict[str, list[Any]]:
    """All that a migration can leave behind: tables, indexes, constraints, code, history."""
    if is_postgres(url):
        public = "'public'::regnamespace"
        statements = {
            "relations": f"SELECT relname, relkind FROM pg_class WHERE relnamespace = {public}",
            "constraints": f"SELECT conname FROM pg_constraint WHERE connamespace = {public}",
            "functions": f"SELECT proname, prosrc FROM pg_proc WHERE pronamespace = {public}",
            "triggers": (
                "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            ),
            "types": f"SELECT typname FROM pg_type WHERE typnamespace = {public}",
        }
    else:
        statements = {"objects": "SELECT type, name, sql FROM sqlite_master"}
    found: dict[str, list[Any]] = {
        what: sorted(await query(url, sql), key=repr) for what, sql in statements.items()
    }
    if "aerich" in await table_names(url):
        found["history"] = await history(url)
    return found


async def schema(url: str) -> Schema:
    """Our five tables as the database describes them."""
    read = postgres_table if is_postgres(url) else sqlite_table
    return {table: await read(url, table) for table in TABLES}


async def postgres_table(url: str, table: str) -> Table:
    columns = await query(
        url,
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, "
        "pg_get_expr(adbin, adrelid) FROM pg_attribute "
        "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    names = "ARRAY(SELECT attname::text FROM unnest({key}) WITH ORDINALITY AS k (number, place) "
    names += "JOIN pg_attribute ON attrelid = {table} AND attnum = number ORDER BY place)"
    constraints = await query(
        url,
        f"SELECT contype::text, conname, {names.format(key='conkey', table='conrelid')}, "
        f"confrelid::regclass::text, {names.format(key='confkey', table='confrelid')}, "
        "confdeltype::text FROM pg_constraint WHERE conrelid = $1::text::regclass",
        table,
    )
    indexes = await query(
        url,
        f"SELECT indisunique, {names.format(key='indkey::int2[]', table='indrelid')} "
        "FROM pg_index WHERE indrelid = $1::text::regclass AND NOT indisprimary",
        table,
    )
    (primary_key,) = (tuple(key) for kind, _, key, *_ in constraints if kind == "p")
    actions = {"c": "CASCADE", "a": "NO ACTION", "r": "RESTRICT", "n": "SET NULL"}
    return Table(
        columns={name: (kind, nullable, default) for name, kind, nullable, default in columns},
        primary_key=primary_key,
        unique=frozenset(tuple(key) for is_unique, key in indexes if is_unique),
        indexes=frozenset(tuple(key) for is_unique, key in indexes if not is_unique),
        foreign_keys=frozenset(
            (tuple(key), other, tuple(other_key), actions[action])
            for kind, _, key, other, other_key, action in constraints
            if kind == "f"
        ),
        checks=frozenset(name for kind, name, *_ in constraints if kind == "c"),
    )


async def sqlite_table(url: str, table: str) -> Table:
    info = await query(url, f"PRAGMA table_info({table})")
    indexes: dict[bool, set[Columns]] = {True: set(), False: set()}
    for _, name, is_unique, origin, _ in await query(url, f"PRAGMA index_list({table})"):
        if origin != "pk":
            parts = await query(url, f"PRAGMA index_info({name})")
            indexes[bool(is_unique)].add(tuple(column for _, _, column in parts))
    keys: dict[int, list[Any]] = {}
    for row in await query(url, f"PRAGMA foreign_key_list({table})"):
        keys.setdefault(row[0], []).append(row)
    return Table(
        columns={name: (kind, not notnull, default) for _, name, kind, notnull, default, _ in info},
        primary_key=tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]),
        unique=frozenset(indexes[True]),
        indexes=frozenset(indexes[False]),
        foreign_keys=frozenset(
            (
                tuple(part[3] for part in parts),
                parts[0][2],
                tuple(part[4] for part in parts),
                parts[0][6],
            )
            for parts in (sorted(rows, key=lambda row: row[1]) for rows in keys.values())
        ),
        checks=frozenset(
            name for kind, name in await sqlite_constraints(url, table) if kind == "CHECK"
        ),
    )


async def sqlite_constraints(url: str, table: str) -> list[tuple[str, str]]:
    """The kind and name of each constraint in the table's text, which is all that SQLite has."""
    ((text,),) = await query(url, "SELECT sql FROM sqlite_master WHERE name = ?", table)
    constraint = r'(?:CONSTRAINT\s+"(\w+)"\s+)?\b(PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY)\b'
    return [(kind, name) for name, kind in re.findall(constraint, re.sub("--.*", "", text))]


async def generate_schemas(url: str) -> None:
    """Make the tables as the models say, without migrations."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(url))
        await context.generate_schemas(safe=False)


# What they make -----------------------------------------------------------------------------------

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


def with_what_the_models_cannot_say(generated: Schema, *, postgres: bool) -> Schema:
    """The generated schema with all that the migrations add to it on purpose."""
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


async def test_the_migrations_make_what_the_models_say(
    empty_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both ways of making the schema agree, but for what the migrations add on purpose."""
    await generate_schemas(empty_url)
    generated = await schema(empty_url)
    if is_postgres(empty_url):
        with request.getfixturevalue("postgres_server").database() as url:
            await bytes_squads.upgrade(url)
            migrated = await schema(url)
    else:
        url = f"sqlite://{tmp_path / 'migrated.db'}"
        await bytes_squads.upgrade(url)
        migrated = await schema(url)

    expected = with_what_the_models_cannot_say(generated, postgres=is_postgres(empty_url))
    assert migrated == expected


async def test_the_migrations_make_our_tables_and_aerichs(migrated_url: str) -> None:
    """Five tables of ours and the history, nothing else."""
    assert await table_names(migrated_url) == ["aerich", *TABLES]


async def test_every_index_begins_with_the_guild(migrated_url: str) -> None:
    """No query needs more than its own guild's part of an index."""
    found = {
        (name, columns)
        for name, table in (await schema(migrated_url)).items()
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
        indexes = await query(
            migrated_url,
            "SELECT tablename::text, indexname::text FROM pg_indexes WHERE tablename = "
            "ANY ($1::text[]) AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            list(TABLES),
        )
    else:
        constraints = [
            (prefixes[kind], table, name)
            for table in TABLES
            for kind, name in await sqlite_constraints(migrated_url, table)
        ]
        indexes = await query(
            migrated_url,
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name <> 'aerich'",
        )
    names = [*constraints, *(("ix", table, name) for table, name in indexes)]
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
    """The operations tell refusals apart by these names, on PostgreSQL by nothing else."""
    if is_postgres(migrated_url):
        rows = await query(
            migrated_url,
            "SELECT conname::text FROM pg_constraint WHERE contype IN ('u', 'f') AND "
            "conrelid = ANY ($1::text[]::regclass[])",
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
    tables = await schema(migrated_url)
    unique = {
        f"uq_{name}_{'_'.join(columns)}"
        for name, table in tables.items()
        for columns in table.unique
    }

    assert names == unique | {"fk_squad_memberships_squad_id_squads"}


# PostgreSQL: by guild, and documented -------------------------------------------------------------

on_postgres = pytest.mark.parametrize(
    "backend", [pytest.param("postgres", marks=pytest.mark.postgres)]
)


@on_postgres
async def test_every_key_includes_the_guild(migrated_url: str) -> None:
    """Each primary, unique and foreign key can be checked inside one guild's partition."""
    without = [
        (name, columns)
        for name, table in (await schema(migrated_url)).items()
        for columns in (
            table.primary_key,
            *table.unique,
            *(columns for columns, *_ in table.foreign_keys),
            *(others for _, _, others, _ in table.foreign_keys),
        )
        if "guild_id" not in columns
    ]

    assert without == []


@on_postgres
async def test_the_tables_can_be_partitioned_by_guild_as_they_are(
    migrated_url: str, ids: Ids
) -> None:
    """Copies of the tables, hash-partitioned by guild with every key, hold what ours hold."""
    guilds = [str(100 + number) for number in range(12)]
    await bytes_squads.init(migrated_url)
    try:
        for guild in guilds:
            squad = await SquadOperations().create_squad(
                SquadCreate(guild_id=guild, role_id="9", name="Red")
            )
            await SquadOperations().join_squad(guild, ids.alice, squad.id)
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


@on_postgres
async def test_every_table_and_column_has_a_comment(migrated_url: str) -> None:
    """An operator with psql reads what each column means, in the words of the models."""
    comments = await query(
        migrated_url,
        "SELECT c.relname::text, a.attname::text, col_description(c.oid, a.attnum) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.oid = ANY ($1::text[]::regclass[]) "
        "UNION ALL SELECT relname::text, NULL, obj_description(oid, 'pg_class') "
        "FROM pg_class WHERE oid = ANY ($1::text[]::regclass[])",
        list(TABLES),
    )
    described: dict[tuple[str, str | None], str | None] = {
        (
            str(model._meta.db_table),
            str(model._meta.fields_db_projection[field.model_field_name]),
        ): (field.description)
        for model in MODELS
        for field in model._meta.fields_map.values()
        if field.model_field_name in model._meta.fields_db_projection
    }
    described[("squad_memberships", "squad_id")] = "A squad of the same guild"
    described |= {
        (str(model._meta.db_table), None): model._meta.table_description for model in MODELS
    }

    assert {(table, column): text for table, column, text in comments} == described
    assert None not in described.values()


# Up, down and up again ----------------------------------------------------------------------------


async def run(url: str, action: str, folder: Path = FOLDER.parent, **arguments: Any) -> list[str]:
    """Call a method of Aerich's Command on the migrations of a folder."""
    config = {
        "connections": {"default": connection_config(url)},
        "apps": {APP_LABEL: {"models": ["aerich.models"], "default_connection": "default"}},
    }
    EXECUTOR_CACHE.clear()  # it is keyed by connection name, whatever database that was
    async with TortoiseContext() as context:
        await context.init(config=config)
        command = Command(config, app=APP_LABEL, location=str(folder))
        await command.init()
        versions: list[str] = await getattr(command, action)(**arguments)
        return versions


async def test_upgrade_downgrade_upgrade(empty_url: str) -> None:
    """Down leaves only Aerich's own table, and up again makes the very same schema."""
    assert await run(empty_url, "upgrade") == VERSIONS
    first = await everything(empty_url)
    assert await run(empty_url, "downgrade", version=0, delete=False) == VERSIONS[::-1]
    assert await table_names(empty_url) == ["aerich"]
    assert await history(empty_url) == []
    left = await everything(empty_url)
    assert await run(empty_url, "upgrade") == VERSIONS

    assert await everything(empty_url) == first
    assert [name for name in map(str, left.get("functions", [])) if "bytes_" in name] == []


async def test_each_migration_can_be_taken_back(empty_url: str, tmp_path: Path) -> None:
    """Downgrading one migration leaves the database as it was before that one."""
    states = []
    for number in range(len(VERSIONS)):
        await run(empty_url, "upgrade", copied(tmp_path / str(number), VERSIONS[:number]))
        states.append(await everything(empty_url))
        await run(empty_url, "upgrade", copied(tmp_path / f"{number}+", VERSIONS[: number + 1]))
    for number in reversed(range(len(VERSIONS))):
        await run(empty_url, "downgrade", version=-1, delete=False)
        if number:  # before the first there was no table "aerich", which stays
            assert await everything(empty_url) == states[number]

    assert await table_names(empty_url) == ["aerich"]


async def test_a_downgrade_works_on_a_database_in_use(migrated_url: str, ids: Ids) -> None:
    """Tables with rows in them are dropped like empty ones."""
    await bytes_squads.init(migrated_url)
    squad = await SquadOperations().create_squad(
        SquadCreate(guild_id=ids.guild, role_id="9", name="Red")
    )
    await SquadOperations().join_squad(ids.guild, ids.alice, squad.id)
    await bytes_squads.close()
    await run(migrated_url, "downgrade", version=0, delete=False)

    assert await table_names(migrated_url) == ["aerich"]


# Migrations that fail -----------------------------------------------------------------------------

BROKEN = """

_whole_{direction} = {direction}


async def {direction}(db: BaseDBAsyncClient) -> str:
    return await _whole_{direction}(db) + "; INSERT INTO nowhere VALUES (1);"
"""


def copied(folder: Path, versions: list[str]) -> Path:
    """A migrations folder with these versions only."""
    (folder / APP_LABEL).mkdir(parents=True)
    for version in versions:
        shutil.copy(FOLDER / version, folder / APP_LABEL / version)
    return folder


@pytest.mark.parametrize("number", range(len(VERSIONS)), ids=VERSIONS)
async def test_an_upgrade_that_fails_leaves_nothing_behind(
    empty_url: str, tmp_path: Path, number: int
) -> None:
    """A migration whose last statement fails is undone as a whole, and can be tried again."""
    await run(empty_url, "upgrade", copied(tmp_path / "before", VERSIONS[:number]))
    before = await everything(empty_url)
    broken = copied(tmp_path / "broken", VERSIONS[: number + 1])
    with (broken / APP_LABEL / VERSIONS[number]).open("a") as file:
        file.write(BROKEN.format(direction="upgrade"))
    with pytest.raises(OperationalError, match="nowhere"):
        await run(empty_url, "upgrade", broken)

    assert await everything(empty_url) == before
    assert await bytes_squads.upgrade(empty_url) == VERSIONS[number:]


@pytest.mark.parametrize("number", range(len(VERSIONS)), ids=VERSIONS)
async def test_a_downgrade_that_fails_leaves_everything(
    empty_url: str, tmp_path: Path, number: int
) -> None:
    """A downgrade whose last statement fails changes nothing."""
    await run(empty_url, "upgrade", copied(tmp_path / "before", VERSIONS[: number + 1]))
    before = await everything(empty_url)
    broken = copied(tmp_path / "broken", VERSIONS[: number + 1])
    with (broken / APP_LABEL / VERSIONS[number]).open("a") as file:
        file.write(BROKEN.format(direction="downgrade"))
    with pytest.raises(OperationalError, match="nowhere"):
        await run(empty_url, "downgrade", broken, version=-1, delete=False)

    assert await everything(empty_url) == before


# The package's own upgrade ------------------------------------------------------------------------


async def test_upgrade_tells_what_it_applied_and_can_be_repeated(empty_url: str) -> None:
    """The first call returns every version, the next ones nothing, and change nothing."""
    assert await bytes_squads.upgrade(empty_url) == VERSIONS
    first = await everything(empty_url)

    assert await bytes_squads.upgrade(empty_url) == []
    assert await everything(empty_url) == first


async def test_upgrade_goes_on_from_where_the_database_is(empty_url: str, tmp_path: Path) -> None:
    """A database with the first migration gets only the others."""
    await run(empty_url, "upgrade", copied(tmp_path, VERSIONS[:1]))

    assert await bytes_squads.upgrade(empty_url) == VERSIONS[1:]
    assert await history(empty_url) == VERSIONS


async def test_upgrades_of_two_tasks_at_once_succeed(empty_url: str) -> None:
    """One of them applies the migrations, the others find nothing to do."""
    results = await asyncio.gather(*(bytes_squads.upgrade(empty_url) for _ in range(3)))

    assert sorted(results) == [[], [], VERSIONS]
    assert await history(empty_url) == VERSIONS


async def test_upgrades_of_several_processes_at_once_succeed(empty_url: str) -> None:
    """Bots that start together on a new database do not trip over each other."""
    program = (
        "import asyncio, sys, bytes_squads\n"
        "sys.stdin.readline()\n"  # all begin together
        "asyncio.run(bytes_squads.upgrade(sys.argv[1]))\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, empty_url),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [errors.decode() for _, errors in outcomes] == ["", "", ""]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert await history(empty_url) == VERSIONS


async def test_upgrade_of_another_database_leaves_the_open_one_working(
    migrated_url: str, tmp_path: Path, ids: Ids
) -> None:
    """A host that has its database open can migrate a second one beside it."""
    other_url = f"sqlite://{tmp_path / 'other.db'}"
    await bytes_squads.init(migrated_url)
    try:
        operations = BytesOperations()
        await operations.grant(ids.guild, ids.alice, 5)
        applied = await bytes_squads.upgrade(other_url)
        await operations.grant(ids.guild, ids.alice, 5)
        balance = await operations.get_balance(ids.guild, ids.alice)
        await balance.refresh_from_db()
    finally:
        await bytes_squads.close()

    assert applied == VERSIONS
    assert balance.balance == 110
    assert await query(other_url, "SELECT count(*) FROM bytes_balances") == [(0,)]
    assert await query(migrated_url, "SELECT balance FROM bytes_balances") == [(110,)]


async def test_one_process_can_upgrade_both_databases(empty_url: str, tmp_path: Path) -> None:
    """What was prepared for one database's dialect is not sent to the other one."""
    urls = [f"sqlite://{tmp_path / 'first.db'}", empty_url, f"sqlite://{tmp_path / 'last.db'}"]
    applied = [await bytes_squads.upgrade(url) for url in urls]

    assert applied == [VERSIONS] * 3


def test_upgrade_works_in_one_event_loop_after_another(tmp_path: Path) -> None:
    """A program may call asyncio.run() more than once, with several upgrades in each."""

    async def upgrades(name: str) -> list[list[str]]:
        url = f"sqlite://{tmp_path / name}"
        return await asyncio.gather(*(bytes_squads.upgrade(url) for _ in range(2)))

    results = [asyncio.run(upgrades(name)) for name in ("first.db", "second.db")]

    assert [sorted(result) for result in results] == [[[], VERSIONS]] * 2


async def test_upgrade_without_a_url_migrates_the_open_database(empty_url: str, ids: Ids) -> None:
    """After init(url), upgrade() is enough, and the database stays open."""
    await bytes_squads.init(empty_url)
    try:
        applied = await bytes_squads.upgrade()
        repeated = await bytes_squads.upgrade()
        await BytesOperations().grant(ids.guild, ids.alice, 5)
    finally:
        await bytes_squads.close()

    assert (applied, repeated) == (VERSIONS, [])
    assert await query(empty_url, "SELECT balance FROM bytes_balances") == [(105,)]


async def test_upgrade_without_a_url_works_in_memory(ids: Ids) -> None:
    """A database in memory is migrated over the connection that holds it."""
    await bytes_squads.init("sqlite://:memory:")
    try:
        applied = await bytes_squads.upgrade()
        repeated = await bytes_squads.upgrade()
        await BytesOperations().grant(ids.guild, ids.alice, 5)
        balance = await BytesBalance.get(user_id=ids.alice)
    finally:
        await bytes_squads.close()

    assert (applied, repeated) == (VERSIONS, [])
    assert balance.balance == 105


async def test_upgrade_without_a_url_asks_the_environment(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing open it is the database of DATABASE_URL, as it is for init()."""
    monkeypatch.setenv("DATABASE_URL", empty_url)

    assert await bytes_squads.upgrade() == VERSIONS
    assert await history(empty_url) == VERSIONS


async def test_upgrade_works_while_operations_run(migrated_url: str, ids: Ids) -> None:
    """A bot may ask for migrations at any time: nothing of what runs beside it is lost."""
    await bytes_squads.init(migrated_url)
    try:
        operations = BytesOperations()
        grants = [operations.grant(ids.guild, ids.alice, 1) for _ in range(10)]
        upgrades = [bytes_squads.upgrade() for _ in range(2)]
        results = await asyncio.gather(*grants, *upgrades)
        balance = await operations.get_balance(ids.guild, ids.alice)
    finally:
        await bytes_squads.close()

    assert results[-2:] == [[], []]
    assert balance.balance == 110


# The aerich command -------------------------------------------------------------------------------


def tool_aerich(path: Path) -> Any:
    return tomllib.loads(path.read_text())["tool"]["aerich"]


def test_the_two_configs_of_aerich_agree() -> None:
    """`aerich -c aerich.ini` and plain `aerich` read the same settings."""
    assert tool_aerich(ROOT / "aerich.ini") == tool_aerich(ROOT / "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, so that an unexpected new migration does not end up in ours."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "bytes_squads", folder / "bytes_squads")
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    for name in ("pyproject.toml", "aerich.ini"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def aerich(checkout: Path, url: str, *arguments: str) -> list[str]:
    """Run the command as an operator does and return the lines that it says."""
    script = shutil.which("aerich", path=str(Path(sys.executable).parent))
    command = [script] if script else [sys.executable, "-m", "aerich"]
    result = subprocess.run(
        [*command, *arguments],
        cwd=checkout,
        env={**os.environ, "DATABASE_URL": url},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


async def test_the_aerich_command_goes_up_and_down(empty_url: str, checkout: Path) -> None:
    """upgrade, history, migrate and downgrade work in a checkout, on either database."""
    made = [f"Success upgrading to {version}" for version in VERSIONS]
    assert aerich(checkout, empty_url, "upgrade") == made
    assert await table_names(empty_url) == ["aerich", *TABLES]
    assert aerich(checkout, empty_url, "history") == VERSIONS
    assert aerich(checkout, empty_url, "migrate", "--no-input") == ["No changes detected"]
    down = aerich(checkout, empty_url, "downgrade", "--version", "0", "--yes")
    assert down == [f"Success downgrading to {version}" for version in VERSIONS[::-1]]
    assert await table_names(empty_url) == ["aerich"]
    assert aerich(checkout, empty_url, "-c", "aerich.ini", "upgrade") == made
    assert await table_names(empty_url) == ["aerich", *TABLES]
    assert aerich(checkout, empty_url, "-c", "aerich.ini", "downgrade", "--yes") == [
        f"Success downgrading to {VERSIONS[-1]}"
    ]
    assert await history(empty_url) == VERSIONS[:-1]


async def test_the_aerich_command_and_upgrade_share_one_history(
    migrated_url: str, checkout: Path
) -> None:
    """What the package applied, the command knows, and it finds no change to the models."""
    assert aerich(checkout, migrated_url, "upgrade") == ["No upgrade items found"]
    assert aerich(checkout, migrated_url, "heads") == ["No available heads."]
    assert aerich(checkout, migrated_url, "migrate", "--no-input") == ["No changes detected"]
