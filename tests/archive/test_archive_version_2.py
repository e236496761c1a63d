"""Archives of version 2 can still be imported, and version 3 has the new fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from helpers import ALICE, BOB, GUILD, make_transfer
from helpers.archives import Record, export_records, find_record, write_archive
from helpers.backends import delete_all_rows
from helpers.sample_guild import dump

from bytes_squads import BytesBalance, BytesConfig, BytesConfigUpdate, BytesOperations
from bytes_squads.archive.format import ArchiveError
from bytes_squads.archive.importer import import_guild

NEW_FIELDS = ("timezone", "streak_grace_days", "currency_name", "currency_emoji", "left_at")
REVERSED = "01951000-0000-7000-8000-000000000001"


@pytest.fixture
async def records(db: Any) -> list[Record]:
    """A guild with every setting and a member who left, exported and deleted."""
    money = BytesOperations()
    settings = BytesConfigUpdate(
        timezone="Asia/Kolkata",
        streak_grace_days=2,
        currency_name="gems",
        currency_emoji="<:gem:100000000000000009>",
    )
    await money.update_config(GUILD, settings)
    await money.create_transaction(make_transfer(ALICE, BOB, 25))
    left_at = datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC)
    await BytesBalance.filter(user_id=BOB).update(left_at=left_at)
    before = await dump()
    exported = await export_records()
    await delete_all_rows()
    await import_guild(write_archive(exported))
    assert await dump() == before
    await delete_all_rows()
    return exported


def as_version_2(records: list[Record]) -> list[Record]:
    """Return the records as the package wrote them in version 2 of the format."""
    old = [
        {name: value for name, value in record.items() if name not in NEW_FIELDS}
        for record in records
    ]
    old[0]["version"] = 2
    return old


async def test_export_writes_the_new_fields(records: list[Record]) -> None:
    """The new settings and the time of leaving are in the archive; null fields are left out."""
    config, alice, bob = (
        find_record(records, "config"),
        find_record(records, "balance", user_id=ALICE),
        find_record(records, "balance", user_id=BOB),
    )
    assert records[0]["version"] == 3
    assert [config[name] for name in NEW_FIELDS[:-1]] == [
        "Asia/Kolkata",
        2,
        "gems",
        "<:gem:100000000000000009>",
    ]
    assert ("left_at" in alice, bob["left_at"]) == (False, "2026-03-02T12:00:00.000007Z")


async def test_import_of_version_2_sets_the_defaults(records: list[Record]) -> None:
    """Missing settings get the defaults, and no member has left."""
    await import_guild(write_archive(as_version_2(records)))
    config, default = await BytesConfig.get(guild_id=GUILD), BytesConfig(guild_id=GUILD)

    assert [getattr(config, name) for name in NEW_FIELDS[:-1]] == [
        getattr(default, name) for name in NEW_FIELDS[:-1]
    ]
    assert await BytesBalance.filter(left_at=None).count() == 2


WRONG = {
    "a zone that does not exist": (3, "config", {"timezone": "Mars/Base"}, "timezone"),
    "a path": (3, "config", {"timezone": "../UTC"}, "timezone"),
    "no zone": (3, "config", {"timezone": None}, "Field required"),
    "negative grace": (3, "config", {"streak_grace_days": -1}, "greater than or equal to 0"),
    "no name": (3, "config", {"currency_name": ""}, "at least 1 character"),
    "a long emoji": (3, "config", {"currency_emoji": "x" * 65}, "currency_emoji is not a text"),
    "left before 1970": (3, "balance", {"left_at": "1969-12-31T00:00:00Z"}, "outside the years"),
    "a reversal of nothing": (3, "transaction", {"kind": "reversal"}, "must have reverses_id"),
    "a transfer that reverses": (3, "transaction", {"reverses_id": REVERSED}, "and no other"),
    "an early setting": (2, "config", {"timezone": "UTC"}, "Extra inputs"),
    "an early leaver": (2, "balance", {"left_at": "2026-03-02T12:00:00Z"}, "Extra inputs"),
    "an early reversal": (2, "transaction", {"kind": "reversal"}, "Input should be 'transfer'"),
    "an early reference": (2, "transaction", {"reverses_id": REVERSED}, "Extra inputs"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_import_refuses_what_the_version_cannot_have(
    records: list[Record], what: str
) -> None:
    """By the number of the line, and nothing is stored."""
    version, kind, change, message = WRONG[what]
    lines = records if version == 3 else as_version_2(records)
    number = lines.index(find_record(lines, kind))
    line = lines[number] | change
    lines[number] = {name: value for name, value in line.items() if value is not None}
    with pytest.raises(ArchiveError, match=message) as caught:
        await import_guild(write_archive(lines))

    assert caught.value.line == number + 1
    assert await BytesBalance.all().count() == await BytesConfig.all().count() == 0
