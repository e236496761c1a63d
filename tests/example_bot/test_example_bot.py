"""The example bot's commands for bytes and for moderators, through an unmodified client."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("discord")
pytest.importorskip("aiohttp")

from helpers import Clock
from helpers.discord_fake import FakeDiscord, Member
from helpers.discord_fake.interactions import RefusedHere
from helpers.example_bot import RunningBot, load_example, run_example_bot
from helpers.paths import EXAMPLE

import bytes_squads as bs

MAX = 2**63 - 1
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SQUAD = UUID(int=7)


# Start-up -----------------------------------------------------------------------------------------


def test_importing_the_example_needs_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module can be imported without DISCORD_TOKEN and DATABASE_URL."""
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert load_example().EconomyBot().user is None


async def test_bot_makes_its_tables_and_syncs_its_commands(
    empty_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an empty database, before the first command can arrive."""
    monkeypatch.setenv("DATABASE_URL", empty_url)
    async with run_example_bot(clock) as running_bot:
        synced = {
            command["name"]: [option["name"] for option in command["options"]]
            for command in running_bot.fake.rest.commands
        }
        applied = await bs.upgrade()

    assert applied == []
    assert synced == {
        "bytes": ["balance", "send", "daily", "leaderboard", "weekly", "history"],
        "squad": ["list", "join", "switch", "leave", "standings"],
        "economy": ["grant", "charge", "reverse", "reset", "stats", "config", "squad"],
    }


async def test_script_runs_and_stops(copied_url: str) -> None:
    """It needs DISCORD_TOKEN and DATABASE_URL only, and Ctrl-C ends it without output."""
    async with FakeDiscord() as fake:
        ada = fake.member("ada")
        async with fake.launch(EXAMPLE, DATABASE_URL=copied_url) as process:
            answer = await fake.interact("/bytes balance", ada)
            process.send_signal(signal.SIGINT)
            output, _ = await process.communicate()

    assert answer.text == f"{ada.mention} has **100** bytes."
    assert b"Traceback" not in output
    assert process.returncode == 0


# Bytes --------------------------------------------------------------------------------------------


async def test_balance_shows_the_starting_balance_of_a_new_member(
    running_bot: RunningBot,
) -> None:
    """Of the member, or of another one."""
    cy = running_bot.fake.member("cy")
    own = await running_bot.use("/bytes balance", cy)
    others = await running_bot.use("/bytes balance", running_bot.ada, member=cy)

    assert await running_bot.balance(cy) == 100
    assert [own.text, others.text] == [f"{cy.mention} has **100** bytes."] * 2


async def test_bytes_are_sent_and_the_channel_is_told(running_bot: RunningBot) -> None:
    """The giver gets an answer and the channel a message, with escaped markdown."""
    answer = await running_bot.use(
        "/bytes send", running_bot.ada, to=running_bot.bo, amount=25, reason="**thx** @all"
    )
    await running_bot.fake.until(lambda: answer.followups)
    news = answer.followups[0]

    assert (
        await running_bot.balance(running_bot.ada),
        await running_bot.balance(running_bot.bo),
    ) == (75, 125)
    assert answer.text == f"You sent 25 bytes to {running_bot.bo.mention}."
    assert not news.ephemeral
    assert news.allowed_mentions == {"parse": []}
    assert news.text == (
        f"{running_bot.ada.mention} sent {running_bot.bo.mention}"
        r" **25** bytes: \*\*thx\*\* @all"
    )


async def test_daily_pays_with_the_streak(running_bot: RunningBot, clock: Clock) -> None:
    """Day after day; the multiplier is shown where there is one."""
    answers = []
    for _ in range(8):
        answers.append((await running_bot.use("/bytes daily", running_bot.ada)).text)
        clock.advance(days=1)

    assert answers[0] == "**10** bytes for day 1 in a row. You have 110."
    assert answers[-1] == "**20** bytes (×2) for day 8 in a row. You have 190."


async def test_leaderboard_is_by_balance(running_bot: RunningBot) -> None:
    """An embed, by balance."""
    await running_bot.ops.grant(running_bot.fake.guild.id, running_bot.bo.id, 1_000)
    answer = await running_bot.use("/bytes leaderboard", running_bot.ada)

    assert answer.embeds[0]["title"] == "Most bytes"
    assert answer.embeds[0]["description"] == (
        f"1. {running_bot.bo.mention}: 1,100\n2. {running_bot.ada.mention}: 100"
    )


async def test_history_lists_movements(running_bot: RunningBot, clock: Clock) -> None:
    """The newest first, with names and reasons in escaped markdown."""
    bo_ = running_bot.fake.member("b_o_")
    clock.advance(seconds=1)
    await running_bot.use("/bytes send", running_bot.ada, to=bo_, amount=5, reason="~~for~~ you")
    clock.advance(seconds=1)
    await running_bot.use("/economy grant", running_bot.mo, member=running_bot.ada, amount=7)
    answer = await running_bot.use("/bytes history", running_bot.ada)
    when = int(NOON.timestamp())

    assert answer.embeds[0]["description"].splitlines() == [
        f"**+7** grant <t:{when + 2}:R>",
        f"**−5** transfer to b\\_o\\_ (\\~\\~for\\~\\~ you) <t:{when + 1}:R>",
        f"**+100** starting <t:{when}:R>",
    ]


async def test_empty_list_says_so(running_bot: RunningBot) -> None:
    """Discord refuses an embed without text."""
    cy = running_bot.fake.member("cy")
    texts = [
        (await running_bot.use(path, cy)).text
        for path in ("/bytes history", "/squad list", "/squad standings")
    ]

    assert texts == [
        "Your last bytes\nNothing yet.",
        "Squads\nThere are no squads yet.",
        "Standings\nThere are no squads yet.",
    ]


async def test_longest_lists_fit_into_an_answer(running_bot: RunningBot, clock: Clock) -> None:
    """Ten rows of the longest names and reasons, forty squads of the longest names."""
    long = running_bot.fake.member("_" * 32)
    for _ in range(10):
        clock.advance(seconds=1)
        await running_bot.use("/bytes send", running_bot.ada, to=long, amount=1, reason="*" * 200)
    for number in range(40):
        await running_bot.squads.create_squad(
            bs.SquadCreate(
                guild_id=running_bot.fake.guild.id, role_id=number + 1, name=f"{number:*>100}"
            )
        )

    assert (await running_bot.use("/bytes history", running_bot.ada)).text.count("\n") == 10
    assert (
        len((await running_bot.use("/squad list", running_bot.ada)).embeds[0]["description"])
        == 4096
    )
    assert len(await running_bot.fake.complete("/squad join", running_bot.ada, "squad", "*")) == 25


# Roles that are earned ----------------------------------------------------------------------------


async def test_roles_are_given_when_bytes_have_arrived(running_bot: RunningBot) -> None:
    """By a transfer, a grant, a daily claim, and the first balance."""
    fake = running_bot.fake
    cy = fake.member("cy")
    await running_bot.use(
        "/economy config", running_bot.mo, reward_role=running_bot.owls, reward_from=110
    )
    await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=10)
    await running_bot.use("/bytes daily", running_bot.ada)
    await running_bot.use("/economy grant", running_bot.mo, member=cy, amount=10)
    members = (running_bot.ada, running_bot.bo, cy)
    await fake.until(lambda: all(running_bot.owls.id in member.roles for member in members))
    await running_bot.use(
        "/economy config", running_bot.mo, reward_role=running_bot.foxes, reward_from=100
    )
    dee = fake.member("dee")
    await running_bot.use("/bytes balance", dee)
    await fake.until(lambda: dee.roles)

    assert dee.roles == {running_bot.foxes.id}


async def test_role_that_cannot_be_given_does_not_change_the_bytes(
    running_bot: RunningBot,
) -> None:
    """Refused by Discord, or deleted: the others are given, and the answer is the same."""
    gone = "1"
    rewards = {gone: 1, str(running_bot.summit.id): 1, str(running_bot.owls.id): 1}
    guild_id = running_bot.fake.guild.id
    await running_bot.ops.update_config(guild_id, bs.BytesConfigUpdate(role_rewards=rewards))
    answer = await running_bot.use("/bytes daily", running_bot.ada)
    await running_bot.fake.until(lambda: running_bot.ada.roles)
    running_bot.fake.refuse_role(running_bot.owls)
    await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=10)
    await running_bot.fake.until(
        lambda: running_bot.fake.rest.requests[-1].endswith(str(running_bot.owls.id))
    )

    assert answer.text == "**10** bytes for day 1 in a row. You have 110."
    assert running_bot.ada.roles == {running_bot.owls.id}
    assert (await running_bot.balance(running_bot.bo), running_bot.bo.roles) == (110, set())


async def test_roles_that_are_no_longer_due_are_taken(running_bot: RunningBot) -> None:
    """Roles of rewards and of other squads are removed; other roles stay."""
    fake, ada = running_bot.fake, running_bot.ada
    await running_bot.ops.update_config(
        fake.guild.id, bs.BytesConfigUpdate(role_rewards={str(running_bot.owls.id): 111})
    )
    await running_bot.open_squad(running_bot.foxes, switch_cost=0)
    ada.roles = {running_bot.owls.id, running_bot.foxes.id, running_bot.mods.id}
    await running_bot.use("/bytes daily", ada)
    await fake.until(lambda: len(ada.roles) == 1)

    assert ada.roles == {running_bot.mods.id}


async def test_members_who_leave_and_come_back(running_bot: RunningBot) -> None:
    """They leave leaderboard and squad; back, they get their earned roles."""
    fake, ada, guild_id = running_bot.fake, running_bot.ada, running_bot.fake.guild.id
    foxes = await running_bot.open_squad(running_bot.foxes, switch_cost=0)
    await running_bot.ops.update_config(
        guild_id, bs.BytesConfigUpdate(role_rewards={str(running_bot.owls.id): 100})
    )
    await running_bot.squads.join_squad(guild_id, ada.id, foxes.id)
    event = {"guild_id": str(guild_id), "user": ada.user_json()}
    await fake.gateway.dispatch("GUILD_MEMBER_REMOVE", event)
    await wait_for_members(running_bot, 1)
    assert await running_bot.squad_of(ada) is None
    assert ada.mention not in (await running_bot.use("/bytes leaderboard", running_bot.bo)).text
    ada.roles = set()
    await fake.gateway.dispatch("GUILD_MEMBER_ADD", event | ada.json())
    await wait_for_members(running_bot, 2)
    await fake.until(lambda: ada.roles)

    assert ada.roles == {running_bot.owls.id}
    assert await running_bot.squad_of(ada) is None


async def wait_for_members(running_bot: RunningBot, expected: int) -> None:
    """Wait until the leaderboard has this number of members."""
    async with asyncio.timeout(30):
        while (  # noqa: ASYNC110  # the database sends no event
            await running_bot.ops.count_members(running_bot.fake.guild.id) != expected
        ):
            await asyncio.sleep(0.01)


# Moderators ---------------------------------------------------------------------------------------


async def test_moderators_grant_and_charge_and_are_in_the_ledger(running_bot: RunningBot) -> None:
    """The ledger has the moderator."""
    granted = await running_bot.use(
        "/economy grant", running_bot.mo, member=running_bot.ada, amount=1_000
    )
    charged = await running_bot.use(
        "/economy charge", running_bot.mo, member=running_bot.ada, amount=50, reason="fine"
    )
    rows = await bs.BytesTransaction.filter(kind__in=["grant", "charge"]).order_by("id")

    assert granted.text == f"{running_bot.ada.mention} has received 1,000 bytes."
    assert charged.text == f"{running_bot.ada.mention} has paid 50 bytes."
    assert await running_bot.balance(running_bot.ada) == 1_050
    assert [(row.kind, row.actor_id, row.reason) for row in rows] == [
        ("grant", str(running_bot.mo.id), None),
        ("charge", str(running_bot.mo.id), "fine"),
    ]


async def test_settings_are_shown_and_those_given_are_changed(running_bot: RunningBot) -> None:
    """The others stay, the rewards among them."""
    await running_bot.use(
        "/economy config", running_bot.mo, reward_role=running_bot.owls, reward_from=5_000
    )
    answer = await running_bot.use(
        "/economy config",
        running_bot.mo,
        daily_amount=25,
        transfer_cooldown_hours=2,
        max_transfer=0,
        timezone="Europe/Berlin",
    )

    assert answer.embeds[0]["description"].splitlines() == [
        "starting_balance: 100",
        "daily_amount: 25",
        "max_transfer: 0",
        "transfer_cooldown_hours: 2",
        "streak_grace_days: 0",
        "timezone: Europe/Berlin",
        "currency_name: bytes",
        "currency_emoji: none",
        f"<@&{running_bot.owls.id}>: from 5,000 bytes",
    ]


async def test_moderator_commands_are_hidden_and_checked(running_bot: RunningBot) -> None:
    """Discord hides them, and the bot checks the permissions as well."""
    with pytest.raises(RefusedHere):
        await running_bot.fake.send(
            "/economy grant", running_bot.ada, member=running_bot.ada, amount=5
        )
    forced = {"unchecked": True}
    answers = [
        await running_bot.use(
            "/economy grant", running_bot.ada, member=running_bot.ada, amount=5, **forced
        ),
        await running_bot.use(
            "/economy charge", running_bot.ada, member=running_bot.bo, amount=5, **forced
        ),
        await running_bot.use("/economy reverse", running_bot.ada, movement="x", **forced),
        await running_bot.use("/economy reset", running_bot.ada, sure=True, **forced),
        await running_bot.use("/economy stats", running_bot.ada, **forced),
        await running_bot.use("/economy config", running_bot.ada, daily_amount=5, **forced),
        await running_bot.use("/economy squad", running_bot.ada, role=running_bot.owls, **forced),
    ]

    assert {answer.text for answer in answers} == {
        "You need the permissions to manage the server and its roles."
    }
    assert await running_bot.ledger() == []
    assert (await running_bot.ops.get_config(running_bot.fake.guild.id)).daily_amount == 10


# Corrections, statistics, currency ----------------------------------------------------------------


async def test_weekly_counts_from_monday_in_the_guilds_time_zone(
    running_bot: RunningBot, clock: Clock
) -> None:
    """Bytes received before do not count."""
    guild_id, ada, bo = running_bot.fake.guild.id, running_bot.ada, running_bot.bo
    running_bot.module.now = clock
    await running_bot.use("/economy config", running_bot.mo, timezone="Asia/Tokyo")
    clock.now = datetime(2026, 3, 1, 14, 59, tzinfo=UTC)  # Sunday there
    await running_bot.ops.grant(guild_id, bo.id, 50)
    clock.now = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)  # Monday there
    empty = await running_bot.use("/bytes weekly", ada)
    await running_bot.ops.grant(guild_id, ada.id, 7)
    answer = await running_bot.use("/bytes weekly", ada)

    assert empty.embeds[0]["description"] == "No one has received any yet."
    assert answer.embeds[0]["title"] == "Most bytes received this week"
    assert answer.embeds[0]["description"] == f"1. {ada.mention}: 7"


async def test_reverse_takes_a_movement_back_once(running_bot: RunningBot) -> None:
    """Chosen from the newest movements, with the moderator in the ledger."""
    ada, bo, mo = running_bot.ada, running_bot.bo, running_bot.mo
    await running_bot.use("/bytes send", ada, to=bo, amount=25)
    choices = await running_bot.fake.complete("/economy reverse", mo, "movement", "transfer")
    ((name, movement),) = choices.items()
    first = await running_bot.use("/economy reverse", mo, movement=movement, reason="a mistake")
    second = await running_bot.use("/economy reverse", mo, movement=movement)
    row = await bs.BytesTransaction.get(kind="reversal")

    assert "transfer 25: ada to bo" in name
    assert first.text == f"25 bytes went back ({bo.mention} and {ada.mention})."
    assert second.text == "That has been taken back already."
    assert (await running_bot.balance(ada), await running_bot.balance(bo)) == (100, 100)
    assert (row.reason, row.actor_id) == ("a mistake", str(mo.id))


async def test_reset_asks_for_a_confirmation(
    running_bot: RunningBot,
) -> None:
    """To an amount, or to the starting balance."""
    ada, bo, mo = running_bot.ada, running_bot.bo, running_bot.mo
    await running_bot.use("/bytes send", ada, to=bo, amount=25)
    unsure = await running_bot.use("/economy reset", mo, sure=False)
    between = await running_bot.balance(ada), await running_bot.balance(bo)
    zero = await running_bot.use("/economy reset", mo, sure=True, balance=0)
    both = await running_bot.balance(ada), await running_bot.balance(bo)
    start = await running_bot.use("/economy reset", mo, sure=True)

    assert (unsure.text, between) == ("Nothing was changed.", (75, 125))
    assert (zero.text, both) == ("Every member has 0 bytes now; 2 balances have changed.", (0, 0))
    assert start.text.startswith("Every member has the starting balance now; 2 balances")
    assert await running_bot.balance(ada) == 100


async def test_statistics_are_of_the_last_days(running_bot: RunningBot, clock: Clock) -> None:
    """Members and circulation are those of now."""
    running_bot.module.now = clock
    clock.advance(days=9)
    await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=25)
    answer = await running_bot.use("/economy stats", running_bot.mo, days=7)
    lines = answer.embeds[0]["description"].splitlines()

    assert lines[:2] == ["members: 2", "in circulation: 200 bytes"]
    assert lines[3:] == [
        "**The last 7 days**",
        "created: 0",
        "retired: 0",
        "sent: 25",
        "transfer: 1 times",
    ]
    if importlib.util.find_spec("matplotlib"):
        assert answer.embeds[0]["image"]["url"] == "attachment://economy.png"
        assert answer.files["economy.png"].startswith(b"\x89PNG")


async def test_currency_has_the_name_and_emoji_of_the_guild(running_bot: RunningBot) -> None:
    """In answers, in embeds and in refusals."""
    ada, bo = running_bot.ada, running_bot.bo
    await running_bot.use(
        "/economy config", running_bot.mo, currency_name="gems", currency_emoji="💎"
    )
    sent = await running_bot.use("/bytes send", ada, to=bo, amount=5)
    board = await running_bot.use("/bytes leaderboard", ada)
    poor = await running_bot.use("/bytes send", ada, to=bo, amount=500)

    assert sent.text == f"You sent 5 gems 💎 to {bo.mention}."
    assert board.embeds[0]["title"] == "Most gems 💎"
    assert poor.text == "That takes 500 gems 💎; the balance is 95."


# Refusals -----------------------------------------------------------------------------------------


def refused_uses(running_bot: RunningBot) -> list[tuple[str, Member, dict[str, Any], str]]:
    """Refused commands: the member, the arguments and the answer."""
    ada, bo, mo = running_bot.ada, running_bot.bo, running_bot.mo
    stranger = Member("stranger")
    tomorrow = int(datetime(2026, 3, 3, tzinfo=UTC).timestamp())
    later = int(datetime(2026, 3, 2, 14, tzinfo=UTC).timestamp())
    no_bots, odd = "Bots have no use for bytes.", "A reward is a role together with the bytes"
    return [
        (
            "/bytes send",
            bo,
            {"to": ada, "amount": 101},
            "That takes 101 bytes; the balance is 100.",
        ),
        ("/bytes send", bo, {"to": ada, "amount": 1001}, "At most 1,000 bytes can be sent"),
        ("/bytes send", ada, {"to": bo, "amount": 1}, f"send bytes again <t:{later}:R>."),
        ("/bytes send", ada, {"to": ada, "amount": 1}, "Those bytes are yours already."),
        ("/bytes send", bo, {"to": running_bot.robot, "amount": 1}, no_bots),
        ("/bytes send", bo, {"to": stranger, "amount": 1}, "I cannot find that member here."),
        ("/bytes send", bo, {"to": ada, "amount": 1, "reason": "a\0"}, "I cannot do that."),
        ("/bytes balance", ada, {"member": running_bot.robot}, no_bots),
        ("/bytes daily", ada, {}, f"You have had today's bytes. More <t:{tomorrow}:R>."),
        ("/economy grant", mo, {"member": running_bot.robot, "amount": 1}, no_bots),
        ("/economy grant", mo, {"member": bo, "amount": 2**53}, "more than a member can receive"),
        ("/economy charge", mo, {"member": ada, "amount": 200}, "That takes 200 bytes"),
        ("/economy config", mo, {"reward_role": running_bot.owls}, odd),
        ("/economy config", mo, {"reward_from": 5}, odd),
        ("/economy config", mo, {"timezone": "Mars/Base"}, "I cannot do that."),
        (
            "/economy config",
            mo,
            {"reward_role": running_bot.mods, "reward_from": 5},
            "That role is not below your highest role.",
        ),
        (
            "/economy squad",
            mo,
            {"role": running_bot.mods},
            "That role is not below your highest role.",
        ),
        ("/economy squad", mo, {"role": running_bot.summit}, "I cannot give that role."),
        (
            "/economy squad",
            mo,
            {"role": running_bot.foxes},
            f"<@&{running_bot.foxes.id}> has a squad already.",
        ),
    ]


async def test_what_is_refused_is_explained_and_changes_nothing(running_bot: RunningBot) -> None:
    """The answer is ephemeral, with Discord's relative times."""
    guild_id = running_bot.fake.guild.id
    await running_bot.open_squad(running_bot.foxes)
    await running_bot.use("/economy config", running_bot.mo, transfer_cooldown_hours=2)
    await running_bot.use("/bytes daily", running_bot.ada)
    await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=1)
    await running_bot.use("/economy charge", running_bot.mo, member=running_bot.bo, amount=1)
    await running_bot.ops.grant(guild_id, running_bot.bo.id, MAX - 101 - 1_000)
    await running_bot.ops.charge(guild_id, running_bot.bo.id, MAX - 101 - 1_000)
    before = await running_bot.ledger(), await running_bot.ops.get_config(guild_id)

    for path, member, options, words in refused_uses(running_bot):
        answer = await running_bot.use(path, member, **options)
        assert words in answer.text, (path, options)
        assert (answer.edits, answer.followups) == (1, [])

    assert (await running_bot.ledger(), await running_bot.ops.get_config(guild_id)) == before
    assert await bs.BytesBalance.filter(user_id=str(running_bot.robot.id)).exists() is False
    assert await running_bot.squads.get_guild_squads(guild_id) != []


