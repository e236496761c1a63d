"""The five tables.

Design
======

Every row belongs to one guild, and no row refers to another guild. Every key includes ``guild_id``,
so that PostgreSQL can hash-partition the tables by it.

::

    BytesConfig        one per guild: starting balance, rewards, limits
    BytesBalance       one per member: balance, totals, streak
    BytesTransaction   the ledger: one row per action of a member, never rewritten
    Squad              a team, tied to a Discord role
    SquadMembership    the squad of a member, at most one

Two identities hold at every commit::

    balance        = total_received - total_sent
    total_received = sum of the ledger rows that the member received   (total_sent: sent)

The first is a CHECK constraint; ``BytesOperations.verify`` recomputes the second.

An action that moves no bytes is a row of 0 bytes: a starting balance of 0, a claim that pays
nothing, a free join, switch or leave. So every action has an id, an idempotency key and a history.

Discord ids (snowflakes) are unsigned 64-bit integers, which do not fit ``BIGINT``, so they are
stored as text. On PostgreSQL the primary keys are ``(id, guild_id)``, in the models ``id``.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from .domain import defaults
from .domain.ids import uuid7
from .domain.rules import wall_time
from .domain.validation import (
    MAX_KEY,
    MAX_REASON,
    MAX_TIMEZONE,
    MAX_USERNAME,
    SNOWFLAKE_DIGITS,
)

MAX_SQUAD_NAME = 100
MAX_SQUAD_DESCRIPTION = 500
MAX_CURRENCY_NAME = 32
MAX_CURRENCY_EMOJI = 64
"""Room for a Discord emoji, ``<a:name:id>`` with a name of 32 characters and an id of 20 digits."""


def _dump_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class StreakBonusesField(fields.JSONField[dict[int, int]]):
    """A ``dict[int, int]`` stored as JSON, which has only text keys."""

    def to_python_value(self, value: Any) -> Any:
        """Return the value with int keys."""
        bonuses = super().to_python_value(value)
        if not isinstance(bonuses, dict):
            return bonuses  # pragma: no cover  # not written by this package
        return {int(days): multiplier for days, multiplier in bonuses.items()}


class GuildScoped(Model):
    """Base of every table: a row that belongs to one guild."""

    guild_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord guild (snowflake)"
    )

    class Meta:
        abstract = True


class Timestamped(GuildScoped):
    """Base of tables with the wall times (UTC) of creation and last change."""

    created_at = fields.DatetimeField(
        auto_now_add=True, description="When the row was made (wall time, UTC)"
    )
    updated_at = fields.DatetimeField(
        auto_now=True, description="When the row last changed (wall time, UTC)"
    )

    class Meta:
        abstract = True


class BytesBalance(Timestamped):
    """A member's balance and totals in whole bytes, and the daily streak."""

    id: fields.Field[int] = fields.BigIntField(primary_key=True, description="Surrogate key")
    user_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake)"
    )
    balance: fields.Field[int] = fields.BigIntField(
        default=0, description="Whole bytes, never negative"
    )
    total_received: fields.Field[int] = fields.BigIntField(
        default=0, description="All bytes ever received"
    )
    total_sent: fields.Field[int] = fields.BigIntField(default=0, description="All bytes ever sent")
    last_daily = fields.DateField(
        null=True, description="Date of the last daily claim, in the guild's timezone"
    )
    streak_count: fields.Field[int] = fields.IntField(
        default=0, description="Daily claims in a row, in days"
    )
    last_transfer_at = fields.DatetimeField(
        null=True,
        description="When the member's last transfer as giver happened, "
        "by the operation's clock (UTC)",
    )
    left_at = fields.DatetimeField(
        null=True,
        description="When the member left the Discord guild, by the operation's clock (UTC); "
        "null while there",
    )

    class Meta:
        table = "bytes_balances"
        table_description = "What each member of a guild has"
        unique_together = (("guild_id", "user_id"),)
        indexes = (
            Index(fields=("guild_id", "balance", "user_id"), name="ix_bytes_balances_leaderboard"),
        )


