"""A whole economy bot in one file, to read from top to bottom and to copy.

    pip install 'bytes_squads[examples]'
    DISCORD_TOKEN=… DATABASE_URL=postgres://… python discord_bot.py

Without ``DATABASE_URL`` the books are kept in ``bytes_squads.db``, a SQLite file. The bot needs no
privileged intent; for the roles it needs Manage Roles, and a role of its own above them.

Members get ``/bytes balance|send|daily|leaderboard|history`` and
``/squad list|join|switch|leave|standings``, moderators ``/economy grant|charge|config|squad``.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from weakref import WeakValueDictionary

import aiohttp
import discord
from discord import Interaction, Member, Role, app_commands
from discord.utils import escape_markdown, format_dt

import bytes_squads as bs

log = logging.getLogger("economy")
ops, squads = bs.BytesOperations(), bs.SquadOperations()  # they hold nothing: one each will do

Amount = app_commands.Range[int, 1]
ZeroOrMore = app_commands.Range[int, 0]
Reason = app_commands.Range[str, 1, 200] | None
Order = Callable[..., Awaitable[object]]  # an operation of ours

# Discord refuses, or is away, or we have hung up (a closed session is a RuntimeError).
DISCORD_FAILS = (discord.HTTPException, aiohttp.ClientError, OSError, RuntimeError)
PATIENCE = 10  # seconds for the commands under way when the bot stops


# 1. Start and stop ------------------------------------------------------------------------------
# The database is opened and migrated before the first command can arrive. When the bot stops,
# the commands under way end first, then the connection to Discord, then the database.


class EconomyBot(discord.Client):
    def __init__(self) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),  # <@id> shows a name, pings nobody
        )
        self.tree = EconomyTree(self)
        for group in (BytesCommands(), SquadCommands(), EconomyCommands()):
            self.tree.add_command(group)

    async def setup_hook(self) -> None:
        await bs.init()  # the database of DATABASE_URL
        await bs.upgrade()  # its tables, where they are missing or old
        await self.tree.sync()

    async def close(self) -> None:
        self.tree.closing = True
        await self.tree.finish()
        await super().close()
        await self.tree.finish()  # those that Discord kept waiting have been refused now
        await bs.close()


# 2. Before and after each command ---------------------------------------------------------------
# Discord wants a sign of life within 3 seconds, which a database cannot promise: each command is
# acknowledged first, with a "thinking…" that only its member sees, and answered in its place.


class EconomyTree(app_commands.CommandTree):
    closing = False

    def __init__(self, client: EconomyBot) -> None:
        super().__init__(client)
        self.running: set[asyncio.Task[None]] = set()

    async def interaction_check(self, interaction: Interaction) -> bool:
        if interaction.type is not discord.InteractionType.application_command:
            return True  # an autocompletion, answered at once
        try:
            await interaction.response.defer(ephemeral=True)
        except DISCORD_FAILS as error:
            # Too late, or delivered twice: Discord takes one acknowledgement, and whoever gave it
            # does the work. (If both did, the idempotency keys below would move bytes once.)
            log.warning("interaction %d is left alone: %s", interaction.id, error)
            return False
        if self.closing:
            raise Refusal("I am about to restart. Nothing was moved; try again in a minute.")
        if task := asyncio.current_task():
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        return True

    async def finish(self) -> None:
        if self.running:
            await asyncio.wait(self.running, timeout=PATIENCE)

    async def on_error(self, interaction: Interaction, error: Exception) -> None:
        if isinstance(error, app_commands.CommandInvokeError):
            error = error.original
        text = explain(error)
        if text is None:
            log.error("a command failed", exc_info=error)
            text = "Something went wrong. Look at `/bytes history` before you try again."
        await say(interaction, text)


async def say(
    interaction: Interaction, text: str | None = None, embed: discord.Embed | None = None
) -> None:
    """Answer. What the answer tells has happened, so that failing to tell it is only logged."""
    try:
        await interaction.edit_original_response(content=text, embed=embed)
    except DISCORD_FAILS as error:
        log.warning("interaction %d stays without an answer: %s", interaction.id, error)


# 3. Refusals in plain words ---------------------------------------------------------------------
# Every reason to refuse is a class with its numbers, and whatever is refused has changed nothing.


class Refusal(app_commands.AppCommandError):
    """A refusal of the bot's own; its text is for the member."""


