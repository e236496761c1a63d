"""The example bot with repeated, concurrent and late interactions, and during shutdown."""

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

from helpers import Clock
from helpers.discord_fake import FakeDiscord, Interaction
from helpers.example_bot import RunningBot
from helpers.paths import EXAMPLE

import bytes_squads as bs


@asynccontextmanager
async def database_held(url: str) -> AsyncIterator[None]:
    """Lock the database for the length of a block."""
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
    """Return the number of answers that report success."""
    return sum(each.answer.text.startswith("You sent") for each in interactions)


async def transfers(url: str) -> int:
    """Return the number of transfers; check that the ledger is consistent."""
    await bs.init(url)
    try:
        report = await bs.BytesOperations().verify()
        assert report.discrepancies == ()
        return await bs.BytesTransaction.filter(kind="transfer").count()
    finally:
        await bs.close()


# Twice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acknowledges", ["the first", "both"])
async def test_interaction_delivered_twice_moves_bytes_once(
    running_bot: RunningBot, acknowledges: str
) -> None:
    """It has one right answer, even if Discord accepts both acknowledgements."""
    running_bot.fake.rest.acknowledges_again = acknowledges == "both"
    squad = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    uses: list[tuple[str, Any, dict[str, Any], str, int]] = [
        ("/bytes send", running_bot.ada, {"to": running_bot.bo, "amount": 20}, "You sent 20", 80),
        ("/bytes daily", running_bot.ada, {}, "**10** bytes for day 1", 90),
        (
            "/economy grant",
            running_bot.mo,
            {"member": running_bot.ada, "amount": 5},
            "has received 5",
            95,
        ),
        (
            "/economy charge",
            running_bot.mo,
            {"member": running_bot.ada, "amount": 15},
            "has paid 15",
            80,
        ),
        ("/squad join", running_bot.ada, {"squad": str(squad.id)}, "You are in **Owls**.", 50),
    ]
    for path, member, options, words, balance in uses:
        interaction = await running_bot.fake.send(path, member, deliveries=2, **options)
        answered = 2 if acknowledges == "both" else 1
        await running_bot.fake.until(lambda i=interaction, n=answered: i.answer.edits == n)
        await running_bot.fake.until(lambda: not running_bot.bot.tree.running)
        assert words in interaction.answer.text
        assert (path, await running_bot.balance(running_bot.ada)) == (path, balance)

    assert await running_bot.ledger() == [
        ("transfer", 20),
        ("daily", 10),
        ("grant", 5),
        ("charge", 15),
        ("squad", 30),
    ]


async def test_leave_that_comes_twice_is_answered_once(running_bot: RunningBot) -> None:
    """The second delivery does not say that the member is in no squad."""
    squad = await running_bot.open_squad(running_bot.owls)
    await running_bot.use("/squad join", running_bot.ada, squad=str(squad.id))
    answer = await running_bot.use("/squad leave", running_bot.ada, deliveries=2)
    await running_bot.use("/bytes balance", running_bot.ada)  # what came before it has been seen

    assert (answer.text, answer.edits) == ("You have left **Owls**.", 1)


# All at once --------------------------------------------------------------------------------------


