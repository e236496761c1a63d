"""The commands about a guild's settings and squads."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import GUILD, OTHER_GUILD
from helpers.sample_guild import dump, open_database

from bytes_squads import SquadOperations

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_runner import read_error, read_json, read_text

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
    """A guild without settings is told from one that has some."""
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
    ("words", "told"),
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
async def test_config_set_out_of_range_is_refused(words: list[str], told: str) -> None:
    """It exits with 2, and names the option, before any database is looked for."""
    assert told in await read_error("config", "set", "--guild", GUILD, *words, code=2)


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
