"""The example bot when things come twice, all at once, late, or in the middle of its end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

pytest.importorskip("discord")
pytest.importorskip("aiohttp")

from discord_fake import FakeDiscord, Interaction
from example_bot import EXAMPLE, Town, running_town

import bytes_squads as bs
from conftest import Clock


@pytest.fixture
async def town(
    copied_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Town]:
    """A guild with the example bot, on each database."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with running_town(clock) as town:
        yield town
    await bs.close()
    assert town.errors_logged(caplog) == []


@asynccontextmanager
async def database_held(url: str) -> AsyncIterator[None]:
    """Nobody else can move bytes inside the block."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite://"))
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.rollback()
            connection.close()
    else:
        server = await asyncpg.connect(url)
        async with server.transaction():
            await server.execute("LOCK TABLE bytes_balances IN EXCLUSIVE MODE")
            yield
        await server.close()


def successes(interactions: list[Interaction]) -> int:
    """How many were told that their bytes were sent."""
    return sum(each.answer.text.startswith("You sent") for each in interactions)


async def transfers(url: str) -> int:
    """How many transfers the ledger has; and its books balance."""
    await bs.init(url)
    try:
        report = await bs.BytesOperations().verify()
        assert report.discrepancies == ()
        return await bs.BytesTransaction.filter(kind="transfer").count()
    finally:
        await bs.close()


# Twice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acknowledges", ["the first", "both"])
async def test_an_interaction_that_comes_twice_moves_bytes_once(
    town: Town, acknowledges: str
) -> None:
    """And its one answer is right, even if Discord should take both acknowledgements."""
    town.fake.rest.acknowledges_again = acknowledges == "both"
    squad = await town.open_squad(town.owls, switch_cost=30)
    uses: list[tuple[str, Any, dict[str, Any], str, int]] = [
        ("/bytes send", town.ada, {"to": town.bo, "amount": 20}, "You sent 20", 80),
        ("/bytes daily", town.ada, {}, "**10** bytes for day 1", 90),
        ("/economy grant", town.mo, {"member": town.ada, "amount": 5}, "has received 5", 95),
        ("/economy charge", town.mo, {"member": town.ada, "amount": 15}, "has paid 15", 80),
        ("/squad join", town.ada, {"squad": str(squad.id)}, "You are in **Owls**.", 50),
    ]
    for path, member, options, words, balance in uses:
        interaction = await town.fake.send(path, member, deliveries=2, **options)
        answered = 2 if acknowledges == "both" else 1
        await town.fake.until(lambda i=interaction, n=answered: i.answer.edits == n)
        await town.fake.until(lambda: not town.bot.tree.running)
        assert words in interaction.answer.text
        assert (path, await town.balance(town.ada)) == (path, balance)

    assert await town.ledger() == [
        ("transfer", 20),
        ("daily", 10),
        ("grant", 5),
        ("charge", 15),
        ("squad", 30),
    ]


async def test_a_leave_that_comes_twice_is_answered_once(town: Town) -> None:
    """The second delivery does not say that the member is in no squad."""
    squad = await town.open_squad(town.owls)
    await town.use("/squad join", town.ada, squad=str(squad.id))
    answer = await town.use("/squad leave", town.ada, deliveries=2)
    await town.use("/bytes balance", town.ada)  # what came before it has been seen

    assert (answer.text, answer.edits) == ("You have left **Owls**.", 1)


# All at once --------------------------------------------------------------------------------------


async def test_two_hundred_interactions_at_once_are_answered(town: Town) -> None:
    """Twenty members send each other bytes; every order is carried out once."""
    members = [town.fake.member(f"m{number}") for number in range(20)]
    sent = [
        await town.fake.send(
            "/bytes send", members[n % 20], to=members[(n * 7 + n // 20 + 1) % 20], amount=1
        )
        for n in range(200)
        if n % 20 != (n * 7 + n // 20 + 1) % 20
    ]
    for interaction in sent:
        await town.fake.answer(interaction)

    assert len(sent) >= 180
    assert successes(sent) == len(sent) == len(await town.ledger())


# Late ---------------------------------------------------------------------------------------------


async def test_a_slow_database_does_not_keep_discord_waiting(town: Town, copied_url: str) -> None:
    """The command is acknowledged while the database is held, and answered afterwards."""
    async with database_held(copied_url):
        interaction = await town.fake.send("/bytes send", town.ada, to=town.bo, amount=5)
        await town.fake.until(lambda: interaction.acknowledged)
        assert not interaction.answered.is_set()
    answer = await town.fake.answer(interaction)

    assert answer.text == f"You sent 5 bytes to {town.bo.mention}."


async def test_what_cannot_be_acknowledged_moves_nothing(town: Town) -> None:
    """Discord has told the member that the bot did not answer: then it does not act either."""
    town.fake.rest.ack_seconds = 0
    interaction = await town.fake.send("/bytes send", town.ada, to=town.bo, amount=5)
    callback = f"POST /api/interactions/{interaction.id}/{interaction.token}/callback"
    await town.fake.until(lambda: callback in town.fake.rest.requests)
    town.fake.rest.ack_seconds = float("inf")
    await town.use("/bytes balance", town.ada)

    assert await town.ledger() == []


# The gateway --------------------------------------------------------------------------------------


async def test_a_dropped_connection_loses_no_interaction(town: Town) -> None:
    """What is sent meanwhile comes after RESUME, once."""
    await town.fake.drop()
    sent = [await town.fake.send("/bytes send", town.ada, to=town.bo, amount=1) for _ in range(10)]
    for interaction in sent:
        await town.fake.answer(interaction)

    assert (town.fake.gateway.identified, town.fake.gateway.resumed) == (1, 1)
    assert await town.ledger() == [("transfer", 1)] * 10


async def test_a_forgotten_session_begins_anew(town: Town) -> None:
    """The bot identifies itself again and goes on."""
    await town.fake.drop(forget=True)
    await town.fake.until(lambda: town.fake.gateway.identified == 2)
    answer = await town.use("/bytes send", town.ada, to=town.bo, amount=1)

    assert answer.text.startswith("You sent 1 bytes")


# The end ------------------------------------------------------------------------------------------


async def test_a_stop_in_a_burst_finishes_what_was_begun(
    copied_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hang: who was acknowledged gets an answer, and who was told so has sent bytes."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with FakeDiscord() as fake:
        town = Town(fake, clock)
        async with fake.running(town.bot):
            sent = [
                await fake.send("/bytes send", town.ada, to=town.bo, amount=1) for _ in range(60)
            ]
            await fake.until(lambda: successes(sent) >= 5)
            async with asyncio.timeout(60):
                await town.bot.close()
    acknowledged = [each for each in sent if each.acknowledged]

    assert successes(sent) == await transfers(copied_url)
    assert {each.answer.text[:8] for each in acknowledged} <= {"You sent", "I am abo"}


async def test_a_stop_does_not_wait_for_ever(
    copied_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Discord keeps a change of a role waiting: the bot stops, seat and bytes have gone back."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with FakeDiscord() as fake:
        town = Town(fake, clock)
        town.module.PATIENCE = 3
        async with fake.running(town.bot):
            squad = await town.open_squad(town.owls)
            with fake.hold_roles():
                await fake.send("/squad join", town.ada, squad=str(squad.id))
                await fake.until(lambda: fake.rest.requests[-1].endswith(f"/{town.owls.id}"))
                async with asyncio.timeout(60):
                    await town.bot.close()
                fake.refuse_role(town.owls)
    await bs.init(copied_url)
    seat = await bs.SquadOperations().get_user_squad(fake.guild.id, town.ada.id)
    moved = await town.ledger()
    await bs.close()

    assert (seat, moved) == (None, [("squad", 50), ("grant", 50)])
    assert town.errors_logged(caplog) == []


async def test_who_comes_while_the_bot_stops_is_told(town: Town) -> None:
    """A command under way is waited for; nothing new is begun."""
    fake = town.fake
    squad = await town.open_squad(town.owls)
    with fake.hold_roles():
        joining = await fake.send("/squad join", town.ada, squad=str(squad.id))
        await fake.until(lambda: fake.rest.requests[-1].endswith(f"/{town.owls.id}"))
        stopping = asyncio.create_task(town.bot.close())
        await asyncio.sleep(0)  # it has begun
        answer = await town.use("/bytes send", town.bo, to=town.ada, amount=5)
    await stopping
    await bs.init()  # the fixture looks at the books

    assert answer.text == "I am about to restart. Nothing was moved; try again in a minute."
    assert joining.answer.text == "You are in **Owls**."
    assert await town.ledger() == [("squad", 50)]


async def test_a_kill_in_a_burst_leaves_the_books_in_order(copied_url: str) -> None:
    """Whoever was told that bytes were sent, has sent them."""
    async with FakeDiscord() as fake:
        ada, bo = fake.member("ada"), fake.member("bo")
        async with fake.launch(EXAMPLE, DATABASE_URL=copied_url) as process:
            sent = [await fake.send("/bytes send", ada, to=bo, amount=1) for _ in range(60)]
            await fake.until(lambda: successes(sent) >= 5)
            process.kill()
            await process.wait()

    assert 5 <= successes(sent) <= await transfers(copied_url) <= 60
