"""The migration for reversals, leavers and time zones, in a database that is in use, and back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from helpers import ALICE, BOB, GUILD, OTHER_GUILD
from helpers.migrations import VERSIONS, run_aerich
from helpers.sample_guild import open_database, populate
from helpers.schema_introspection import (
    Schema,
    constraint_of,
    list_objects,
    query,
    read_schema,
)
from tortoise.exceptions import IntegrityError, OperationalError

import bytes_squads
from bytes_squads import BytesBalance, BytesConfig, BytesConfigUpdate, BytesTransaction
from bytes_squads.domain.rules import wall_time

(NUMBER,) = (number for number, version in enumerate(VERSIONS) if "reversals" in version)


@pytest.fixture
async def used_url(migrated_url: str) -> str:
    """Two guilds with rows of every kind, in a database that lacks this migration."""
    async with open_database(migrated_url):
        await populate()
        await populate(OTHER_GUILD)
    await run_aerich(migrated_url, "downgrade", version=NUMBER, delete=False)
    return migrated_url


async def contents(url: str, tables: Schema) -> dict[str, list[tuple[Any, ...]]]:
    """Every value of the columns that these tables have, as the database stores it."""
    columns = {name: ", ".join(f'"{column}"' for column in tables[name].columns) for name in tables}
    return {
        name: await query(url, f'SELECT {listed} FROM "{name}" ORDER BY {listed}')
        for name, listed in columns.items()
    }


async def test_upgrade_and_downgrade_keep_every_row(used_url: str) -> None:
    """Up, down and up again, the old columns do not change, and the ledger is consistent."""
    tables, objects = await read_schema(used_url), await list_objects(used_url)
    before = await contents(used_url, tables)
    await bytes_squads.upgrade(used_url)
    upgraded = await contents(used_url, tables)
    await run_aerich(used_url, "downgrade", version=NUMBER, delete=False)
    downgraded, objects_then = await contents(used_url, tables), await list_objects(used_url)
    assert await bytes_squads.upgrade(used_url) == VERSIONS[NUMBER:]
    async with open_database(used_url) as money:
        report = await money.verify()

    assert min(len(rows) for rows in before.values()) >= 2
    assert before == upgraded == downgraded == await contents(used_url, tables)
    assert objects == objects_then
    assert report.ok


async def test_upgrade_gives_the_defaults(used_url: str) -> None:
    """Existing configs have the defaults, no member has left, and no row is a reversal."""
    await bytes_squads.upgrade(used_url)
    async with open_database(used_url) as money:
        config, default = await money.get_config(GUILD), BytesConfig(guild_id=GUILD)
        for name in ("timezone", "streak_grace_days", "currency_name", "currency_emoji"):
            assert getattr(config, name) == getattr(default, name)
        assert config.daily_amount == 0
        assert await BytesBalance.exclude(left_at=None).count() == 0
        assert await BytesTransaction.exclude(reverses_id=None).count() == 0


async def test_upgrade_keeps_surrogate_keys_from_coming_back(used_url: str) -> None:
    """The id of a deleted balance is not given to another one."""
    async with open_database(used_url):
        last = await BytesBalance.all().order_by("-id").first().values("id", "guild_id", "user_id")
        await BytesBalance.filter(id=last["id"]).delete()
    await bytes_squads.upgrade(used_url)
    async with open_database(used_url):
        new = await BytesBalance.create(guild_id=GUILD, user_id="77")

    assert new.id == last["id"] + 1


async def test_downgrade_with_reversals_is_refused(used_url: str) -> None:
    """With a reversal the downgrade is refused, and changes nothing."""
    await bytes_squads.upgrade(used_url)
    async with open_database(used_url) as money:
        await money.update_config(GUILD, BytesConfigUpdate(timezone="Asia/Kolkata"))
        await BytesBalance.filter(user_id=BOB).update(left_at=wall_time())
        for number in range(2):
            await BytesTransaction.create(
                guild_id=GUILD,
                giver_id=BOB,
                giver_username="",
                receiver_id=ALICE,
                receiver_username="",
                amount=1,
                kind="reversal",
                reverses_id=UUID(int=number),
            )
    tables, objects = await read_schema(used_url), await list_objects(used_url)
    before = await contents(used_url, tables)
    with pytest.raises(OperationalError, match="2 reversals, which the tables before this"):
        await run_aerich(used_url, "downgrade", version=NUMBER, delete=False)

    assert before == await contents(used_url, tables)
    assert objects == await list_objects(used_url)


async def test_upgraded_ledger_is_final(used_url: str) -> None:
    """The trigger is there after the ledger was built again, and covers old and new columns."""
    await bytes_squads.upgrade(used_url)
    async with open_database(used_url):
        for column, value in (("amount", 10**6), ("reverses_id", UUID(int=1))):
            with pytest.raises(IntegrityError) as caught:
                await BytesTransaction.all().update(**{column: value})
            assert constraint_of(caught.value) == "tr_bytes_transactions_final"
