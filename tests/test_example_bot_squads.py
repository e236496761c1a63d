"""The example bot's squads: the seat is the database's, the role Discord's, which may refuse it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("discord")
pytest.importorskip("aiohttp")

from discord_fake import FakeDiscord, Interaction, Member
from example_bot import EXAMPLE, Town, running_town

import bytes_squads as bs
from conftest import Clock

BACK = "Discord refused you the role. You have your bytes back."


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
    assert town.errors_logged(caplog) == []


async def state(town: Town, member: Member) -> tuple[str | None, int, set[str]]:
    """The member's squad, balance, and the names of their roles."""
    names = {town.fake.guild.roles[role].name for role in member.roles}
    return await town.squad_of(member), await town.balance(member), names


async def held_at_the_role(town: Town, path: str, member: Member, **options: Any) -> Interaction:
    """A command under way that has come to Discord's first change of a role."""
    interaction = await town.fake.send(path, member, **options)
    wanted = f"/members/{member.id}/roles/"
    await town.fake.until(lambda: wanted in town.fake.rest.requests[-1])
    return interaction


# What works ---------------------------------------------------------------------------------------


async def test_a_moderator_opens_a_squad(town: Town) -> None:
    """It has the role's name, and is proposed to members as they type."""
    answer = await town.use("/economy squad", town.mo, role=town.owls, price=30, places=5)
    await town.use("/economy squad", town.mo, role=town.foxes)
    listed = await town.use("/squad list", town.ada)
    proposed = await town.fake.complete("/squad join", town.ada, "squad", "oW")

    assert answer.text == f"<@&{town.owls.id}> is a squad now; joining costs 30 bytes."
    assert listed.embeds[0]["description"].splitlines() == [
        "**Foxes**: 50 bytes, 0 of ∞ places taken",
        "**Owls**: 30 bytes, 0 of 5 places taken",
    ]
    assert list(proposed) == ["Owls"]


async def test_joining_costs_bytes_and_brings_the_role(town: Town) -> None:
    """The choice that was proposed is the squad's id."""
    await town.open_squad(town.owls, switch_cost=30)
    proposed = await town.fake.complete("/squad join", town.ada, "squad")
    answer = await town.use("/squad join", town.ada, squad=proposed["Owls"])

    assert answer.text == "You are in **Owls**."
    assert await state(town, town.ada) == ("Owls", 70, {"Owls"})


async def test_switching_swaps_the_roles(town: Town) -> None:
    """For the price of the new squad."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    foxes = await town.open_squad(town.foxes, switch_cost=20)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    answer = await town.use("/squad switch", town.ada, squad=str(foxes.id))

    assert answer.text == "You are in **Foxes**."
    assert await state(town, town.ada) == ("Foxes", 50, {"Foxes"})


async def test_leaving_takes_the_role(town: Town) -> None:
    """And gives nothing back."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    answer = await town.use("/squad leave", town.ada)

    assert answer.text == "You have left **Owls**."
    assert await state(town, town.ada) == (None, 70, set())


async def test_the_standings_add_up_what_members_have(town: Town) -> None:
    """The richest squad is on top."""
    owls = await town.open_squad(town.owls, switch_cost=0)
    await town.open_squad(town.foxes)
    for member in (town.ada, town.bo):
        await town.use("/squad join", member, squad=str(owls.id))
    answer = await town.use("/squad standings", town.ada)

    assert answer.embeds[0]["description"].splitlines() == [
        "1. **Owls**: 200 bytes, 2 members",
        "2. **Foxes**: 0 bytes, 0 members",
    ]


async def test_the_role_of_the_old_squad_may_be_gone(town: Town) -> None:
    """Somebody has deleted it in Discord: switching and leaving still work."""
    owls, foxes = await town.open_squad(town.owls), await town.open_squad(town.foxes)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    town.fake.refuse_role(town.owls, 404)
    switched = await town.use("/squad switch", town.ada, squad=str(foxes.id))
    town.fake.refuse_role(town.foxes, 404)
    left = await town.use("/squad leave", town.ada)

    assert (switched.text, left.text) == ("You are in **Foxes**.", "You have left **Foxes**.")
    assert await town.squad_of(town.ada) is None


