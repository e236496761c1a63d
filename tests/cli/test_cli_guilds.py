"""The commands about a guild's settings and squads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers import ALICE, GUILD, OTHER_GUILD
from helpers.cli_commands import SQUAD
from helpers.sample_guild import dump, open_database

from bytes_squads import BytesConfigUpdate, GuildOperations, SquadOperations

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_error, read_json, read_text, run_command

DEFAULTS = {
    "guild_id": OTHER_GUILD,
    "starting_balance": 100,
    "daily_amount": 10,
    "streak_bonuses": {"8": 2, "16": 4, "32": 8, "64": 16},
    "max_transfer": 1000,
    "transfer_cooldown_hours": 0,
    "role_rewards": {},
    "timezone": "UTC",
    "streak_grace_days": 0,
    "currency_name": "bytes",
    "currency_emoji": None,
    "created_at": None,
    "updated_at": None,
}


async def test_config_show_of_defaults_stores_nothing(populated_url: str) -> None:
    """The defaults are shown and not stored."""
    async with open_database(populated_url):
        before = await dump()

    assert (
        await read_json("config", "show", "--guild", OTHER_GUILD, DATABASE_URL=populated_url)
        == DEFAULTS
    )
    text = await read_text("config", "show", "--guild", OTHER_GUILD, url=populated_url)

    assert text.startswith(f"Settings of guild {OTHER_GUILD} (defaults, not stored)")
    assert "streak bonuses 8=2, 16=4, 32=8, 64=16" in text
    assert "role rewards none" in text
    async with open_database(populated_url):
        assert await dump() == before


async def test_config_set_changes_the_given_settings(populated_url: str) -> None:
    """The others stay; what is printed is what `config show` prints then."""
    before = await read_json("config", "show", "--guild", GUILD, DATABASE_URL=populated_url)
    changes: dict[str, Any] = {
        "--starting-balance": ("0", 0),
        "--daily-amount": ("25", 25),
        "--streak-bonuses": ("7=2, 30=5", {"7": 2, "30": 5}),
        "--max-transfer": ("9223372036854775807", 2**63 - 1),
        "--transfer-cooldown-hours": ("24", 24),
        "--role-rewards": ("18446744073709551615=5000", {"18446744073709551615": 5000}),
        "--timezone": ("Asia/Kolkata", "Asia/Kolkata"),
        "--streak-grace-days": ("2", 2),
        "--currency-name": ("gems", "gems"),
        "--currency-emoji": ("<:gem:31>", "<:gem:31>"),
    }
    for option, (word, value) in changes.items():
        changed = await read_json(
            "config", "set", "--guild", GUILD, option, word, DATABASE_URL=populated_url
        )
        name = option.removeprefix("--").replace("-", "_")
        stamp = changed["updated_at"]
        assert stamp > before["updated_at"]
        assert changed == {**before, name: value, "updated_at": stamp}
        before = changed
    assert await read_json("config", "show", "--guild", GUILD, DATABASE_URL=populated_url) == before

    text = await read_text(
        *("config", "set", "--guild", GUILD, "--streak-bonuses", "none", "--daily-amount", 8),
        *("--role-rewards", "31=5,32=6", "--currency-emoji", "none"),
        url=populated_url,
    )
    assert text == (
        f"Settings of guild {GUILD} starting balance 0 daily amount 8 streak bonuses none "
        "max transfer 9,223,372,036,854,775,807 transfer cooldown hours 24 "
        "role rewards 31=5, 32=6 timezone Asia/Kolkata streak grace days 2 "
        "currency name gems currency emoji none"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give at least one setting to change (see bytes-squads config set --help)"),
        (["--daily-amount", "-1"], "--daily-amount: Input should be greater than or equal to 0"),
        (["--daily-amount", "many"], "'many' is not a whole number"),
        (["--max-transfer", str(2**63)], "--max-transfer: Input should be less than or equal to"),
        (["--transfer-cooldown-hours", "1000001"], "--transfer-cooldown-hours: Input should be"),
        (["--timezone", "Mars/Base"], "--timezone: "),
        (["--streak-grace-days", "-1"], "--streak-grace-days: Input should be greater than"),
        (["--currency-name", ""], "--currency-name: String should have at least 1 character"),
        (["--currency-emoji", "x" * 65], "--currency-emoji: "),
        (["--streak-bonuses", "8"], "'' is not a whole number"),
        (["--streak-bonuses", ""], "'' is not a whole number"),
        (["--streak-bonuses", "0=2"], "--streak-bonuses: 0: Input should be greater than"),
        (["--streak-bonuses", "8=0"], "--streak-bonuses: 8: Input should be greater than"),
        (["--streak-bonuses", "x=2"], "'x' is not a whole number"),
        (["--streak-bonuses", "8=2,8=3"], "'8' is given twice"),
        (["--streak-bonuses", "8=2,08=3"], "'08' is not a whole number"),
        (["--role-rewards", "x=5"], "is not a Discord id"),
        (["--role-rewards", "31=0"], "--role-rewards: 31: Input should be greater than"),
        (["--role-rewards", "\x1b=\x1b"], "'\\x1b' is not a whole number"),
    ],
)
async def test_config_set_out_of_range_is_refused(words: list[str], message: str) -> None:
    """It exits with 2, and names the option, before any database is looked for."""
    assert message in await read_error("config", "set", "--guild", GUILD, *words, code=2)


async def test_guilds_are_listed_by_size(populated_url: str) -> None:
    """They have members, circulation and last activity, also without members."""
    async with open_database(populated_url) as money:
        await money.update_config(OTHER_GUILD, BytesConfigUpdate(daily_amount=5))
        await GuildOperations().set_member_left(GUILD, ALICE)
        (newest,) = await money.get_transaction_history(GUILD, limit=1)
        here = await money.count_members(GUILD)
        statistics = await GuildOperations().get_statistics(GUILD)
    found = await read_json("guilds", DATABASE_URL=populated_url)

    assert datetime.fromisoformat(found[0].pop("last_activity")) == newest.created_at
    assert found == [
        {"guild_id": GUILD, "members": here, "circulation": statistics.circulation},
        {"guild_id": OTHER_GUILD, "members": 0, "circulation": 0, "last_activity": None},
    ]
    page = await read_json("guilds", "--limit", 1, "--offset", 1, DATABASE_URL=populated_url)
    assert [guild["guild_id"] for guild in page] == [OTHER_GUILD]
    text = await read_text("guilds", url=populated_url)
    assert f"{GUILD} {here} {statistics.circulation:,} {newest.created_at:%Y-%m-%d %H:%M}" in text
    assert f"{OTHER_GUILD} 0 0 never" in text


async def test_stats_are_those_of_the_operation(populated_url: str) -> None:
    """Of a period, in the guild's currency."""
    since, until = "2026-03-03", "2026-03-04"
    async with open_database(populated_url) as money:
        await money.update_config(GUILD, BytesConfigUpdate(currency_name="gems"))
        expected = await GuildOperations().get_statistics(
            GUILD, datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
        )
    words = ("stats", "--guild", GUILD, "--since", since, "--until", until)
    found = await read_json(*words, DATABASE_URL=populated_url)

    assert found["created"] == expected.created > 0
    assert found["kinds"]["grant"] == {
        "count": expected.kinds["grant"].count,
        "amount": expected.kinds["grant"].amount,
    }
    assert [day["date"] for day in found["days"]] == ["2026-03-03"]
    text = await read_text(*words, url=populated_url)
    assert f"circulation {expected.circulation:,} gems" in text
    assert "2026-03-03" in text
    said = await read_error(
        *words[:3], "--since", until, "--until", since, DATABASE_URL=populated_url
    )
    assert "is not a page" in said