async def test_closed_database_is_answered_in_plain_words(running_bot: RunningBot) -> None:
    """The answer says that nothing moved, and the bot goes on."""
    await bs.close()
    answer = await running_bot.use("/bytes send", running_bot.ada, to=running_bot.bo, amount=5)
    choices = await running_bot.fake.complete("/squad join", running_bot.ada, "squad")
    await bs.init()

    assert answer.text.startswith("The database is unavailable. Nothing was moved")
    assert choices == {}
    assert await running_bot.balance(running_bot.ada) == 100


ERRORS = [
    (bs.InsufficientBalanceError(3, 5), "That takes 5 bytes; the balance is 3."),
    (bs.TransferLimitError(5000, 1000), "At most 1,000 bytes can be sent at a time."),
    (bs.TransferCooldownError(NOON), f"again <t:{int(NOON.timestamp())}:R>."),
    (bs.DailyAlreadyClaimedError(date(2026, 3, 1), NOON), f"<t:{int(NOON.timestamp())}:R>."),
    (bs.BalanceOverflowError(MAX, 1), "more than a member can receive"),
    (bs.IdempotencyConflictError("7"), "give it again"),
    (bs.TransactionNotFoundError("x"), "There is no such movement"),
    (bs.AlreadyReversedError(SQUAD, SQUAD), "taken back already"),
    (bs.NotReversibleError(SQUAD, "starting"), "cannot be taken back"),
    (bs.SquadNotFoundError("x"), "There is no such squad."),
    (bs.SquadInactiveError(SQUAD), "is not open at the moment"),
    (bs.SquadFullError(SQUAD, 1_000), "All 1,000 places"),
    (bs.SquadRoleTakenError("42"), "<@&42> has a squad already."),
    (bs.AlreadyInSquadError(SQUAD), "`/squad switch`"),
    (bs.NotInSquadError("1"), "`/squad join`"),
    (bs.StorageUnavailableError("password of the server"), "Nothing was moved"),
    (bs.OutcomeUnknownError(), "Look at `/bytes history`"),
    (bs.InvalidInputError([]), "I cannot do that."),
    (bs.InvalidSnowflakeError("x"), "I cannot do that."),
    (bs.InvalidAmountError(0), "I cannot do that."),
    (bs.InvalidTextError("reason"), "I cannot do that."),
    (bs.InvalidPageError(0), "I cannot do that."),
]


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda value: type(value).__name__)
def test_every_sentence_has_the_numbers_of_the_error(error: Exception, words: str) -> None:
    """Each answer has the numbers, and no internal details."""
    text = load_example().explain(error)

    assert words in text
    assert "password" not in text


def test_every_error_has_a_sentence() -> None:
    """Every error class has an answer."""
    errors = {getattr(bs, name) for name in bs.__all__ if name.endswith("Error")} - {
        bs.BytesSquadsError,
        bs.RefusedError,
        bs.StorageError,
    }

    assert {type(error) for error, _ in ERRORS} == errors


async def test_unexpected_error_is_logged_and_answered(
    running_bot: RunningBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer does not claim that nothing happened."""

    async def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(running_bot.ops, "get_leaderboard", fail)
    answer = await running_bot.use("/bytes leaderboard", running_bot.ada)
    running_bot.expected_errors = "a command failed"

    assert answer.text == "Something went wrong. Look at `/bytes history` before you try again."
    assert "a bug" in caplog.text
