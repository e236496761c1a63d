"""Read the tables and migrations of a database.

`Schema` is what a database says about the package's tables, read from its own catalogue.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import asyncpg
from tortoise.models import Model

from .backends import MODELS

TABLES = tuple(sorted(str(model._meta.db_table) for model in MODELS))


def describe_columns(model: type[Model]) -> list[dict[str, Any]]:
    """Describe the columns of a model as Tortoise does."""
    described = model.describe()
    return [described["pk_field"], *described["data_fields"]]


def is_postgres(url: str) -> bool:
    return url.startswith("postgres")


async def query(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Query the database over a separate connection."""
    if not is_postgres(url):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
            return file.execute(statement, values).fetchall()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def table_names(url: str) -> list[str]:
    """Return the tables, without SQLite's own."""
    if is_postgres(url):
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    else:
        statement = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' "
            "ORDER BY 1"
        )
    return [name for (name,) in await query(url, statement)]


async def applied_versions(url: str) -> list[str]:
    """The migrations that the database has, in the order in which they were applied."""
    return [version for (version,) in await query(url, "SELECT version FROM aerich ORDER BY id")]


async def list_objects(url: str) -> dict[str, list[Any]]:
    """Return all tables, indexes, constraints, functions and the history."""
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
        found["history"] = await applied_versions(url)
    return found


def constraint_of(error: BaseException) -> str:
    """Return the rule in the ORM's error."""
    name = getattr(error.args[0], "constraint_name", None)
    return name or str(error).partition(":")[0]


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


async def read_schema(url: str) -> Schema:
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
