"""A guild's config: defaults and changes of single fields."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Ids
from helpers.assertions import MAX_BYTES, ReadRows, as_dict

from bytes_squads import BytesConfig, BytesConfigUpdate, BytesOperations, InvalidInputError

DEFAULTS: dict[str, Any] = {
    "starting_balance": 100,
    "daily_amount": 10,
    "streak_bonuses": {8: 2, 16: 4, 32: 8, 64: 16},
    "max_transfer": 1000,
    "transfer_cooldown_hours": 0,
    "role_rewards": {},
    "timezone": "UTC",
    "streak_grace_days": 0,
    "currency_name": "bytes",
    "currency_emoji": None,
}
SETTINGS = [
    ("starting_balance", 0),
    ("starting_balance", MAX_BYTES),
    ("daily_amount", 0),
    ("daily_amount", MAX_BYTES),
    ("streak_bonuses", {}),
    ("streak_bonuses", {30: 3, 7: 2}),
    ("streak_bonuses", {1: MAX_BYTES, MAX_BYTES: 1}),
    ("max_transfer", 0),
    ("max_transfer", MAX_BYTES),
    ("transfer_cooldown_hours", 1),
    ("transfer_cooldown_hours", 24 * 365),
    ("role_rewards", {"301": 1, str(2**64 - 1): MAX_BYTES}),
    ("timezone", "Europe/Berlin"),
    ("timezone", "America/Argentina/ComodRivadavia"),
    ("timezone", "Etc/GMT+12"),
    ("streak_grace_days", 1),
    ("streak_grace_days", 2**31 - 1),
    ("currency_name", "é"),
    ("currency_name", "\N{COIN}" * 32),
    ("currency_emoji", "\N{COIN}"),
    ("currency_emoji", f"<a:{'n' * 32}:{2**64 - 1}>"),
    ("currency_emoji", None),
]


def settings(config: BytesConfig) -> dict[str, Any]:
    """Settings of a guild, each with another value."""
    return {name: getattr(config, name) for name in DEFAULTS}


async def test_get_config_of_a_new_guild_returns_the_defaults(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """Without a config it returns the defaults and stores nothing."""
    before = await read_all_rows()
    config = await bytes_ops.get_config(ids.guild)
    assert (ids.guild, DEFAULTS) == (config.guild_id, settings(config))
    assert as_dict(config) == as_dict(await bytes_ops.get_config(int(ids.guild)))
    assert before == await read_all_rows()


@pytest.mark.parametrize(("field", "value"), SETTINGS, ids=str)
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
async def test_update_config_changes_only_the_given_field(
    bytes_ops: BytesOperations, ids: Ids, known: bool, field: str, value: Any
) -> None:
    """The result and the stored row have the new value in one field, the defaults elsewhere."""
    if known:
        await bytes_ops.get_config(ids.guild)
    answer = await bytes_ops.update_config(ids.guild, BytesConfigUpdate(**{field: value}))
    stored = await BytesConfig.get(guild_id=ids.guild)
    assert DEFAULTS | {field: value} == settings(answer) == settings(stored)
    assert as_dict(stored) == as_dict(answer)


async def test_update_config_keeps_earlier_changes(bytes_ops: BytesOperations, ids: Ids) -> None:
    """After several fields and then another one, all have the new values."""
    changes: list[dict[str, Any]] = [
        {"daily_amount": 25, "role_rewards": {"301": 500}},
        {"streak_bonuses": {7: 2}},
        {"daily_amount": 30},
    ]
    for fields in changes:
        await bytes_ops.update_config(ids.guild, BytesConfigUpdate(**fields))
    expected = {"daily_amount": 30, "role_rewards": {"301": 500}, "streak_bonuses": {7: 2}}
    assert DEFAULTS | expected == settings(await bytes_ops.get_config(ids.guild))


async def test_update_config_moves_updated_at_alone(bytes_ops: BytesOperations, ids: Ids) -> None:
    """created_at stays; updated_at changes, also for an equal value."""
    first = await bytes_ops.update_config(ids.guild, BytesConfigUpdate(daily_amount=11))
    second = await bytes_ops.update_config(ids.guild, BytesConfigUpdate(daily_amount=11))
    third = await bytes_ops.update_config(ids.guild, BytesConfigUpdate(daily_amount=11))
    assert first.created_at == second.created_at == third.created_at
    assert first.updated_at < second.updated_at < third.updated_at


async def test_update_config_without_fields_changes_nothing(
    bytes_ops: BytesOperations, ids: Ids, read_all_rows: ReadRows
) -> None:
    """An update without fields returns the config unchanged."""
    config = await bytes_ops.get_config(ids.guild)
    before = await read_all_rows()
    assert as_dict(config) == as_dict(await bytes_ops.update_config(ids.guild, BytesConfigUpdate()))
    assert before == await read_all_rows()


async def test_update_config_changes_one_guild(bytes_ops: BytesOperations, ids: Ids) -> None:
    """Changing one guild's config does not change another's."""
    await bytes_ops.get_config(ids.other_guild)
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(daily_amount=11))
    assert settings(await bytes_ops.get_config(ids.other_guild)) == DEFAULTS


async def test_get_config_returns_streak_bonuses_with_int_keys(
    bytes_ops: BytesOperations, ids: Ids
) -> None:
    """JSON has no int keys; every way to read the row converts them."""
    await bytes_ops.update_config(ids.guild, BytesConfigUpdate(streak_bonuses={30: 3, 7: 2}))
    fresh = await BytesConfig.get(guild_id=ids.guild)
    await fresh.refresh_from_db()
    values = await BytesConfig.filter(guild_id=ids.guild).values("streak_bonuses")
    for bonuses in (fresh.streak_bonuses, values[0]["streak_bonuses"]):
        assert bonuses == {30: 3, 7: 2}
        assert {int} == {type(days) for days in bonuses}


REFUSED: list[tuple[str, Any]] = [
    *((field, None) for field in DEFAULTS if field != "currency_emoji"),
    *(
        (field, bad)
        for field in DEFAULTS
        for bad in (-1, True, 1.0, "5", 2**63, 10**5000, [])
        if bad != "5" or not field.startswith("currency")
    ),
    ("starting_balance", {}),
    ("transfer_cooldown_hours", 10**9),
    ("streak_bonuses", {0: 2}),
    ("streak_bonuses", {-8: 2}),
    ("streak_bonuses", {8: 0}),
    ("streak_bonuses", {8: -1}),
    ("streak_bonuses", {8: True}),
    ("streak_bonuses", {8: 1.5}),
    ("streak_bonuses", {8: None}),
    ("streak_bonuses", {8: 2**63}),
    ("role_rewards", {"0": 1}),
    ("role_rewards", {"moderator": 1}),
    ("role_rewards", {"301": 0}),
    ("role_rewards", {"301": -1}),
    ("role_rewards", {"301": "5"}),
    ("role_rewards", {"301": 2**63}),
    *(
        ("timezone", name)
        for name in (
            *("", " ", "UTC ", "Mars/Base", "CET/", "/UTC", "/usr/share/zoneinfo/UTC", "../UTC"),
            *("Europe", "Europe//Berlin", "./UTC", "Europe\\Berlin", "UTC\0", "UT\ud800", "Ünited"),
            *("zone.tab", "tzdata.zi", "localtime", "posixrules", "posix/UTC", "right/UTC"),
            *("europe/berlin\n", "X" * 65, b"UTC", "Europe/Berlin/Mitte"),
        )
    ),
    ("streak_grace_days", 2**31),
    *(
        (field, text)
        for field, longest in (("currency_name", 32), ("currency_emoji", 64))
        for text in ("", "x" * (longest + 1), "a\0", "\ud800", b"bytes")
    ),
    ("guild_id", "1"),
    ("balance", 5),
    ("created_at", None),
]


@pytest.mark.parametrize(
    ("field", "value"),
    REFUSED,
    ids=[f"{field}-{str(value)[:20] if value != 10**5000 else 'huge'}" for field, value in REFUSED],
)
def test_update_config_input_refuses_invalid_values(field: str, value: Any) -> None:
    """None, unknown fields, and values out of range or of another type are refused."""
    with pytest.raises(InvalidInputError) as caught:
        BytesConfigUpdate(**{field: value})
    assert str(caught.value).encode()