def explain(error: Exception) -> str | None:  # noqa: C901, PLR0912  # a case for each reason
    """What the member is told; None for what nobody foresaw."""
    match error:
        case Refusal():
            return str(error)
        case bs.InsufficientBalanceError():
            return f"That takes {error.required:,} bytes, and there are {error.balance:,}."
        case bs.TransferLimitError():
            return f"At most {error.max_transfer:,} bytes can be sent at a time."
        case bs.TransferCooldownError():
            return f"You can send bytes again {format_dt(error.available_at, 'R')}."
        case bs.DailyAlreadyClaimedError():
            return f"You have had today's bytes. More {format_dt(error.next_claim_at, 'R')}."
        case bs.BalanceOverflowError():
            return "That is more than anybody can ever receive."
        case bs.IdempotencyConflictError():
            return "This very command has done something else before. Please give it again."
        case bs.TransactionNotFoundError():
            return "There is no such movement of bytes here."
        case bs.AlreadyReversedError():
            return "That has been taken back already."
        case bs.NotReversibleError():
            return "That cannot be taken back."
        case bs.SquadNotFoundError():
            return "There is no such squad. Choose one of those that come up as you type."
        case bs.SquadInactiveError():
            return "That squad takes nobody at present."
        case bs.SquadFullError():
            return f"All {error.max_members:,} places of that squad are taken."
        case bs.SquadRoleTakenError():
            return f"<@&{error.role_id}> has a squad already."
        case bs.AlreadyInSquadError():
            return "You are in a squad already. `/squad switch` takes you to another."
        case bs.NotInSquadError():
            return "You are in no squad. `/squad join` one first."
        case bs.StorageUnavailableError():
            return "The bank is closed for a moment. Nothing was moved; try again in a minute."
        case bs.OutcomeUnknownError():
            return "The line broke. Look at `/bytes history`: if it is not there, try again."
        case bs.InvalidInputError():
            return "I cannot book that. Are the amount and the text as they should be?"
        case app_commands.MissingPermissions():
            return "That is for those who may manage the server and its roles."
        case app_commands.TransformerError():
            return "I cannot find that member here."
    return None


def member_of(interaction: Interaction) -> Member:
    """Who gave the command; in a guild that is a member."""
    assert isinstance(interaction.user, Member)
    return interaction.user


def no_bot(member: Member) -> Member:
    """The member, unless it is a bot."""
    if member.bot:
        raise Refusal("Bots have no use for bytes.")
    return member


def listing(title: str, lines: Iterable[str], otherwise: str = "") -> discord.Embed:
    """Lines below a title, as many as Discord takes."""
    return discord.Embed(title=title, description="\n".join(lines)[:4096] or otherwise)


# 4. Bytes ---------------------------------------------------------------------------------------
# The interaction's id is the idempotency key: an order that arrives twice moves bytes once.


class BytesCommands(app_commands.Group, name="bytes", description="Bytes", guild_only=True):
    @app_commands.command(description="How many bytes you have, or somebody else")
    async def balance(self, interaction: Interaction, member: Member | None = None) -> None:
        whose = no_bot(member or member_of(interaction))
        found = await ops.get_balance(whose.guild.id, whose.id, whose.name)
        await say(interaction, f"{whose.mention} has **{found.balance:,}** bytes.")
        await give_earned_roles(whose)  # a new member has just received the starting balance

    @app_commands.command(description="Send bytes to another member")
    async def send(
        self, interaction: Interaction, to: Member, amount: Amount, reason: Reason = None
    ) -> None:
        giver = member_of(interaction)
        if no_bot(to) == giver:
            raise Refusal("Those bytes are yours already.")
        order = bs.BytesTransactionCreate(
            guild_id=giver.guild.id,
            giver_id=giver.id,
            giver_username=giver.name,
            receiver_id=to.id,
            receiver_username=to.name,
            amount=amount,
            reason=reason,
            idempotency_key=interaction.id,
        )
        await ops.create_transaction(order)
        await say(interaction, f"You sent {amount:,} bytes to {to.mention}.")
        why = f": {escape_markdown(reason)}" if reason else "."
        with suppress(*DISCORD_FAILS):  # this one is for the whole channel
            await interaction.followup.send(
                f"{giver.mention} sent {to.mention} **{amount:,}** bytes{why}"
            )
        await give_earned_roles(to)

    @app_commands.command(description="Claim the bytes of the day")
    async def daily(self, interaction: Interaction) -> None:
        member = member_of(interaction)
        claim = await ops.claim_daily(
            member.guild.id, member.id, member.name, idempotency_key=interaction.id
        )
        times = f" (×{claim.multiplier})" if claim.multiplier > 1 else ""
        paid = f"**{claim.amount:,}** bytes{times} for day {claim.streak} in a row."
        await say(interaction, f"{paid} You have {claim.balance:,}.")
        await give_earned_roles(member)

    @app_commands.command(description="Who has the most bytes")
    async def leaderboard(self, interaction: Interaction) -> None:
        found = await ops.get_leaderboard(member_of(interaction).guild.id)
        lines = (f"{each.rank}. <@{each.user_id}>: {each.balance:,}" for each in found)
        await say(interaction, embed=listing("Most bytes", lines, "Nobody has any yet."))

    @app_commands.command(description="Where your bytes came from and went")
    async def history(self, interaction: Interaction) -> None:
        member = member_of(interaction)
        found = await ops.get_transaction_history(member.guild.id, member.id, limit=10)
        lines = (history_line(row, str(member.id)) for row in found)
        await say(interaction, embed=listing("Your last bytes", lines, "Nothing yet."))


