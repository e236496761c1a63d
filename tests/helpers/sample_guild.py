"""A guild with each kind of ledger row, each use of a key, and unusual texts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import bytes_squads
from bytes_squads import (
    BytesBalance,
    BytesConfigUpdate,
    BytesOperations,
    SquadCreate,
    SquadMembership,
    SquadOperations,
)
from bytes_squads.engine._tortoise import column_names
from bytes_squads.testing import Clock

from .backends import MODELS
from .sample_data import ALICE, BOB, CAROL, GUILD, make_transfer

DAVE = "200000000000000004"
HOSTILE_NAME = 'Robert"); \x1b[31mDROP\r\n\u202e 🎲 [bold]:smile: möwe'
"""A name with quotes, an escape sequence, a change of direction, markup, emoji, and an umlaut."""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[BytesOperations]:
    """Operations on the database, which is closed afterwards."""
    await bytes_squads.init(url)
    try:
        yield BytesOperations()
    finally:
        await bytes_squads.close()


async def populate(guild: str = GUILD) -> None:
    """Fill the guild in the open database."""
    clock = Clock(datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC))
    money, teams = BytesOperations(clock=clock), SquadOperations(clock=clock)
    settings = BytesConfigUpdate(
        daily_amount=7, streak_bonuses={2: 3}, role_rewards={"300000000000000009": 120}
    )
    await money.update_config(guild, settings)
    red = await teams.create_squad(
        SquadCreate(
            guild_id=guild, role_id=31, name=HOSTILE_NAME[:100], description="costs", max_members=9
        )
    )
    blue = await teams.create_squad(
        SquadCreate(guild_id=guild, role_id=32, name="Blue", switch_cost=0)
    )
    await teams.create_squad(SquadCreate(guild_id=guild, role_id=33, name="Grey", is_active=False))
    for user, name in ((ALICE, "alice"), (BOB, HOSTILE_NAME), (CAROL, "")):
        await money.get_balance(guild, user, name)
        clock.now += timedelta(microseconds=1)
    await money.create_transaction(
        make_transfer(
            ALICE,
            BOB,
            25,
            guild_id=guild,
            receiver_username=HOSTILE_NAME,
            reason=HOSTILE_NAME,
            idempotency_key="click 1",
        )
    )
    await money.claim_daily(guild, ALICE, "alice", idempotency_key="claim 1")
    clock.advance(days=1)
    await money.claim_daily(guild, ALICE, "alice", idempotency_key="claim 2")
    await money.grant(guild, DAVE, 500, reason="prize", actor_id=BOB, idempotency_key="grant 1")
    await money.charge(guild, DAVE, 499, username="dave", reason="fine", actor_id=ALICE)
    await money.grant_many(guild, {ALICE: 1, BOB: 2}, reason="rain", idempotency_key="rain 1")
    await teams.join_squad(guild, ALICE, red.id, username="alice", idempotency_key="join 1")
    await teams.join_squad(guild, BOB, blue.id, idempotency_key="join 2")
    await money.update_config(guild, BytesConfigUpdate(daily_amount=0))
    await money.claim_daily(guild, CAROL, idempotency_key="claim 3")


Dump = dict[str, list[dict[str, Any]]]


async def dump(guild: str | None = None) -> Dump:
    """Every row of the open database, or of a guild, without the surrogate keys."""
    found = {}
    for model in MODELS:
        rows = model.all() if guild is None else model.filter(guild_id=guild)
        columns = column_names(model)
        if model in {BytesBalance, SquadMembership}:
            columns.remove("id")
        found[str(model._meta.db_table)] = sorted(
            (dict(row) for row in await rows.values(*columns)), key=repr
        )
    return found
