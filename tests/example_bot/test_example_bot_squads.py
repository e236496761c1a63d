"""The example bot's squads: seats in the database, roles at Discord."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("discord")
pytest.importorskip("aiohttp")

from helpers.discord_fake import FakeDiscord, Interaction, Member
from helpers.example_bot import RunningBot
from helpers.paths import EXAMPLE

import bytes_squads as bs

BACK = "Discord refused you the role. You have your bytes back."


async def state(running_bot: RunningBot, member: Member) -> tuple[str | None, int, set[str]]:
    """The member's squad, balance, and the names of their roles."""
    names = {running_bot.fake.guild.roles[role].name for role in member.roles}
    return await running_bot.squad_of(member), await running_bot.balance(member), names


async def held_at_the_role(
    running_bot: RunningBot, path: str, member: Member, **options: Any
) -> Interaction:
    """A command in progress that waits for Discord's first change of a role."""
    interaction = await running_bot.fake.send(path, member, **options)
    wanted = f"/members/{member.id}/roles/"
    await running_bot.fake.until(lambda: wanted in running_bot.fake.rest.requests[-1])
    return interaction


# What works ---------------------------------------------------------------------------------------


async def test_squad_create_takes_the_name_of_the_role(running_bot: RunningBot) -> None:
    """It has the role's name, and is proposed to members as they type."""
    answer = await running_bot.use(
        "/economy squad", running_bot.mo, role=running_bot.owls, price=30, places=5
    )
    await running_bot.use("/economy squad", running_bot.mo, role=running_bot.foxes)
    listed = await running_bot.use("/squad list", running_bot.ada)
    proposed = await running_bot.fake.complete("/squad join", running_bot.ada, "squad", "oW")

    assert answer.text == f"<@&{running_bot.owls.id}> is a squad now; joining costs 30 bytes."
    assert listed.embeds[0]["description"].splitlines() == [
        "**Foxes**: 50 bytes, 0 of ∞ places taken",
        "**Owls**: 30 bytes, 0 of 5 places taken",
    ]
    assert list(proposed) == ["Owls"]


async def test_joining_costs_bytes_and_brings_the_role(running_bot: RunningBot) -> None:
    """The choice that was proposed is the squad's id."""
    await running_bot.open_squad(running_bot.owls, switch_cost=30)
    proposed = await running_bot.fake.complete("/squad join", running_bot.ada, "squad")
    answer = await running_bot.use("/squad join", running_bot.ada, squad=proposed["Owls"])

    assert answer.text == "You are in **Owls**."
    assert await state(running_bot, running_bot.ada) == ("Owls", 70, {"Owls"})


async def test_switching_swaps_the_roles(running_bot: RunningBot) -> None:
    """For the price of the new squad."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    foxes = await running_bot.open_squad(running_bot.foxes, switch_cost=20)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    answer = await running_bot.use("/squad switch", running_bot.ada, squad=str(foxes.id))

    assert answer.text == "You are in **Foxes**."
    assert await state(running_bot, running_bot.ada) == ("Foxes", 50, {"Foxes"})


async def test_leaving_takes_the_role(running_bot: RunningBot) -> None:
    """Leaving removes the role, without a refund."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    answer = await running_bot.use("/squad leave", running_bot.ada)

    assert answer.text == "You have left **Owls**."
    assert await state(running_bot, running_bot.ada) == (None, 70, set())


async def test_standings_add_up_the_balances(running_bot: RunningBot) -> None:
    """The richest squad is on top."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=0)
    await running_bot.open_squad(running_bot.foxes)
    for member in (running_bot.ada, running_bot.bo):
        await running_bot.use("/squad join", member, squad=str(owls.id))
    answer = await running_bot.use("/squad standings", running_bot.ada)

    assert answer.embeds[0]["description"].splitlines() == [
        "1. **Owls**: 200 bytes, 2 members",
        "2. **Foxes**: 0 bytes, 0 members",
    ]


async def test_switch_and_leave_work_with_a_deleted_role(running_bot: RunningBot) -> None:
    """With a deleted role, switching and leaving still work."""
    owls, foxes = (
        await running_bot.open_squad(running_bot.owls),
        await running_bot.open_squad(running_bot.foxes),
    )
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    running_bot.fake.refuse_role(running_bot.owls, 404)
    switched = await running_bot.use("/squad switch", running_bot.ada, squad=str(foxes.id))
    running_bot.fake.refuse_role(running_bot.foxes, 404)
    left = await running_bot.use("/squad leave", running_bot.ada)

    assert (switched.text, left.text) == ("You are in **Foxes**.", "You have left **Foxes**.")
    assert await running_bot.squad_of(running_bot.ada) is None


async def test_joining_again_brings_a_role_that_is_missing(running_bot: RunningBot) -> None:
    """It costs nothing, and a refusal does not cost the seat."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    await running_bot.squads.join_squad(running_bot.fake.guild.id, running_bot.ada.id, owls.id)
    running_bot.fake.refuse_role(running_bot.owls)
    refused = await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    without = await state(running_bot, running_bot.ada)
    running_bot.fake.refuse_role(running_bot.owls, 204)
    answer = await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))

    assert refused.text == "Discord refused you the role. You keep your seat."
    assert without == ("Owls", 70, set())
    assert answer.text == "You are in **Owls**."
    assert await state(running_bot, running_bot.ada) == ("Owls", 70, {"Owls"})


