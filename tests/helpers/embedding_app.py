"""A bot with its own model, connections and app labels, for `test_host`.

It runs in a process of its own: a model class keeps the first app label that it was given. None of
the package's models is imported by name: Tortoise would take it for one of this module.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tortoise import Tortoise, fields
from tortoise.models import Model

import bytes_squads
from bytes_squads import (
    BytesOperations,
    BytesTransactionCreate,
    SquadCreate,
    SquadOperations,
    SquadRoleTakenError,
)

GUILD, ALICE, BOB = 1, 2, 3


class Note(Model):
    """A model of the bot."""

    id = fields.IntField(primary_key=True)
    text = fields.CharField(max_length=100)


def config(own_url: str, url: str) -> dict[str, Any]:
    """Two connections, the models under labels of the host's choice."""
    return {
        "connections": {"main": own_url, "economy": url},
        "apps": {
            "host": {"models": ["helpers.embedding_app"], "default_connection": "main"},
            "money": {"models": ["bytes_squads.models"], "default_connection": "economy"},
        },
    }


async def a_day() -> dict[str, Any]:
    """Run the operations of a bot, and return their results."""
    money, squads = BytesOperations(), SquadOperations()
    transfer = BytesTransactionCreate(
        guild_id=str(GUILD),
        giver_id=str(ALICE),
        giver_username="alice",
        receiver_id=str(BOB),
        receiver_username="bob",
        amount=10,
        idempotency_key="click",
    )
    clicks = await asyncio.gather(*(money.create_transaction(transfer) for _ in range(5)))
    claim = await money.claim_daily(GUILD, ALICE)
    squad = await squads.create_squad(SquadCreate(guild_id=str(GUILD), role_id="9", name="Red"))
    try:
        await squads.create_squad(SquadCreate(guild_id=str(GUILD), role_id="9", name="Blue"))
        refused = "nothing"
    except SquadRoleTakenError:
        refused = "SquadRoleTakenError"
    await squads.join_squad(GUILD, ALICE, squad.id)
    try:
        async with bytes_squads.in_transaction():
            await money.grant(GUILD, BOB, 1000)
            raise LookupError
    except LookupError:
        pass
    async with bytes_squads.in_transaction():
        await money.grant(GUILD, BOB, 1)
        await money.grant_many(GUILD, {ALICE: 1, BOB: 1})
    report = await money.verify()
    await squads.delete_squad(GUILD, squad.id)
    return {
        "clicks": len({click.id for click in clicks}),
        "claim": claim.amount,
        "refused": refused,
        "balances": [entry.balance for entry in await money.get_leaderboard(GUILD)],
        "books balance": report.ok,
        "squad after deletion": await squads.get_user_squad(GUILD, ALICE),
        "models": await bytes_squads.BytesBalance.all().count(),
    }


async def host(own_url: str, url: str, schema: str) -> dict[str, Any]:
    """The bot, on a schema made before, by the models, or by upgrade() while it is open."""
    await Tortoise.init(config=config(own_url, url))
    try:
        if schema == "generate_schemas":
            await Tortoise.generate_schemas()
        else:
            await Tortoise.get_connection("main").execute_script(
                "CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(100))"
            )
        if schema == "upgrade in the host":
            await bytes_squads.upgrade()
        await Note.create(text="before")
        result = await a_day()
        await Note.create(text="after")
        return {**result, "notes": await Note.all().count()}
    finally:
        await Tortoise.close_connections()


async def plain() -> dict[str, Any]:
    """A host that takes the package's config as it is."""
    await Tortoise.init(config=bytes_squads.TORTOISE_ORM)
    try:
        return await a_day()
    finally:
        await Tortoise.close_connections()


def main() -> None:
    """Run one of them and print the result."""
    run = host(*sys.argv[1:]) if len(sys.argv) > 1 else plain()
    print(json.dumps(asyncio.run(run)))
