"""The SQL of the how-to pages, migrations.md and pool-sizes.md, on a real PostgreSQL."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from helpers import PostgresServer, make_transfer
from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT

import bytes_squads
from bytes_squads import (
    BytesOperations,
    SquadCreate,
    SquadOperations,
    StorageUnavailableError,
)
from bytes_squads.engine.url_options import POSTGRES_OPTIONS
from bytes_squads.engine.urls import POSTGRES_DEFAULTS

HOW_TO = ROOT / "docs" / "how-to"


def sql(page: str) -> str:
    """The one block of SQL of a page."""
    (block,) = [block for block in read_blocks(HOW_TO / page) if block.language == "sql"]
    return block.code


@pytest.fixture
def migrated(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
async def bot_url(migrated: str, postgres_server: PostgresServer) -> Iterator[str]:
    """The URL by which the page's role logs in to a migrated database."""
    await bytes_squads.upgrade(migrated)
    role = f"bot_{uuid.uuid4().hex[:8]}"
    owner = await asyncpg.connect(migrated)
    await owner.execute(re.sub(r"\bbot\b", role, sql("migrations.md")))
    parts = urlsplit(migrated)
    host = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{role}:secret@{host}"))
    await bytes_squads.close()
    await owner.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
    await owner.close()


@pytest.mark.postgres
async def test_role_with_the_documented_rights_does_all_that_a_bot_does(bot_url: str) -> None:
    """New members, transfers, claims, squads, settings and `verify`."""
    await bytes_squads.init(bot_url)
    ops, squads = BytesOperations(), SquadOperations()
    await ops.create_transaction(
        make_transfer(
            10,
            20,
            25,
            guild_id=1,
            giver_username="ada",
            receiver_username="bo",
            idempotency_key="click",
        )
    )
    await ops.claim_daily(1, 20)
    await ops.grant_many(1, {10: 5, 30: 5}, idempotency_key="event")
    squad = await squads.create_squad(SquadCreate(guild_id=1, role_id=7, name="Red"))
    await squads.join_squad(1, 10, squad.id)
    await squads.leave_squad(1, 10)
    await squads.delete_squad(1, squad.id)
    report = await ops.verify()

    assert (report.ok, report.members) == (True, 3)


@pytest.mark.postgres
async def test_such_a_role_cannot_migrate(bot_url: str) -> None:
    """The page says how it ends."""
    await bytes_squads.init(bot_url)
    with pytest.raises(StorageUnavailableError, match="permission denied"):
        await bytes_squads.upgrade()


@pytest.mark.postgres
async def test_query_of_connections_lists_the_bot(migrated: str) -> None:
    """The query lists the bot by its application name."""
    await bytes_squads.init(migrated)
    owner = await asyncpg.connect(migrated)
    rows = await owner.fetch(sql("pool-sizes.md"))
    await owner.close()
    await bytes_squads.close()

    assert ("bytes_squads", "idle", 1) in [tuple(row) for row in rows]


def test_every_option_of_a_url_is_in_the_table() -> None:
    """With its default, where it is the package's own."""
    page = (HOW_TO / "pool-sizes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", page, re.MULTILINE)
    named = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    own = {
        name: str(value if isinstance(value, str) else int(value))
        for name, value in POSTGRES_DEFAULTS.items()
        if name in POSTGRES_OPTIONS
    }

    assert named.keys() == POSTGRES_OPTIONS.keys()
    assert {name: named[name].strip("`") for name in own} == own