def history_line(row: bs.BytesTransaction, user_id: str) -> str:
    """A row of the ledger as a member sees it."""
    came = row.receiver_id == user_id
    name = row.giver_username if came else row.receiver_username
    who = f" {'from' if came else 'to'} {escape_markdown(name)}" if row.kind == "transfer" else ""
    why = f" ({escape_markdown(row.reason[:80])})" if row.reason else ""
    when = format_dt(row.created_at, "R")
    return f"**{'+' if came else '−'}{row.amount:,}** {row.kind}{who}{why} {when}"


async def give_earned_roles(member: Member) -> None:
    """Give the roles that the member has earned, after bytes have arrived.

    A failure is only logged: the bytes are there, and the next ones bring the role as well.
    """
    try:
        earned = await ops.get_earned_roles(member.guild.id, member.id)
        roles = [member.guild.get_role(int(role_id)) for role_id in earned]
        due = [role for role in roles if role and role.is_assignable() and role not in member.roles]
        await member.add_roles(*due, reason="earned by bytes received")
    except (bs.BytesSquadsError, *DISCORD_FAILS) as error:
        log.warning("member %d waits for an earned role: %s", member.id, error)


# 5. Squads --------------------------------------------------------------------------------------
# The database takes the bytes and gives the seat, in one transaction; then Discord gives the role.
# If Discord refuses, bytes and seat go back, in one transaction too. So whatever breaks in between
# (Discord, the database, this process), a seat is paid for, and no bytes are gone without a seat.
# Only the role can be missing, and joining the squad that one is in already gives it again.

_locks: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()


def one_at_a_time(guild_id: int, user_id: int) -> asyncio.Lock:
    """A lock for roles, which Discord changes one by one. Bytes need no lock in Python."""
    return _locks.setdefault((guild_id, user_id), asyncio.Lock())


