"""The migrations up, down and up again, and failing ones.

Written for all migrations that there are, however many.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import Ids
from helpers.migrations import VERSIONS, copy_migrations, run_aerich
from helpers.schema_introspection import applied_versions, list_objects, table_names
from tortoise.exceptions import OperationalError

import bytes_squads
from bytes_squads import SquadCreate, SquadOperations
from bytes_squads.database import APP_LABEL


async def test_upgrade_after_downgrade_makes_the_same_schema(empty_url: str) -> None:
    """Down leaves only Aerich's table, and up again makes the same schema."""
    assert await run_aerich(empty_url, "upgrade") == VERSIONS
    first = await list_objects(empty_url)
    assert await run_aerich(empty_url, "downgrade", version=0, delete=False) == VERSIONS[::-1]
    assert await table_names(empty_url) == ["aerich"]
    assert await applied_versions(empty_url) == []
    left = await list_objects(empty_url)
    assert await run_aerich(empty_url, "upgrade") == VERSIONS

    assert await list_objects(empty_url) == first
    assert [name for name in map(str, left.get("functions", [])) if "bytes_" in name] == []


async def test_downgrade_undoes_each_migration(empty_url: str, tmp_path: Path) -> None:
    """Downgrading one migration leaves the database as it was before that one."""
    states = []
    for number in range(len(VERSIONS)):
        await run_aerich(
            empty_url, "upgrade", copy_migrations(tmp_path / str(number), VERSIONS[:number])
        )
        states.append(await list_objects(empty_url))
        await run_aerich(
            empty_url, "upgrade", copy_migrations(tmp_path / f"{number}+", VERSIONS[: number + 1])
        )
    for number in reversed(range(len(VERSIONS))):
        await run_aerich(empty_url, "downgrade", version=-1, delete=False)
        if number:  # before the first there was no table "aerich", which stays
            assert await list_objects(empty_url) == states[number]

    assert await table_names(empty_url) == ["aerich"]


async def test_downgrade_works_on_a_database_in_use(migrated_url: str, ids: Ids) -> None:
    """Tables with rows in them are dropped like empty ones."""
    await bytes_squads.init(migrated_url)
    squad = await SquadOperations().create_squad(
        SquadCreate(guild_id=ids.guild, role_id="9", name="Red")
    )
    await SquadOperations().join_squad(ids.guild, ids.alice, squad.id)
    await bytes_squads.close()
    await run_aerich(migrated_url, "downgrade", version=0, delete=False)

    assert await table_names(migrated_url) == ["aerich"]


# Migrations that fail -----------------------------------------------------------------------------

BROKEN = """

_whole_{direction} = {direction}


async def {direction}(db: BaseDBAsyncClient) -> str:
    return await _whole_{direction}(db) + "; INSERT INTO nowhere VALUES (1);"
"""


@pytest.mark.parametrize("number", range(len(VERSIONS)), ids=VERSIONS)
async def test_upgrade_that_fails_leaves_nothing_behind(
    empty_url: str, tmp_path: Path, number: int
) -> None:
    """A migration whose last statement fails is undone as a whole, and can be tried again."""
    await run_aerich(empty_url, "upgrade", copy_migrations(tmp_path / "before", VERSIONS[:number]))
    before = await list_objects(empty_url)
    broken = copy_migrations(tmp_path / "broken", VERSIONS[: number + 1])
    with (broken / APP_LABEL / VERSIONS[number]).open("a") as file:
        file.write(BROKEN.format(direction="upgrade"))
    with pytest.raises(OperationalError, match="nowhere"):
        await run_aerich(empty_url, "upgrade", broken)

    assert await list_objects(empty_url) == before
    assert await bytes_squads.upgrade(empty_url) == VERSIONS[number:]


@pytest.mark.parametrize("number", range(len(VERSIONS)), ids=VERSIONS)
async def test_downgrade_that_fails_leaves_everything(
    empty_url: str, tmp_path: Path, number: int
) -> None:
    """A downgrade whose last statement fails changes nothing."""
    await run_aerich(
        empty_url, "upgrade", copy_migrations(tmp_path / "before", VERSIONS[: number + 1])
    )
    before = await list_objects(empty_url)
    broken = copy_migrations(tmp_path / "broken", VERSIONS[: number + 1])
    with (broken / APP_LABEL / VERSIONS[number]).open("a") as file:
        file.write(BROKEN.format(direction="downgrade"))
    with pytest.raises(OperationalError, match="nowhere"):
        await run_aerich(empty_url, "downgrade", broken, version=-1, delete=False)

    assert await list_objects(empty_url) == before
