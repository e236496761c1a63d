"""The five tables.

Design
======

Every row belongs to one guild, and nothing crosses guilds: every key begins with or includes
``guild_id``, so that on PostgreSQL the tables can be hash-partitioned by it as they are.

::

    BytesConfig        one per guild: what new members get, rewards, limits
    BytesBalance       one per member: what the member has, and the streak
    BytesTransaction   the ledger: every change of a balance is one row, never rewritten
    Squad              a team, tied to a Discord role
    SquadMembership    which squad a member is in: one at the most

Two identities hold at every commit::

    balance        = total_received - total_sent
    total_received = sum of the ledger rows that the member received   (total_sent likewise)

The first is a CHECK of the migrations, the second is what ``BytesOperations.verify`` recomputes.

Discord ids (snowflakes) are unsigned 64-bit integers, one bit more than a SQL ``BIGINT`` has, and
are therefore stored as text. On PostgreSQL the primary keys are ``(id, guild_id)``; the ORM knows
one key column, and Python sees one ``id``.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from .domain.ids import uuid7
from .domain.rules import wall_time
from .domain.validation import MAX_KEY, MAX_REASON, MAX_USERNAME, SNOWFLAKE_DIGITS

MAX_SQUAD_NAME = 100
MAX_SQUAD_DESCRIPTION = 500


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def default_streak_bonuses() -> dict[int, int]:
    """Multiplier by streak length in days: from day 8 double, up to sixteenfold from day 64."""
    return {8: 2, 16: 4, 32: 8, 64: 16}


class StreakBonusesField(fields.JSONField[dict[int, int]]):
    """A ``dict[int, int]``. JSON has no int keys; they come back as ints."""

    def to_python_value(self, value: Any) -> Any:
        """The value with int keys, however it was stored or given."""
        bonuses = super().to_python_value(value)
        if not isinstance(bonuses, dict):
            return bonuses  # pragma: no cover  # written by other hands; shown as it is
        return {int(days): multiplier for days, multiplier in bonuses.items()}


class GuildRow(Model):
    """What every table has: the guild that the row belongs to."""

    guild_id = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord guild (snowflake)"
    )

    class Meta:
        abstract = True


class AuditedRow(GuildRow):
    """A guild's row with the wall times (UTC) of its making and of its last change."""

    created_at = fields.DatetimeField(
        auto_now_add=True, description="When the row was made (wall time, UTC)"
    )
    updated_at = fields.DatetimeField(
        auto_now=True, description="When the row last changed (wall time, UTC)"
    )

    class Meta:
        abstract = True


class BytesBalance(AuditedRow):
    """What a member has, in whole bytes, and the member's daily streak."""

    id = fields.BigIntField(primary_key=True, description="Surrogate key")
    user_id = fields.CharField(max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake)")
    balance = fields.BigIntField(default=0, description="Whole bytes, never negative")
    total_received = fields.BigIntField(default=0, description="All bytes ever received")
    total_sent = fields.BigIntField(default=0, description="All bytes ever sent")
    last_daily = fields.DateField(null=True, description="UTC date of the last daily claim")
    streak_count = fields.IntField(default=0, description="Daily claims in a row, in days")
    claim_key = fields.CharField(
        max_length=MAX_KEY,
        null=True,
        description="Idempotency key of the last claim, if it paid nothing (no ledger row)",
    )
    claim_details = fields.JSONField[dict[str, Any]](
        null=True, encoder=_compact, decoder=json.loads, description="What that claim answered"
    )

    class Meta:
        table = "bytes_balances"
        table_description = "What each member of a guild has"
        unique_together = (("guild_id", "user_id"), ("guild_id", "claim_key"))
        indexes = (
            Index(fields=("guild_id", "balance", "user_id"), name="ix_bytes_balances_leaderboard"),
        )