class BytesTransaction(GuildScoped):
    """A row of the ledger: an action that moved bytes, or could have, from giver to receiver.

    ``kind`` is one of: ``transfer`` between members; from SYSTEM ``starting``, ``daily`` and
    ``grant``; to SYSTEM ``charge`` and ``squad``. A ``reversal`` takes back the row
    ``reverses_id``, once: from its receiver to its giver. A ``starting``, ``daily`` or ``squad``
    row may have 0 bytes. The ``details`` of a ``daily`` row are ``streak``, ``multiplier``,
    ``claimed_on`` and ``balance``; those of a ``squad`` row ``action`` (join, switch or leave) and
    ``squad_id``.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7, description="UUID, version 7")
    giver_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake) or SYSTEM"
    )
    giver_username: fields.Field[str] = fields.CharField(
        max_length=MAX_USERNAME, description="The giver's name at that time"
    )
    receiver_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake) or SYSTEM"
    )
    receiver_username: fields.Field[str] = fields.CharField(
        max_length=MAX_USERNAME, description="The receiver's name at that time"
    )
    amount: fields.Field[int] = fields.BigIntField(
        description="Whole bytes: at least 1, or 0 where the kind is starting, daily or squad"
    )
    reason: fields.Field[str | None] = fields.CharField(
        max_length=MAX_REASON, null=True, description="Why, in the caller's words"
    )
    created_at = fields.DatetimeField(
        default=wall_time, description="When it happened, by the operation's clock (UTC)"
    )
    kind: fields.Field[str] = fields.CharField(
        max_length=16, description="transfer, starting, daily, grant, charge, squad or reversal"
    )
    actor_id: fields.Field[str | None] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS,
        null=True,
        description="Discord user (snowflake) who ordered a grant or charge",
    )
    idempotency_key: fields.Field[str | None] = fields.CharField(
        max_length=MAX_KEY,
        null=True,
        description="Identifies a request, so that repeating it changes nothing",
    )
    details = fields.JSONField[dict[str, Any]](
        null=True,
        encoder=_dump_json,
        decoder=json.loads,
        description="What else the operation answered, for repeated requests and for the history",
    )
    reverses_id = fields.UUIDField(
        null=True, description="The row that a reversal takes back; null for other kinds"
    )

    class Meta:
        table = "bytes_transactions"
        table_description = "The ledger: every act of a member, with the bytes that it moved"
        unique_together = (("guild_id", "idempotency_key"), ("guild_id", "reverses_id"))
        indexes = (
            Index(fields=("guild_id", "created_at", "id"), name="ix_bytes_transactions_created_at"),
            Index(
                fields=("guild_id", "giver_id", "created_at", "id"),
                name="ix_bytes_transactions_giver_id",
            ),
            Index(
                fields=("guild_id", "receiver_id", "created_at", "id"),
                name="ix_bytes_transactions_receiver_id",
            ),
        )


class BytesConfig(Timestamped):
    """A guild's settings. Amounts in whole bytes."""

    guild_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, primary_key=True, description="Discord guild (snowflake)"
    )
    starting_balance: fields.Field[int] = fields.BigIntField(
        default=defaults.STARTING_BALANCE, description="Whole bytes a new member receives"
    )
    daily_amount: fields.Field[int] = fields.BigIntField(
        default=defaults.DAILY_AMOUNT,
        description="Whole bytes a daily claim pays before the multiplier",
    )
    streak_bonuses = StreakBonusesField(
        default=defaults.streak_bonuses,
        encoder=_dump_json,
        decoder=json.loads,
        description="Multiplier by streak length in days",
    )
    max_transfer: fields.Field[int] = fields.BigIntField(
        default=defaults.MAX_TRANSFER, description="Largest transfer in whole bytes"
    )
    transfer_cooldown_hours: fields.Field[int] = fields.IntField(
        default=defaults.TRANSFER_COOLDOWN_HOURS, description="Hours between a giver's transfers"
    )
    role_rewards = fields.JSONField[dict[str, int]](
        default=dict,
        encoder=_dump_json,
        decoder=json.loads,
        description="Total received, in whole bytes, that earns a role (by role id)",
    )
    timezone: fields.Field[str] = fields.CharField(
        max_length=MAX_TIMEZONE,
        default=defaults.TIMEZONE,
        description="IANA time zone whose dates decide on daily claims",
    )
    streak_grace_days: fields.Field[int] = fields.IntField(
        default=defaults.STREAK_GRACE_DAYS,
        description="Days without a claim that do not end a streak",
    )
    currency_name: fields.Field[str] = fields.CharField(
        max_length=MAX_CURRENCY_NAME,
        default=defaults.CURRENCY_NAME,
        description="What the guild calls its bytes",
    )
    currency_emoji: fields.Field[str | None] = fields.CharField(
        max_length=MAX_CURRENCY_EMOJI,
        null=True,
        description="Emoji shown with amounts: Unicode, or Discord's <:name:id>",
    )

    class Meta:
        table = "bytes_configs"
        table_description = "Each guild's economy"


class Squad(Timestamped):
    """A team of a guild with a Discord role."""

    id = fields.UUIDField(primary_key=True, default=uuid7, description="UUID, version 7")
    role_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord role (snowflake)"
    )
    name: fields.Field[str] = fields.CharField(
        max_length=MAX_SQUAD_NAME, description="The squad's name"
    )
    description: fields.Field[str | None] = fields.CharField(
        max_length=MAX_SQUAD_DESCRIPTION, null=True, description="What the squad is about"
    )
    switch_cost: fields.Field[int] = fields.BigIntField(
        default=defaults.SWITCH_COST,
        description="Whole bytes that joining costs, or switching to it",
    )
    max_members: fields.Field[int | None] = fields.IntField(
        null=True, description="How many members it takes, without limit when null"
    )
    is_active = fields.BooleanField(default=True, description="Whether it takes members")

    class Meta:
        table = "squads"
        table_description = "Teams, each tied to a Discord role"
        unique_together = (("guild_id", "role_id"),)


class SquadMembership(GuildScoped):
    """A member's squad. A member is in at most one squad of a guild."""

    id: fields.Field[int] = fields.BigIntField(primary_key=True, description="Surrogate key")
    user_id: fields.Field[str] = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake)"
    )
    squad: fields.ForeignKeyRelation[Squad] = fields.ForeignKeyField(
        Squad,
        related_name="memberships",
        on_delete=fields.CASCADE,
        description="A squad of the same guild",
    )
    squad_id: UUID
    joined_at = fields.DatetimeField(
        default=wall_time, description="When the member joined, by the operation's clock (UTC)"
    )

    class Meta:
        table = "squad_memberships"
        table_description = "Which squad each member is in"
        unique_together = (("guild_id", "user_id"),)
        indexes = (
            Index(fields=("guild_id", "squad_id", "user_id"), name="ix_squad_memberships_squad_id"),
        )