async def test_stats_draws_a_chart_in_the_format_of_the_suffix(
    populated_url: str, tmp_path: Path
) -> None:
    """PNG or SVG; another suffix, or a folder that is not there, is refused in one line."""
    pytest.importorskip("matplotlib")
    words = ("stats", "--guild", GUILD, "--chart")
    for name, begin in ("economy.png", b"\x89PNG"), ("economy.SVG", b"<?xml"):
        await read_text(*words, tmp_path / name, url=populated_url)
        assert (tmp_path / name).read_bytes().startswith(begin)

    refused = await read_error(*words, tmp_path / "economy.gif", code=2, DATABASE_URL=populated_url)
    assert "has to end in .png or .svg" in refused
    refused = await read_error(*words, tmp_path / "none" / "a.png", DATABASE_URL=populated_url)
    assert "cannot write" in refused


async def test_squads_are_created_updated_and_deleted(populated_url: str) -> None:
    """Only the given fields change; deleting asks."""
    words = ("--guild", GUILD)
    made = await read_json(
        *("squads", "create", *words, "--role-id", 77, "--name", "Owls", "--max-members", 3),
        DATABASE_URL=populated_url,
    )
    assert (made["role_id"], made["name"], made["max_members"]) == ("77", "Owls", 3)
    changed = await read_json(
        *("squads", "update", *words, made["id"], "--max-members", "none", "--closed"),
        DATABASE_URL=populated_url,
    )
    assert changed["updated_at"] > made["updated_at"]
    assert changed == made | {
        "max_members": None,
        "is_active": False,
        "updated_at": changed["updated_at"],
    }
    delete = ("squads", "delete", *words, made["id"])
    for answer in (b"n\n", b""):
        asked = await run_command(*delete, given=answer, DATABASE_URL=populated_url)
        assert asked.exit_code == 1
        assert "Delete the squad 'Owls' with 0 members?" in asked.stderr
        assert asked.stderr.endswith("Error: not confirmed, nothing was changed (--yes confirms)\n")
    agreed = await run_command(*delete, given=b"y\n", DATABASE_URL=populated_url)
    assert agreed.exit_code == 0
    assert agreed.stdout == f"deleted squad Owls: {made['id']}\n"
    said = await read_error(*delete, "--yes", DATABASE_URL=populated_url)
    assert made["id"] in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "--role-id", "5"], "Missing option '--name'"),
        (["create", "--role-id", "5", "--name", ""], "--name: String should have at least 1"),
        (["create", "--role-id", "5", "--name", "x", "--max-members", "0"], "--max-members: Input"),
        (["create", "--role-id", "5", "--name", "x", "--max-members", "x"], "'x' is not a whole"),
        (["update", SQUAD], "give at least one field to change"),
        (["update", "5", "--name", "x"], "'5' is not the id of"),
        (["update", SQUAD, "--switch-cost", "-1"], "--switch-cost: Input should be greater"),
    ],
)
async def test_squads_with_invalid_arguments_are_refused(words: list[str], message: str) -> None:
    """They exit with 2, and name the option, before any database is looked for."""
    assert message in await read_error("squads", words[0], "--guild", GUILD, *words[1:], code=2)