async def test_joining_again_brings_a_role_that_is_missing(town: Town) -> None:
    """It costs nothing, and a refusal does not cost the seat."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    await town.squads.join_squad(town.fake.guild.id, town.ada.id, owls.id)
    town.fake.refuse_role(town.owls)
    refused = await town.use("/squad join", town.ada, squad=str(owls.id))
    without = await state(town, town.ada)
    town.fake.refuse_role(town.owls, 204)
    answer = await town.use("/squad join", town.ada, squad=str(owls.id))

    assert refused.text == "Discord refused you the role. You keep your seat."
    assert without == ("Owls", 70, set())
    assert answer.text == "You are in **Owls**."
    assert await state(town, town.ada) == ("Owls", 70, {"Owls"})


# What the database refuses ------------------------------------------------------------------------


async def test_what_is_refused_costs_nothing_and_brings_no_role(town: Town) -> None:
    """Each reason in its own words."""
    full = await town.open_squad(town.owls, max_members=1, switch_cost=0)
    await town.use("/squad join", town.bo, squad=str(full.id))
    dear = await town.open_squad(town.foxes, switch_cost=101)
    idle = await town.open_squad(town.fake.guild.roles[town.mods.id], is_active=False)
    odd = await town.open_squad(town.summit)
    role = "I cannot give that role. I need Manage Roles, and a role above it."
    uses = [
        ("/squad join", town.ada, "Owls", "There is no such squad."),
        ("/squad join", town.ada, str(full.id), "All 1 places of that squad are taken."),
        ("/squad join", town.ada, str(dear.id), "That takes 101 bytes, and there are 100."),
        ("/squad join", town.ada, str(idle.id), "That squad takes nobody at present."),
        ("/squad join", town.ada, str(odd.id), role),
        ("/squad join", town.bo, str(dear.id), "You are in a squad already."),
        ("/squad switch", town.ada, str(full.id), "You are in no squad."),
        ("/squad switch", town.bo, str(dear.id), "That takes 101 bytes, and there are 100."),
    ]
    for path, member, squad, words in uses:
        answer = await town.use(path, member, squad=squad)
        assert words in answer.text, (path, squad)
    left = await town.use("/squad leave", town.ada)

    assert left.text == "You are in no squad. `/squad join` one first."
    assert await town.ledger() == []
    assert await state(town, town.ada) == (None, 100, set())
    assert await state(town, town.bo) == ("Owls", 100, {"Owls"})


async def test_a_squad_that_takes_nobody_is_not_proposed(town: Town) -> None:
    """Members choose among those that they can join."""
    await town.open_squad(town.owls, is_active=False)
    await town.open_squad(town.foxes)

    assert list(await town.fake.complete("/squad join", town.ada, "squad")) == ["Foxes"]


# What Discord refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_bytes_and_seat_go_back_when_discord_refuses_the_role(
    town: Town, status: int
) -> None:
    """Forbidden, unknown, or out of order: the ledger has both ways."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    town.fake.refuse_role(town.owls, status)
    answer = await town.use("/squad join", town.ada, squad=str(owls.id))

    assert answer.text == BACK
    assert await state(town, town.ada) == (None, 100, set())
    assert await town.ledger() == [("squad", 30), ("grant", 30)]


async def test_a_free_seat_goes_back_without_a_row(town: Town) -> None:
    """Where nothing was paid, nothing is given back."""
    owls = await town.open_squad(town.owls, switch_cost=0)
    town.fake.refuse_role(town.owls)
    await town.use("/squad join", town.ada, squad=str(owls.id))

    assert await state(town, town.ada) == (None, 100, set())
    assert await town.ledger() == []