async def squad_choices(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The squads whose names have in them what the member has typed so far."""
    try:
        async with asyncio.timeout(2):  # Discord waits for 3 seconds
            found = await squads.get_guild_squads(member_of(interaction).guild.id)
    except (bs.BytesSquadsError, TimeoutError):
        return []
    named = [each.squad for each in found if typed.casefold() in each.squad.name.casefold()]
    return [app_commands.Choice(name=squad.name, value=str(squad.id)) for squad in named[:25]]


class SquadCommands(app_commands.Group, name="squad", description="Squads", guild_only=True):
    @app_commands.command(name="list", description="The squads, their prices and their places")
    async def list_(self, interaction: Interaction) -> None:
        found = await squads.get_guild_squads(member_of(interaction).guild.id)
        lines = (
            f"**{escape_markdown(each.squad.name)}**: {each.squad.switch_cost:,} bytes, "
            f"{each.member_count:,} of {each.squad.max_members or '∞'} places taken"
            for each in found
        )
        await say(interaction, embed=listing("Squads", lines, "There are no squads yet."))

    @app_commands.command(description="Join a squad")
    @app_commands.autocomplete(squad=squad_choices)
    async def join(self, interaction: Interaction, squad: str) -> None:
        await take_seat(interaction, squad, squads.join_squad)

    @app_commands.command(description="Go from your squad to another")
    @app_commands.autocomplete(squad=squad_choices)
    async def switch(self, interaction: Interaction, squad: str) -> None:
        await take_seat(interaction, squad, squads.switch_squad)

    @app_commands.command(description="Leave your squad; nothing is given back")
    async def leave(self, interaction: Interaction) -> None:
        member = member_of(interaction)
        async with one_at_a_time(member.guild.id, member.id):
            squad = await squads.get_user_squad(member.guild.id, member.id)
            if squad is None:
                raise bs.NotInSquadError(str(member.id))
            try:  # the role first: a seat without a role can be put right, see above
                await drop_role(member, squad)
            except DISCORD_FAILS as error:
                raise Refusal("Discord keeps your role as it is. You are still in.") from error
            await squads.leave_squad(member.guild.id, member.id)
        await say(interaction, f"You have left **{escape_markdown(squad.name)}**.")

    @app_commands.command(description="Which squad has the most bytes")
    async def standings(self, interaction: Interaction) -> None:
        found = await squads.get_squad_leaderboard(member_of(interaction).guild.id)
        lines = (
            f"{each.rank}. **{escape_markdown(each.squad.name)}**: {each.total_balance:,} bytes, "
            f"{each.member_count:,} members"
            for each in found
        )
        await say(interaction, embed=listing("Standings", lines, "There are no squads yet."))


async def take_seat(interaction: Interaction, squad_id: str, order: Order) -> None:
    """Join or switch: bytes and seat by ``order``, then the role."""
    member, key = member_of(interaction), str(interaction.id)
    guild = member.guild
    async with one_at_a_time(guild.id, member.id):
        squad = await squads.get_squad(guild.id, squad_id)
        refuse_role(interaction, guild.get_role(int(squad.role_id)))  # while it costs nothing
        before = await squads.get_user_squad(guild.id, member.id)
        if before != squad:
            await order(guild.id, member.id, squad.id, username=member.name, idempotency_key=key)
        try:
            await member.add_roles(discord.Object(squad.role_id), reason="joined the squad")
            if before and before != squad:
                await drop_role(member, before)
        except DISCORD_FAILS as error:
            log.warning("Discord refused the role %s: %s", squad.role_id, error)
            if before == squad:
                raise Refusal("Discord refused you the role. You keep your seat.") from error
            await give_back(member, squad, before, key)
            raise Refusal("Discord refused you the role. You have your bytes back.") from error
    await say(interaction, f"You are in **{escape_markdown(squad.name)}**.")


async def give_back(member: Member, squad: bs.Squad, before: bs.Squad | None, key: str) -> None:
    """Undo the order with this key by new rows of the ledger: all of it, or nothing."""
    guild_id = member.guild.id
    try:
        async with bs.in_transaction() as db:
            paid = await bs.BytesTransaction.get_or_none(
                guild_id=str(guild_id), idempotency_key=key, using_db=db
            )
            refund = paid.amount if paid else 0  # what it took then, whatever it costs by now
            if before:
                before = await squads.get_squad(guild_id, before.id)
                refund += before.switch_cost  # the price of the way back
            if refund:
                why, once = f"Discord refused the role of {squad.name}", f"{key}-back"
                await ops.grant(guild_id, member.id, refund, reason=why, idempotency_key=once)
            if before:
                await squads.switch_squad(guild_id, member.id, before.id, username=member.name)
            else:
                await squads.leave_squad(guild_id, member.id)
    except bs.BytesSquadsError as error:
        log.exception("order %s was not undone", key)
        raise Refusal(
            "Discord refused you the role, and I could not undo it. Unless `/bytes history` shows "
            "your bytes back, the seat is yours: `/squad join` it again for the role."
        ) from error
    with suppress(*DISCORD_FAILS):  # an answer that was lost: it may have been given
        await drop_role(member, squad)


async def drop_role(member: Member, squad: bs.Squad) -> None:
    """Take a squad's role from a member; fine if there is no such role any more."""
    with suppress(discord.NotFound):
        await member.remove_roles(discord.Object(squad.role_id), reason="left the squad")


# 6. The moderators' side ------------------------------------------------------------------------
# Discord hides these commands from everybody else. But a server can set that differently, so
# the permissions are looked at again when a command arrives.

NEEDED = discord.Permissions(manage_guild=True, manage_roles=True)


def refuse_role(interaction: Interaction, role: Role | None) -> None:
    """Refuse a role that the bot cannot give."""
    if not (role and role.is_assignable() and interaction.app_permissions.manage_roles):
        raise Refusal("I cannot give that role. I need Manage Roles, and a role above it.")


def refuse_higher(interaction: Interaction, role: Role) -> None:
    """Refuse a role that the bot cannot give, or that the moderator could not give by hand."""
    refuse_role(interaction, role)
    member = member_of(interaction)
    if role >= member.top_role and member.id != role.guild.owner_id:
        raise Refusal("That role does not stand below your own.")


@app_commands.default_permissions(NEEDED)
class EconomyCommands(
    app_commands.Group, name="economy", description="For moderators", guild_only=True
):
    async def interaction_check(self, interaction: Interaction) -> bool:
        if not interaction.permissions >= NEEDED:
            raise app_commands.MissingPermissions([name for name, needed in NEEDED if needed])
        return True

    @app_commands.command(description="Create bytes for a member")
    async def grant(
        self, interaction: Interaction, member: Member, amount: Amount, reason: Reason = None
    ) -> None:
        await book(interaction, ops.grant, member, amount, reason)
        await say(interaction, f"{member.mention} has received {amount:,} bytes.")
        await give_earned_roles(member)

    @app_commands.command(description="Take bytes from a member")
    async def charge(
        self, interaction: Interaction, member: Member, amount: Amount, reason: Reason = None
    ) -> None:
        await book(interaction, ops.charge, member, amount, reason)
        await say(interaction, f"{member.mention} has paid {amount:,} bytes.")

    @app_commands.command(description="Show the settings, and change those that you give")
    async def config(
        self,
        interaction: Interaction,
        starting_balance: ZeroOrMore | None = None,
        daily_amount: ZeroOrMore | None = None,
        max_transfer: ZeroOrMore | None = None,
        transfer_cooldown_hours: app_commands.Range[int, 0, 1_000_000] | None = None,
        reward_role: Role | None = None,
        reward_from: Amount | None = None,
    ) -> None:
        if (reward_role is None) != (reward_from is None):
            raise Refusal("A reward is a role together with the bytes from which it is given.")
        guild_id = member_of(interaction).guild.id
        numbers = {
            "starting_balance": starting_balance,
            "daily_amount": daily_amount,
            "max_transfer": max_transfer,
            "transfer_cooldown_hours": transfer_cooldown_hours,
        }
        changes: dict[str, object] = {k: v for k, v in numbers.items() if v is not None}
        async with one_at_a_time(guild_id, 0):  # rewards are read, then written
            rewards = dict((await ops.get_config(guild_id)).role_rewards)
            if reward_role and reward_from:
                refuse_higher(interaction, reward_role)
                changes["role_rewards"] = rewards | {str(reward_role.id): reward_from}
            update = bs.BytesConfigUpdate.model_validate(changes)
            config = await ops.update_config(guild_id, update)
        lines = [f"{name}: {getattr(config, name):,}" for name in numbers]
        lines += [f"<@&{role}>: from {n:,} bytes" for role, n in config.role_rewards.items()]
        await say(interaction, embed=listing("Settings", lines))

    @app_commands.command(description="Open a squad for a role")
    async def squad(
        self,
        interaction: Interaction,
        role: Role,
        price: ZeroOrMore = 50,
        places: app_commands.Range[int, 1, 1_000_000] | None = None,
    ) -> None:
        refuse_higher(interaction, role)
        ids = {"guild_id": role.guild.id, "role_id": role.id}
        terms = {"name": role.name, "switch_cost": price, "max_members": places}
        await squads.create_squad(bs.SquadCreate.model_validate(ids | terms))
        await say(interaction, f"{role.mention} is a squad now; joining costs {price:,} bytes.")


async def book(
    interaction: Interaction, order: Order, member: Member, amount: int, reason: str | None
) -> None:
    """Grant or charge, with the moderator on record."""
    notes = {"reason": reason, "actor_id": interaction.user.id, "idempotency_key": interaction.id}
    await order(no_bot(member).guild.id, member.id, amount, username=member.name, **notes)


if __name__ == "__main__":
    EconomyBot().run(os.environ["DISCORD_TOKEN"])
