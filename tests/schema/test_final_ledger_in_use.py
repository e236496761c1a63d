"""Making the ledger final in a database that is in use: upgrade, downgrade, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import GUILD, OTHER_GUILD, make_transfer
from helpers.migrations import VERSIONS, copy_migrations, run_aerich
from helpers.sample_guild import open_database
from helpers.schema_introspection import (
    Schema,
    applied_versions,
    constraint_of,
    list_objects,
    query,
    read_schema,
)
from tortoise.exceptions import IntegrityError

import bytes_squads
from bytes_squads import (
    BytesTransactionCreate,
    SquadCreate,
    SquadOperations,
    in_transaction,
)
from bytes_squads.engine.connections import current_client

RULE = "tr_bytes_transactions_final"
(FINAL,) = (number for number, version in enumerate(VERSIONS) if "ledger_is_final" in version)
MEMBERS = [str(400_000_000_000_000_000 + number) for number in range(60)]


def click(guild_id: str, number: int) -> BytesTransactionCreate:
    """A transfer with a new key."""
    return make_transfer(amount=1 + number, guild_id=guild_id, idempotency_key=f"click {number}")


async def fill(url: str) -> None:
    """Two guilds with hundreds of ledger rows of every kind, and squads with members."""
    async with open_database(url) as money:
        squads = SquadOperations()
        for guild in (GUILD, OTHER_GUILD):
            await money.grant_many(guild, dict.fromkeys(MEMBERS, 7), reason="welcome")
            for number in range(5):
                await money.create_transaction(click(guild, number))
                await money.claim_daily(guild, MEMBERS[number], "somebody")
                await money.charge(guild, MEMBERS[number], 3, reason="a fine")
            for role in ("8", "9"):
                squad = await squads.create_squad(
                    SquadCreate(guild_id=guild, role_id=role, name=f"Squad {role}")
                )
                for member in MEMBERS[int(role) :: 20]:
                    await squads.join_squad(guild, member, squad.id)


@pytest.fixture
async def used_url(migrated_url: str) -> str:
    """A database in use whose ledger is not final yet: that migration comes next."""
    await fill(migrated_url)
    await run_aerich(migrated_url, "downgrade", version=FINAL, delete=False)
    return migrated_url


@pytest.fixture
def finality(tmp_path: Path) -> Path:
    """The migrations until the ledger is final, without those that came later."""
    return copy_migrations(tmp_path / "final", VERSIONS[: FINAL + 1])


async def contents(url: str, tables: Schema) -> dict[str, list[tuple[Any, ...]]]:
    """Every value of the columns that these tables have, as the database stores it."""
    columns = {name: ", ".join(f'"{column}"' for column in tables[name].columns) for name in tables}
    return {
        name: await query(url, f'SELECT {listed} FROM "{name}" ORDER BY {listed}')
        for name, listed in columns.items()
    }


async def what_refuses_to_rewrite(url: str) -> str | None:
    """Return the rule that refuses an update of every amount, or None; undo the update."""
    async with open_database(url):
        try:
            async with in_transaction():
                await current_client().execute_query(
                    "UPDATE bytes_transactions SET amount = amount + 1"
                )
                raise LookupError
        except IntegrityError as error:
            return constraint_of(error)
        except LookupError:
            return None


async def test_upgrade_of_a_ledger_in_use_changes_no_row(used_url: str, finality: Path) -> None:
    """The migration changes no row, and makes the ledger final."""
    tables = await read_schema(used_url)
    before = await contents(used_url, tables)
    assert len(before["bytes_transactions"]) >= 200
    assert await what_refuses_to_rewrite(used_url) is None
    assert await run_aerich(used_url, "upgrade", finality) == [VERSIONS[FINAL]]

    assert await contents(used_url, tables) == before
    assert await what_refuses_to_rewrite(used_url) == RULE


async def test_operations_go_on_after_the_upgrade(used_url: str) -> None:
    """Operations and repeated keys work, and the ledger is consistent."""
    ledger = {"bytes_transactions": (await read_schema(used_url))["bytes_transactions"]}
    del ledger["bytes_transactions"].columns["details"]  # a later migration renames some
    before = set((await contents(used_url, ledger))["bytes_transactions"])
    await bytes_squads.upgrade(used_url)
    async with open_database(used_url) as money:
        squads = SquadOperations()
        for guild in (GUILD, OTHER_GUILD):
            old = await money.create_transaction(click(guild, 0))
            await money.create_transaction(click(guild, 9))
            await money.grant(guild, MEMBERS[0], 2)
            await money.charge(guild, MEMBERS[0], 1)
            await money.claim_daily(guild, MEMBERS[50])
            red, blue = (summary.squad for summary in await squads.get_guild_squads(guild))
            await squads.join_squad(guild, MEMBERS[51], red.id)
            await squads.switch_squad(guild, MEMBERS[51], blue.id)
            await squads.leave_squad(guild, MEMBERS[51])
            await squads.delete_squad(guild, red.id)
            assert old.amount == 1
        report = await money.verify()
    after = set((await contents(used_url, ledger))["bytes_transactions"])

    assert (report.ok, report.transactions) == (True, len(after))
    assert before - after == set()
    # Two guilds: transfer, grant, charge, claim, join, switch, leave.
    assert len(after - before) == 2 * 7


async def test_upgrade_works_again_after_downgrade(used_url: str, finality: Path) -> None:
    """Down and up again with full tables: every row stays."""
    tables = await read_schema(used_url)
    rows, objects = await contents(used_url, tables), await list_objects(used_url)
    await run_aerich(used_url, "upgrade", finality)
    await run_aerich(used_url, "downgrade", version=FINAL, delete=False)
    assert await applied_versions(used_url) == VERSIONS[:FINAL]
    assert await list_objects(used_url) == objects  # no trigger, and no function of its own
    assert await contents(used_url, tables) == rows
    assert await what_refuses_to_rewrite(used_url) is None
    assert await run_aerich(used_url, "upgrade", finality) == [VERSIONS[FINAL]]

    assert await contents(used_url, tables) == rows
    assert await what_refuses_to_rewrite(used_url) == RULE