async def test_what_was_paid_is_given_back_whatever_the_price_is_by_then(town: Town) -> None:
    """A moderator raises the price while Discord thinks."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    town.fake.refuse_role(town.owls)
    with town.fake.hold_roles():
        joining = await held_at_the_role(town, "/squad join", town.ada, squad=str(owls.id))
        changes = bs.SquadUpdate(switch_cost=99)
        await town.squads.update_squad(town.fake.guild.id, owls.id, changes)
    await town.fake.answer(joining)

    assert await town.ledger() == [("squad", 30), ("grant", 30)]


@pytest.mark.parametrize("refused", ["the new role", "the old role"])
async def test_a_refused_switch_leads_back(town: Town, refused: str) -> None:
    """To the old squad with the old role, for nothing in all."""
    owls = await town.open_squad(town.owls, switch_cost=60)
    foxes = await town.open_squad(town.foxes, switch_cost=30)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    town.fake.refuse_role(town.foxes if refused == "the new role" else town.owls)
    answer = await town.use("/squad switch", town.ada, squad=str(foxes.id))
    await town.fake.until(lambda: town.ada.roles == {town.owls.id})

    assert answer.text == BACK
    assert await state(town, town.ada) == ("Owls", 40, {"Owls"})
    assert await town.ledger() == [("squad", 60), ("squad", 30), ("grant", 90), ("squad", 60)]


async def test_a_way_back_that_is_closed_leaves_the_seat_that_was_paid(town: Town) -> None:
    """All or nothing: the old squad takes nobody now, so nothing is undone; the role can follow."""
    town.expected_errors = r"order \d+ was not undone"
    owls = await town.open_squad(town.owls, switch_cost=10)
    foxes = await town.open_squad(town.foxes, switch_cost=30)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    await town.squads.update_squad(town.fake.guild.id, owls.id, bs.SquadUpdate(is_active=False))
    town.fake.refuse_role(town.foxes)
    refused = await town.use("/squad switch", town.ada, squad=str(foxes.id))
    kept = await state(town, town.ada)
    town.fake.refuse_role(town.foxes, 204)
    await town.use("/squad join", town.ada, squad=str(foxes.id))

    assert "I could not undo it. Unless `/bytes history` shows" in refused.text
    assert kept == ("Foxes", 60, {"Owls"})
    assert town.foxes.id in town.ada.roles
    assert await town.ledger() == [("squad", 10), ("squad", 30)]


async def test_a_database_that_is_away_then_undoes_nothing(town: Town) -> None:
    """The seat is held and paid for, and joining again brings the role."""
    town.expected_errors = r"order \d+ was not undone"
    owls = await town.open_squad(town.owls, switch_cost=30)
    town.fake.refuse_role(town.owls)
    with town.fake.hold_roles():
        joining = await held_at_the_role(town, "/squad join", town.ada, squad=str(owls.id))
        await bs.close()
    answer = await town.fake.answer(joining)
    await bs.init()
    kept = await state(town, town.ada)
    town.fake.refuse_role(town.owls, 204)
    await town.use("/squad join", town.ada, squad=str(owls.id))

    assert "I could not undo it." in answer.text
    assert kept == ("Owls", 70, set())
    assert await state(town, town.ada) == ("Owls", 70, {"Owls"})


async def test_a_role_that_stays_keeps_the_seat(town: Town) -> None:
    """Leaving takes the role first: when Discord refuses that, the member is still in."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    await town.use("/squad join", town.ada, squad=str(owls.id))
    town.fake.refuse_role(town.owls)
    answer = await town.use("/squad leave", town.ada)

    assert answer.text == "Discord keeps your role as it is. You are still in."
    assert await state(town, town.ada) == ("Owls", 70, {"Owls"})


async def test_commands_of_one_member_follow_each_other(town: Town) -> None:
    """Leaving while Discord still gives the role ends without the role."""
    owls = await town.open_squad(town.owls, switch_cost=30)
    with town.fake.hold_roles(given=town.owls):
        joining = await held_at_the_role(town, "/squad join", town.ada, squad=str(owls.id))
        leaving = await town.fake.send("/squad leave", town.ada)
        await town.fake.until(lambda: leaving.acknowledged)
        for _ in range(5):  # time enough to leave without waiting
            await town.use("/bytes balance", town.bo)
    answers = [await town.fake.answer(each) for each in (joining, leaving)]

    assert [each.text for each in answers] == ["You are in **Owls**.", "You have left **Owls**."]
    assert await state(town, town.ada) == (None, 70, set())


async def test_a_crash_between_bytes_and_role_costs_nobody_anything(copied_url: str) -> None:
    """The process is killed while Discord thinks; the next one gives the role for nothing."""
    async with FakeDiscord() as fake:
        ada, owls = fake.member("ada"), fake.role("Owls")
        roles = fake.role("Mods", position=500)
        mo = fake.member("mo", moderator=True, roles=(roles,))
        async with fake.launch(EXAMPLE, DATABASE_URL=copied_url) as process:
            await fake.interact("/economy squad", mo, role=owls, price=30)
            squad = (await fake.complete("/squad join", ada, "squad"))["Owls"]
            fake.refuse_role(owls)
            with fake.hold_roles():
                joining = await fake.send("/squad join", ada, squad=squad)
                await fake.until(lambda: fake.rest.requests[-1].endswith(f"/roles/{owls.id}"))
                process.kill()
                await process.wait()
        fake.refuse_role(owls, 204)
        async with fake.launch(EXAMPLE, DATABASE_URL=copied_url):
            answer = await fake.interact("/squad join", ada, squad=squad)
            balance = await fake.interact("/bytes balance", ada)

    await bs.init(copied_url)
    report = await bs.BytesOperations().verify()
    await bs.close()
    assert not joining.answered.is_set()
    assert answer.text == "You are in **Owls**."
    assert (balance.text, ada.roles) == (f"{ada.mention} has **70** bytes.", {owls.id})
    assert report.ok