async def test_two_hundred_interactions_at_once_are_answered(running_bot: RunningBot) -> None:
    """Twenty members send each other bytes; every request happens once."""
    members = [running_bot.fake.member(f"m{number}") for number in range(20)]
    sent = [
        await running_bot.fake.send(
            "/bytes send", members[n % 20], to=members[(n * 7 + n // 20 + 1) % 20], amount=1
        )
        for n in range(200)
        if n % 20 != (n * 7 + n // 20 + 1) % 20
    ]
    for interaction in sent:
        await running_bot.fake.answer(interaction)

    assert len(sent) >= 180
    assert successes(sent) == len(sent) == len(await running_bot.ledger())


# Late ---------------------------------------------------------------------------------------------


async def test_slow_database_does_not_keep_discord_waiting(
    running_bot: RunningBot, copied_url: str
) -> None:
    """The command is acknowledged while the database is held, and answered afterwards."""
    async with database_held(copied_url):
        interaction = await running_bot.fake.send(
            "/bytes send", running_bot.ada, to=running_bot.bo, amount=5
        )
        await running_bot.fake.until(lambda: interaction.acknowledged)
        assert not interaction.answered.is_set()
    answer = await running_bot.fake.answer(interaction)

    assert answer.text == f"You sent 5 bytes to {running_bot.bo.mention}."


async def test_what_cannot_be_acknowledged_moves_nothing(running_bot: RunningBot) -> None:
    """An interaction that cannot be acknowledged moves nothing."""
    running_bot.fake.rest.ack_seconds = 0
    interaction = await running_bot.fake.send(
        "/bytes send", running_bot.ada, to=running_bot.bo, amount=5
    )
    callback = f"POST /api/interactions/{interaction.id}/{interaction.token}/callback"
    await running_bot.fake.until(lambda: callback in running_bot.fake.rest.requests)
    running_bot.fake.rest.ack_seconds = float("inf")
    await running_bot.use("/bytes balance", running_bot.ada)

    assert await running_bot.ledger() == []


# The gateway --------------------------------------------------------------------------------------


async def test_dropped_connection_loses_no_interaction(running_bot: RunningBot) -> None:
    """Interactions sent while it is down arrive once, after RESUME."""
    await running_bot.fake.drop()
    sent = [
        await running_bot.fake.send("/bytes send", running_bot.ada, to=running_bot.bo, amount=1)
        for _ in range(10)
    ]
    for interaction in sent:
        await running_bot.fake.answer(interaction)

    assert (running_bot.fake.gateway.identified, running_bot.fake.gateway.resumed) == (1, 1)
    assert await running_bot.ledger() == [("transfer", 1)] * 10


async def test_expired_session_is_replaced(running_bot: RunningBot) -> None:
    """The bot identifies itself again and goes on."""
    await running_bot.fake.drop(forget=True)
    await running_bot.fake.until(lambda: running_bot.fake.gateway.identified == 2)
    answer = await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=1)

    assert answer.text.startswith("You sent 1 bytes")


# The end ------------------------------------------------------------------------------------------


async def test_stop_in_a_burst_finishes_the_operations_in_progress(
    copied_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each acknowledged command gets an answer, which is right."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with FakeDiscord() as fake:
        running_bot = RunningBot(fake, clock)
        async with fake.running(running_bot.bot):
            sent = [
                await fake.send("/bytes send", running_bot.ada, to=running_bot.bo, amount=1)
                for _ in range(60)
            ]
            await fake.until(lambda: successes(sent) >= 5)
            async with asyncio.timeout(60):
                await running_bot.bot.close()
    acknowledged = [each for each in sent if each.acknowledged]

    assert successes(sent) == await transfers(copied_url)
    assert {each.answer.text[:8] for each in acknowledged} <= {"You sent", "I am abo"}


async def test_stop_does_not_wait_forever_for_discord(
    copied_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bot stops while Discord does not answer; seat and bytes are given back."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with FakeDiscord() as fake:
        running_bot = RunningBot(fake, clock)
        running_bot.module.SHUTDOWN_TIMEOUT = 3
        async with fake.running(running_bot.bot):
            squad = await running_bot.open_squad(running_bot.owls)
            with fake.hold_roles():
                await fake.send("/squad join", running_bot.ada, squad=str(squad.id))
                await fake.until(lambda: fake.rest.requests[-1].endswith(f"/{running_bot.owls.id}"))
                async with asyncio.timeout(60):
                    await running_bot.bot.close()
                fake.refuse_role(running_bot.owls)
    await bs.init(copied_url)
    seat = await bs.SquadOperations().get_user_squad(fake.guild.id, running_bot.ada.id)
    moved = await running_bot.ledger()
    await bs.close()

    assert (seat, moved) == (None, [("squad", 50), ("reversal", 50), ("squad", 0)])
    assert running_bot.errors_logged(caplog) == []


async def test_commands_during_a_stop_are_refused(running_bot: RunningBot) -> None:
    """A command in progress is finished; new ones are refused."""
    fake = running_bot.fake
    squad = await running_bot.open_squad(running_bot.owls)
    with fake.hold_roles():
        joining = await fake.send("/squad join", running_bot.ada, squad=str(squad.id))
        await fake.until(lambda: fake.rest.requests[-1].endswith(f"/{running_bot.owls.id}"))
        stopping = asyncio.create_task(running_bot.bot.close())
        await asyncio.sleep(0)  # it has begun
        answer = await running_bot.use("/bytes send", running_bot.bo, to=running_bot.ada, amount=5)
    await stopping
    await bs.init()  # the fixture looks at the books

    assert answer.text == "I am about to restart. Nothing was moved; try again in a minute."
    assert joining.answer.text == "You are in **Owls**."
    assert await running_bot.ledger() == [("squad", 50)]


async def test_kill_in_a_burst_keeps_the_ledger_consistent(copied_url: str) -> None:
    """Each reported transfer is in the ledger."""
    async with FakeDiscord() as fake:
        ada, bo = fake.member("ada"), fake.member("bo")
        async with fake.launch(EXAMPLE, DATABASE_URL=copied_url) as process:
            sent = [await fake.send("/bytes send", ada, to=bo, amount=1) for _ in range(60)]
            await fake.until(lambda: successes(sent) >= 5)
            process.kill()
            await process.wait()

    assert 5 <= successes(sent) <= await transfers(copied_url) <= 60