async def test_squads_shows_cost_and_places(populated_url: str) -> None:
    """By name; those that take no members when asked for."""
    async with open_database(populated_url):
        summaries = await SquadOperations().get_guild_squads(GUILD, active_only=False)
    found = await read_json("squads", "--guild", GUILD, "--all", DATABASE_URL=populated_url)

    assert [squad["id"] for squad in found] == [str(each.squad.id) for each in summaries]
    blue = dict(next(squad for squad in found if squad["name"] == "Blue"))
    assert blue.pop("created_at").endswith("Z")
    assert blue.pop("updated_at").endswith("Z")
    assert blue == {
        "id": blue["id"],
        "guild_id": GUILD,
        "role_id": "32",
        "name": "Blue",
        "description": None,
        "switch_cost": 0,
        "max_members": None,
        "is_active": True,
        "member_count": 1,
    }
    active = await read_json("squads", "--guild", GUILD, DATABASE_URL=populated_url)
    assert [squad["name"] for squad in found if squad not in active] == ["Grey"]
    assert await read_json("squads", "--guild", OTHER_GUILD, DATABASE_URL=populated_url) == []

    text = await read_text("squads", "--guild", GUILD, "--all", url=populated_url)
    assert f"Blue 1 0 yes 32 {blue['id']}" in text
    assert "1 of 9 50 yes 31" in text
    assert "\\x1b[31mDROP" in text