# What the database refuses ------------------------------------------------------------------------


async def test_what_is_refused_costs_nothing_and_brings_no_role(running_bot: RunningBot) -> None:
    """Each reason in its own words."""
    full = await running_bot.open_squad(running_bot.owls, max_members=1, switch_cost=0)
    await running_bot.use("/squad join", running_bot.bo, squad=str(full.id))
    dear = await running_bot.open_squad(running_bot.foxes, switch_cost=101)
    idle = await running_bot.open_squad(
        running_bot.fake.guild.roles[running_bot.mods.id], is_active=False
    )
    odd = await running_bot.open_squad(running_bot.summit)
    role = "I cannot give that role. I need Manage Roles, and a role above it."
    uses = [
        ("/squad join", running_bot.ada, "Owls", "There is no such squad."),
        ("/squad join", running_bot.ada, str(full.id), "All 1 places of that squad are taken."),
        ("/squad join", running_bot.ada, str(dear.id), "That takes 101 bytes; the balance is 100."),
        ("/squad join", running_bot.ada, str(idle.id), "That squad is not open at the moment."),
        ("/squad join", running_bot.ada, str(odd.id), role),
        ("/squad join", running_bot.bo, str(dear.id), "You are in a squad already."),
        ("/squad switch", running_bot.ada, str(full.id), "You are in no squad."),
        (
            "/squad switch",
            running_bot.bo,
            str(dear.id),
            "That takes 101 bytes; the balance is 100.",
        ),
    ]
    for path, member, squad, words in uses:
        answer = await running_bot.use(path, member, squad=squad)
        assert words in answer.text, (path, squad)
    left = await running_bot.use("/squad leave", running_bot.ada)

    assert left.text == "You are in no squad. `/squad join` one first."
    assert await running_bot.ledger() == [("squad", 0)]  # Bo's free seat
    assert await state(running_bot, running_bot.ada) == (None, 100, set())
    assert await state(running_bot, running_bot.bo) == ("Owls", 100, {"Owls"})


async def test_autocomplete_leaves_out_inactive_squads(running_bot: RunningBot) -> None:
    """Members choose among those that they can join."""
    await running_bot.open_squad(running_bot.owls, is_active=False)
    await running_bot.open_squad(running_bot.foxes)

    assert list(await running_bot.fake.complete("/squad join", running_bot.ada, "squad")) == [
        "Foxes"
    ]


# What Discord refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_bytes_and_seat_go_back_when_discord_refuses_the_role(
    running_bot: RunningBot, status: int
) -> None:
    """For each failure of Discord the ledger has the charge and its reversal."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    running_bot.fake.refuse_role(running_bot.owls, status)
    answer = await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))

    assert answer.text == BACK
    assert await state(running_bot, running_bot.ada) == (None, 100, set())
    assert await running_bot.ledger() == [("squad", 30), ("reversal", 30), ("squad", 0)]


async def test_free_join_is_undone_without_a_reversal(running_bot: RunningBot) -> None:
    """A free join is undone by a leave only."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=0)
    running_bot.fake.refuse_role(running_bot.owls)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))

    assert await state(running_bot, running_bot.ada) == (None, 100, set())
    assert await running_bot.ledger() == [("squad", 0), ("squad", 0)]