class BytesTransaction(GuildRow):
    """A row of the ledger: bytes that went from one party to another.

    ``kind`` says why: ``transfer`` between members; from SYSTEM ``starting``, ``daily`` and
    ``grant``; to SYSTEM ``charge`` and ``squad``.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7, description="UUID, version 7")
    giver_id = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake) or SYSTEM"
    )
    giver_username = fields.CharField(
        max_length=MAX_USERNAME, description="The giver's name at that time"
    )
    receiver_id = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake) or SYSTEM"
    )
    receiver_username = fields.CharField(
        max_length=MAX_USERNAME, description="The receiver's name at that time"
    )
    amount = fields.BigIntField(description="Whole bytes, at least 1")
    reason = fields.CharField(
        max_length=MAX_REASON, null=True, description="Why, in the words of whoever moved them"
    )
    created_at = fields.DatetimeField(
        default=wall_time, description="When it happened, by the operation's clock (UTC)"
    )
    kind = fields.CharField(
        max_length=16, description="transfer, starting, daily, grant, charge or squad"
    )
    actor_id = fields.CharField(
        max_length=SNOWFLAKE_DIGITS,
        null=True,
        description="Discord user (snowflake) who ordered a grant or charge",
    )
    idempotency_key = fields.CharField(
        max_length=MAX_KEY, null=True, description="What makes a repeated order harmless"
    )
    details = fields.JSONField[dict[str, Any]](
        null=True,
        encoder=_compact,
        decoder=json.loads,
        description="What else the operation answered, to answer a repeated order the same way",
    )

    class Meta:
        table = "bytes_transactions"
        table_description = "The ledger: every movement of bytes"
        unique_together = (("guild_id", "idempotency_key"),)
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


class BytesConfig(AuditedRow):
    """A guild's economy. Amounts in whole bytes."""

    guild_id = fields.CharField(
        max_length=SNOWFLAKE_DIGITS, primary_key=True, description="Discord guild (snowflake)"
    )
    starting_balance = fields.BigIntField(
        default=100, description="Whole bytes a new member receives"
    )
    daily_amount = fields.BigIntField(
        default=10, description="Whole bytes a daily claim pays before the multiplier"
    )
    streak_bonuses = StreakBonusesField(
        default=default_streak_bonuses,
        encoder=_compact,
        decoder=json.loads,
        description="Multiplier by streak length in days",
    )
    max_transfer = fields.BigIntField(default=1000, description="Largest transfer in whole bytes")
    transfer_cooldown_hours = fields.IntField(
        default=0, description="Hours between a giver's transfers"
    )
    role_rewards = fields.JSONField[dict[str, int]](
        default=dict,
        encoder=_compact,
        decoder=json.loads,
        description="Total received, in whole bytes, that earns a role (by role id)",
    )

    class Meta:
        table = "bytes_configs"
        table_description = "Each guild's economy"


class Squad(AuditedRow):
    """A team of a guild, tied to a Discord role."""

    id = fields.UUIDField(primary_key=True, default=uuid7, description="UUID, version 7")
    role_id = fields.CharField(max_length=SNOWFLAKE_DIGITS, description="Discord role (snowflake)")
    name = fields.CharField(max_length=MAX_SQUAD_NAME, description="The squad's name")
    description = fields.CharField(
        max_length=MAX_SQUAD_DESCRIPTION, null=True, description="What the squad is about"
    )
    switch_cost = fields.BigIntField(
        default=50, description="Whole bytes that joining costs, or switching to it"
    )
    max_members = fields.IntField(
        null=True, description="How many members it takes, without limit when null"
    )
    is_active = fields.BooleanField(default=True, description="Whether it takes members")

    class Meta:
        table = "squads"
        table_description = "Teams, each tied to a Discord role"
        unique_together = (("guild_id", "role_id"),)


class SquadMembership(GuildRow):
    """Which squad a member is in. A member is in one squad of a guild at the most."""

    id = fields.BigIntField(primary_key=True, description="Surrogate key")
    user_id = fields.CharField(max_length=SNOWFLAKE_DIGITS, description="Discord user (snowflake)")
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
    idempotency_key = fields.CharField(
        max_length=MAX_KEY,
        null=True,
        description="Idempotency key of a joining that was free (no ledger row)",
    )

    class Meta:
        table = "squad_memberships"
        table_description = "Which squad each member is in"
        unique_together = (("guild_id", "user_id"), ("guild_id", "idempotency_key"))
        indexes = (
            Index(fields=("guild_id", "squad_id", "user_id"), name="ix_squad_memberships_squad_id"),
        )
