"""A guild's config."""

from __future__ import annotations

from ..domain.defaults import (
    CURRENCY_NAME,
    DAILY_AMOUNT,
    MAX_TRANSFER,
    STARTING_BALANCE,
    STREAK_GRACE_DAYS,
    TIMEZONE,
    TRANSFER_COOLDOWN_HOURS,
)
from .statement import Statement

GET_CONFIG = Statement("SELECT * FROM bytes_configs WHERE guild_id = $1::text")
"""Get a guild's config. $1 guild."""

SAVE_CONFIG = Statement(f"""
    INSERT INTO bytes_configs AS config
        (guild_id, created_at, updated_at, starting_balance, daily_amount, streak_bonuses,
         max_transfer, transfer_cooldown_hours, role_rewards, timezone, streak_grace_days,
         currency_name, currency_emoji)
    VALUES (
        $1::text, $2::timestamptz, $2::timestamptz, coalesce($3::bigint, {STARTING_BALANCE}),
        coalesce($4::bigint, {DAILY_AMOUNT}), coalesce($5::jsonb, $9::jsonb),
        coalesce($6::bigint, {MAX_TRANSFER}), coalesce($7::int, {TRANSFER_COOLDOWN_HOURS}),
        coalesce($8::jsonb, '{{}}'::jsonb), coalesce($10::text, '{TIMEZONE}'),
        coalesce($11::int, {STREAK_GRACE_DAYS}), coalesce($12::text, '{CURRENCY_NAME}'),
        $14::text
    )
    ON CONFLICT (guild_id) DO UPDATE SET
        updated_at = $2::timestamptz,
        starting_balance = coalesce($3::bigint, config.starting_balance),
        daily_amount = coalesce($4::bigint, config.daily_amount),
        streak_bonuses = coalesce($5::jsonb, config.streak_bonuses),
        max_transfer = coalesce($6::bigint, config.max_transfer),
        transfer_cooldown_hours = coalesce($7::int, config.transfer_cooldown_hours),
        role_rewards = coalesce($8::jsonb, config.role_rewards),
        timezone = coalesce($10::text, config.timezone),
        streak_grace_days = coalesce($11::int, config.streak_grace_days),
        currency_name = coalesce($12::text, config.currency_name),
        currency_emoji = CASE WHEN $13::boolean THEN $14::text ELSE config.currency_emoji END
    RETURNING *
""")
"""Insert or update a guild's config; null keeps a column, or inserts its default.

$1 guild, $2 wall time, $3 starting balance, $4 daily amount, $5 streak bonuses, $6 max transfer,
$7 cooldown hours, $8 role rewards, $9 default streak bonuses, $10 timezone, $11 grace days,
$12 currency name, $13 whether the currency emoji is given, $14 currency emoji.
"""

GET_SAVED_CONFIG = Statement("""
    SELECT * FROM bytes_configs WHERE guild_id = $1::text AND updated_at = $2::timestamptz
""")
"""Get a guild's config if it was last saved at this wall time. $1 guild, $2 wall time."""