async def test_what_was_paid_is_given_back_whatever_the_price_is_by_then(
    running_bot: RunningBot,
) -> None:
    """The paid price is refunded, also if the price has changed since."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    running_bot.fake.refuse_role(running_bot.owls)
    with running_bot.fake.hold_roles():
        joining = await held_at_the_role(
            running_bot, "/squad join", running_bot.ada, squad=str(owls.id)
        )
        changes = bs.SquadUpdate(switch_cost=99)
        await running_bot.squads.update_squad(running_bot.fake.guild.id, owls.id, changes)
    await running_bot.fake.answer(joining)

    assert await running_bot.ledger() == [("squad", 30), ("reversal", 30), ("squad", 0)]


@pytest.mark.parametrize("refused", ["the new role", "the old role"])
async def test_switch_is_undone_when_discord_refuses_the_role(
    running_bot: RunningBot, refused: str
) -> None:
    """The member is in the old squad with the old role, at no cost."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=60)
    foxes = await running_bot.open_squad(running_bot.foxes, switch_cost=30)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    running_bot.fake.refuse_role(
        running_bot.foxes if refused == "the new role" else running_bot.owls
    )
    answer = await running_bot.use("/squad switch", running_bot.ada, squad=str(foxes.id))
    await running_bot.fake.until(lambda: running_bot.ada.roles == {running_bot.owls.id})

    assert answer.text == BACK
    assert await state(running_bot, running_bot.ada) == ("Owls", 40, {"Owls"})
    assert await running_bot.ledger() == [
        ("squad", 60),
        ("squad", 30),
        ("reversal", 30),
        ("grant", 60),
        ("squad", 60),
    ]


async def test_switch_is_kept_when_undo_is_impossible(
    running_bot: RunningBot,
) -> None:
    """If the old squad is inactive by now, the switch is kept."""
    running_bot.expected_errors = r"order \d+ was not undone"
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=10)
    foxes = await running_bot.open_squad(running_bot.foxes, switch_cost=30)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    await running_bot.squads.update_squad(
        running_bot.fake.guild.id, owls.id, bs.SquadUpdate(is_active=False)
    )
    running_bot.fake.refuse_role(running_bot.foxes)
    refused = await running_bot.use("/squad switch", running_bot.ada, squad=str(foxes.id))
    kept = await state(running_bot, running_bot.ada)
    running_bot.fake.refuse_role(running_bot.foxes, 204)
    await running_bot.use("/squad join", running_bot.ada, squad=str(foxes.id))

    assert "I could not undo it. Unless `/bytes history` shows" in refused.text
    assert kept == ("Foxes", 60, {"Owls"})
    assert running_bot.foxes.id in running_bot.ada.roles
    assert await running_bot.ledger() == [("squad", 10), ("squad", 30)]


async def test_without_a_database_nothing_is_undone(running_bot: RunningBot) -> None:
    """The seat stays paid, and joining again assigns the role."""
    running_bot.expected_errors = r"order \d+ was not undone"
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    running_bot.fake.refuse_role(running_bot.owls)
    with running_bot.fake.hold_roles():
        joining = await held_at_the_role(
            running_bot, "/squad join", running_bot.ada, squad=str(owls.id)
        )
        await bs.close()
    answer = await running_bot.fake.answer(joining)
    await bs.init()
    kept = await state(running_bot, running_bot.ada)
    running_bot.fake.refuse_role(running_bot.owls, 204)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))

    assert "I could not undo it." in answer.text
    assert kept == ("Owls", 70, set())
    assert await state(running_bot, running_bot.ada) == ("Owls", 70, {"Owls"})


async def test_leave_keeps_the_seat_if_discord_keeps_the_role(running_bot: RunningBot) -> None:
    """If Discord refuses to remove the role, the member stays in the squad."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    await running_bot.use("/squad join", running_bot.ada, squad=str(owls.id))
    running_bot.fake.refuse_role(running_bot.owls)
    answer = await running_bot.use("/squad leave", running_bot.ada)

    assert answer.text == "Discord keeps your role as it is. You are still in."
    assert await state(running_bot, running_bot.ada) == ("Owls", 70, {"Owls"})


async def test_commands_of_one_member_follow_each_other(running_bot: RunningBot) -> None:
    """A leave during a join runs after it, and removes the role."""
    owls = await running_bot.open_squad(running_bot.owls, switch_cost=30)
    with running_bot.fake.hold_roles(given=running_bot.owls):
        joining = await held_at_the_role(
            running_bot, "/squad join", running_bot.ada, squad=str(owls.id)
        )
        leaving = await running_bot.fake.send("/squad leave", running_bot.ada)
        await running_bot.fake.until(lambda: leaving.acknowledged)
        for _ in range(5):  # time enough to leave without waiting
            await running_bot.use("/bytes balance", running_bot.bo)
    answers = [await running_bot.fake.answer(each) for each in (joining, leaving)]

    assert [each.text for each in answers] == ["You are in **Owls**.", "You have left **Owls**."]
    assert await state(running_bot, running_bot.ada) == (None, 70, set())


async def test_crash_between_bytes_and_role_loses_no_bytes(copied_url: str) -> None:
    """After a crash before the role, joining again assigns it for free."""
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
