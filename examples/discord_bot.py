"""A complete economy bot in one file.

    pip install 'bytes_squads[examples]'
    DISCORD_TOKEN=… DATABASE_URL=postgres://… python discord_bot.py

In PowerShell, set a variable in a line before that: ``$env:DISCORD_TOKEN = '…'``. Without
``DATABASE_URL`` the database is ``bytes_squads.db``, a SQLite file. The bot needs no privileged
intent. With ``MEMBERS_INTENT=1``, and that intent enabled in Discord's developer portal, it records
who leaves the server. To assign roles it needs Manage Roles, and a role above them.

Members get ``/bytes balance|send|daily|leaderboard|weekly|history`` and
``/squad list|join|switch|leave|standings``, moderators
``/economy grant|charge|reverse|reset|stats|config|squad``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, time, timedelta
from typing import TypedDict
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import aiohttp
import discord
from discord import Interaction, Member, Role, app_commands
from discord.utils import escape_markdown, format_dt

import bytes_squads as bs

log = logging.getLogger("economy")
# Stateless: one instance each is enough.
ops, squads, guilds = bs.BytesOperations(), bs.SquadOperations(), bs.GuildOperations()

Amount = app_commands.Range[int, 1]
ZeroOrMore = app_commands.Range[int, 0]
Reason = app_commands.Range[str, 1, 200] | None
Order = Callable[..., Awaitable[object]]  # an operation of bytes_squads

# Discord refused, is unavailable, or the session is closed (a RuntimeError).
DISCORD_FAILS = (discord.HTTPException, aiohttp.ClientError, OSError, RuntimeError)
HAS_CHARTS = importlib.util.find_spec("matplotlib") is not None  # the extra "charts"
SHUTDOWN_TIMEOUT = 10  # seconds for running commands when the bot stops


# 1. Start and stop ------------------------------------------------------------------------------
# The database is opened and migrated before the first command can arrive. When the bot stops, it
# waits for running commands, then closes the connection to Discord, then the database.


class EconomyBot(discord.Client):
    def __init__(self) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True, members="MEMBERS_INTENT" in os.environ),
            allowed_mentions=discord.AllowedMentions.none(),  # <@id> shows a name without a ping
        )
        self.tree = EconomyTree(self)
        for group in (BytesCommands(), SquadCommands(), EconomyCommands()):
            self.tree.add_command(group)

    async def setup_hook(self) -> None:
        await bs.init()  # the database of DATABASE_URL
        await bs.upgrade()  # create or migrate its tables
        await self.tree.sync()

    async def on_raw_member_remove(self, event: discord.RawMemberRemoveEvent) -> None:
        with failures_logged(f"member {event.user.id} was not marked as gone"):
            await guilds.set_member_left(event.guild_id, event.user.id)

    async def on_member_join(self, member: Member) -> None:
        with failures_logged(f"member {member.id} was not marked as back"):
            if await guilds.set_member_left(member.guild.id, member.id, left=False):
                await update_roles(member)  # those of rewards that were earned before

    async def close(self) -> None:
        self.tree.closing = True
        await self.tree.finish()
        await super().close()
        await self.tree.finish()  # commands that waited for Discord have failed now
        await bs.close()


# 2. Before and after each command ---------------------------------------------------------------
# Discord expects a response within 3 seconds, which a database cannot guarantee. So each command is
# deferred first: only its member sees "thinking…", until the answer replaces it.


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
            # Too late, or delivered twice: Discord accepts one response, and its sender does the
            # work. (If both did, the idempotency keys below would move bytes once.)
            log.warning("interaction %d is skipped: %s", interaction.id, error)
            return False
        if self.closing:
            raise Refusal("I am about to restart. Nothing was moved; try again in a minute.")
        if task := asyncio.current_task():
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        return True

    async def finish(self) -> None:
        if self.running:
            await asyncio.wait(self.running, timeout=SHUTDOWN_TIMEOUT)

    async def on_error(self, interaction: Interaction, error: Exception) -> None:
        if isinstance(error, app_commands.CommandInvokeError):
            error = error.original
        text = explain(error, await currency(interaction, "bytes"))
        if text is None:
            log.error("a command failed", exc_info=error)
            text = "Something went wrong. Look at `/bytes history` before you try again."
        await say(interaction, text)


async def say(
    interaction: Interaction,
    text: str | None = None,
    embed: discord.Embed | None = None,
    picture: discord.File | None = None,
) -> None:
    """Send the answer. The operation is done, so a failure to send is only logged."""
    pictures = [] if picture is None else [picture]
    try:
        await interaction.edit_original_response(content=text, embed=embed, attachments=pictures)
    except DISCORD_FAILS as error:
        log.warning("interaction %d got no answer: %s", interaction.id, error)


# 3. Refusals ------------------------------------------------------------------------------------
# Each refusal is an error class with its numbers; a refused operation has changed nothing.


class Refusal(app_commands.AppCommandError):
    """A refusal by the bot; its text is shown to the member."""


def explain(error: Exception, money: str = "bytes") -> str | None:  # noqa: C901, PLR0912  # a case for each reason
    """Return the text for the member, or None for an unexpected error."""
    match error:
        case Refusal():
            return str(error)
        case bs.InsufficientBalanceError():
            return f"That takes {error.required:,} {money}; the balance is {error.balance:,}."
        case bs.TransferLimitError():
            return f"At most {error.max_transfer:,} {money} can be sent at a time."
        case bs.TransferCooldownError():
            return f"You can send {money} again {format_dt(error.available_at, 'R')}."
        case bs.DailyAlreadyClaimedError():
            return f"You have had today's {money}. More {format_dt(error.next_claim_at, 'R')}."
        case bs.BalanceOverflowError():
            return "That is more than a member can receive."
        case bs.IdempotencyConflictError():
            return "This command was already used for something else. Please give it again."
        case bs.TransactionNotFoundError():
            return "There is no such movement of bytes here."
        case bs.AlreadyReversedError():
            return "That has been taken back already."
        case bs.NotReversibleError():
            return "That cannot be taken back."
        case bs.SquadNotFoundError():
            return "There is no such squad. Choose one from the list that appears as you type."
        case bs.SquadInactiveError():
            return "That squad is not open at the moment."
        case bs.SquadFullError():
            return f"All {error.max_members:,} places of that squad are taken."
        case bs.SquadRoleTakenError():
            return f"<@&{error.role_id}> has a squad already."
        case bs.AlreadyInSquadError():
            return "You are in a squad already. `/squad switch` takes you to another."
        case bs.NotInSquadError():
            return "You are in no squad. `/squad join` one first."
        case bs.StorageUnavailableError():
            return "The database is unavailable. Nothing was moved; try again in a minute."
        case bs.OutcomeUnknownError():
            return "The connection broke. Look at `/bytes history`: if it is not there, try again."
        case bs.InvalidInputError():
            return "I cannot do that. Please check the amount and the text."
        case app_commands.MissingPermissions():
            return "You need the permissions to manage the server and its roles."
        case app_commands.TransformerError():
            return "I cannot find that member here."
        case _:
            return None


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


async def currency(interaction: Interaction, otherwise: str | None = None) -> str:
    """Return the guild's currency, name and emoji; call it before any bytes move.

    If the database is unavailable, return ``otherwise``, if that is given.
    """
    try:
        config = await ops.get_config(member_of(interaction).guild.id)
    except bs.BytesSquadsError:
        if otherwise is None:
            raise
        return otherwise
    return " ".join(filter(None, (escape_markdown(config.currency_name), config.currency_emoji)))


def member_of(interaction: Interaction) -> Member:
    """Return the member who gave the command."""
    assert isinstance(interaction.user, Member)
    return interaction.user


def no_bot(member: Member) -> Member:
    """Return the member; refuse a bot."""
    if member.bot:
        raise Refusal("Bots have no use for bytes.")
    return member


def listing(title: str, lines: Iterable[str], otherwise: str = "") -> discord.Embed:
    """Return an embed of lines below a title, cut to Discord's limit."""
    return discord.Embed(title=title, description="\n".join(lines)[:4096] or otherwise)


# 4. Bytes ---------------------------------------------------------------------------------------
# The interaction's id is the idempotency key: a command that arrives twice moves bytes once.


class BytesCommands(app_commands.Group, name="bytes", description="Bytes", guild_only=True):
    @app_commands.command(description="Show your balance, or another member's")
    async def balance(self, interaction: Interaction, member: Member | None = None) -> None:
        whose, money = no_bot(member or member_of(interaction)), await currency(interaction)
        found = await ops.get_balance(whose.guild.id, whose.id, whose.name)
        await say(interaction, f"{whose.mention} has **{found.balance:,}** {money}.")
        await update_roles(whose)  # a new member has just received the starting balance

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
        money = await currency(interaction)
        await ops.create_transaction(order)
        await say(interaction, f"You sent {amount:,} {money} to {to.mention}.")
        why = f": {escape_markdown(reason)}" if reason else "."
        with suppress(*DISCORD_FAILS):  # visible to the whole channel
            await interaction.followup.send(
                f"{giver.mention} sent {to.mention} **{amount:,}** {money}{why}"
            )
        await update_roles(to)

    @app_commands.command(description="Claim the bytes of the day")
    async def daily(self, interaction: Interaction) -> None:
        member, money = member_of(interaction), await currency(interaction)
        claim = await ops.claim_daily(
            member.guild.id, member.id, member.name, idempotency_key=interaction.id
        )
        times = f" (×{claim.multiplier})" if claim.multiplier > 1 else ""
        paid = f"**{claim.amount:,}** {money}{times} for day {claim.streak} in a row."
        await say(interaction, f"{paid} You have {claim.balance:,}.")
        await update_roles(member)

    @app_commands.command(description="Who has the most bytes")
    async def leaderboard(self, interaction: Interaction) -> None:
        title = f"Most {await currency(interaction)}"
        found = await ops.get_leaderboard(member_of(interaction).guild.id)
        await say(interaction, embed=listing(title, ranks(found), "No one has any yet."))

    @app_commands.command(description="Who has received the most this week")
    async def weekly(self, interaction: Interaction) -> None:
        guild_id, money = member_of(interaction).guild.id, await currency(interaction)
        zone = ZoneInfo((await ops.get_config(guild_id)).timezone)
        today = now().astimezone(zone).date()
        monday = datetime.combine(today - timedelta(days=today.weekday()), time(), zone)
        found = await ops.get_earnings_leaderboard(guild_id, monday)
        title = f"Most {money} received this week"
        await say(interaction, embed=listing(title, ranks(found), "No one has received any yet."))

    @app_commands.command(description="Where your bytes came from and went")
    async def history(self, interaction: Interaction) -> None:
        member = member_of(interaction)
        found = await ops.get_transaction_history(member.guild.id, member.id, limit=10)
        lines = (history_line(row, str(member.id)) for row in found)
        await say(interaction, embed=listing("Your last bytes", lines, "Nothing yet."))


def ranks(entries: Iterable[bs.LeaderboardEntry]) -> Iterator[str]:
    """Return the lines of a leaderboard."""
    return (f"{each.rank}. <@{each.user_id}>: {each.balance:,}" for each in entries)


def history_line(row: bs.BytesTransaction, user_id: str) -> str:
    """Return a ledger row as text for a member."""
    came = row.receiver_id == user_id
    name = row.giver_username if came else row.receiver_username
    who = f" {'from' if came else 'to'} {escape_markdown(name)}" if row.kind == "transfer" else ""
    why = f" ({escape_markdown(row.reason[:80])})" if row.reason else ""
    when = format_dt(row.created_at, "R")
    return f"**{'+' if came else '−'}{row.amount:,}** {row.kind}{who}{why} {when}"


async def update_roles(member: Member) -> None:
    """Add the roles of rewards and squads that are due, and remove those that are not.

    A failure is only logged: the next call repeats it.
    """
    guild = member.guild
    with failures_logged(f"the roles of member {member.id} were not updated"):
        async with one_at_a_time(guild.id, member.id):
            held = [role.id for role in member.roles]
            changes = await guilds.get_role_changes(guild.id, member.id, held)
            await member.add_roles(*assignable(guild, changes.add), reason="due")
            await member.remove_roles(*assignable(guild, changes.remove), reason="no longer due")


def assignable(guild: discord.Guild, role_ids: Iterable[str]) -> list[Role]:
    """Return the roles that exist and that the bot can assign."""
    roles = [guild.get_role(int(role_id)) for role_id in role_ids]
    return [role for role in roles if role and role.is_assignable()]


@contextmanager
def failures_logged(text: str) -> Generator[None]:
    """Log a failure of the database or of Discord."""
    try:
        yield
    except (bs.BytesSquadsError, *DISCORD_FAILS) as error:
        log.warning("%s: %s", text, error)


# 5. Squads --------------------------------------------------------------------------------------
# The database charges the bytes and inserts the membership in one transaction; then Discord assigns
# the role. If Discord refuses, both are undone, also in one transaction. So after any failure in
# between (Discord, the database, this process) a membership is paid, and paid bytes have a
# membership. Only the role can be missing; joining the same squad again assigns it.

_locks: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()


def one_at_a_time(guild_id: int, user_id: int) -> asyncio.Lock:
    """Return a lock for a member's roles at Discord. Bytes need no lock in Python."""
    return _locks.setdefault((guild_id, user_id), asyncio.Lock())


async def squad_choices(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """Return the squads whose names contain the typed text."""
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
        money = await currency(interaction)
        found = await squads.get_guild_squads(member_of(interaction).guild.id)
        lines = (
            f"**{escape_markdown(each.squad.name)}**: {each.squad.switch_cost:,} {money}, "
            f"{each.member_count:,} of {each.squad.max_members or '∞'} places taken"
            for each in found
        )
        await say(interaction, embed=listing("Squads", lines, "There are no squads yet."))

    @app_commands.command(description="Join a squad")
    @app_commands.autocomplete(squad=squad_choices)
    async def join(self, interaction: Interaction, squad: str) -> None:
        await change_squad(interaction, squad, squads.join_squad)

    @app_commands.command(description="Go from your squad to another")
    @app_commands.autocomplete(squad=squad_choices)
    async def switch(self, interaction: Interaction, squad: str) -> None:
        await change_squad(interaction, squad, squads.switch_squad)

    @app_commands.command(description="Leave your squad; nothing is given back")
    async def leave(self, interaction: Interaction) -> None:
        member = member_of(interaction)
        async with one_at_a_time(member.guild.id, member.id):
            squad = await squads.get_user_squad(member.guild.id, member.id)
            if squad is None:
                raise bs.NotInSquadError(str(member.id))
            try:  # the role first: a missing role can be assigned again, see above
                await drop_role(member, squad)
            except DISCORD_FAILS as error:
                raise Refusal("Discord keeps your role as it is. You are still in.") from error
            await squads.leave_squad(member.guild.id, member.id)
        await say(interaction, f"You have left **{escape_markdown(squad.name)}**.")

    @app_commands.command(description="Which squad has the most bytes")
    async def standings(self, interaction: Interaction) -> None:
        money = await currency(interaction)
        found = await squads.get_squad_leaderboard(member_of(interaction).guild.id)
        lines = (
            f"{each.rank}. **{escape_markdown(each.squad.name)}**: {each.total_balance:,} {money}, "
            f"{each.member_count:,} members"
            for each in found
        )
        await say(interaction, embed=listing("Standings", lines, "There are no squads yet."))


async def change_squad(interaction: Interaction, squad_id: str, order: Order) -> None:
    """Join or switch with ``order``, then assign the role."""
    member, key = member_of(interaction), str(interaction.id)
    guild = member.guild
    async with one_at_a_time(guild.id, member.id):
        squad = await squads.get_squad(guild.id, squad_id)
        refuse_role(interaction, guild.get_role(int(squad.role_id)))  # before paying
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
    """Undo the order with this key by new ledger rows, all or nothing."""
    guild_id = member.guild.id
    try:
        async with bs.in_transaction() as db:
            paid = await bs.BytesTransaction.get_or_none(
                guild_id=str(guild_id), idempotency_key=key, using_db=db
            )
            why, once = f"Discord refused the role of {squad.name}", f"{key}-back"
            if paid and paid.amount:
                await ops.reverse_transaction(guild_id, paid.id, reason=why)
            if before:
                before = await squads.get_squad(guild_id, before.id)
                price = before.switch_cost  # of switching back
                if price:
                    await ops.grant(guild_id, member.id, price, reason=why, idempotency_key=once)
                await squads.switch_squad(guild_id, member.id, before.id, username=member.name)
            else:
                await squads.leave_squad(guild_id, member.id)
    except bs.BytesSquadsError as error:
        log.exception("order %s was not undone", key)
        raise Refusal(
            "Discord refused you the role, and I could not undo it. Unless `/bytes history` shows "
            "your bytes back, the seat is yours: `/squad join` it again for the role."
        ) from error
    with suppress(*DISCORD_FAILS):  # the response may be lost and the role assigned
        await drop_role(member, squad)


async def drop_role(member: Member, squad: bs.Squad) -> None:
    """Remove a squad's role from a member; ignore a deleted role."""
    with suppress(discord.NotFound):
        await member.remove_roles(discord.Object(squad.role_id), reason="left the squad")


# 6. The moderators' side ------------------------------------------------------------------------
# Discord hides these commands from other members. A server can change that, so the permissions are
# checked again when a command arrives.

NEEDED = discord.Permissions(manage_guild=True, manage_roles=True)


def refuse_role(interaction: Interaction, role: Role | None) -> None:
    """Refuse a role that the bot cannot assign."""
    if not (role and role.is_assignable() and interaction.app_permissions.manage_roles):
        raise Refusal("I cannot give that role. I need Manage Roles, and a role above it.")


def refuse_higher(interaction: Interaction, role: Role) -> None:
    """Refuse a role that the bot or the moderator cannot assign."""
    refuse_role(interaction, role)
    member = member_of(interaction)
    if role >= member.top_role and member.id != role.guild.owner_id:
        raise Refusal("That role is not below your highest role.")


async def movement_choices(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """Return the newest movements of the guild that contain the typed text."""
    try:
        async with asyncio.timeout(2):  # Discord waits for 3 seconds
            rows = await ops.get_transaction_history(member_of(interaction).guild.id, limit=200)
    except (bs.BytesSquadsError, TimeoutError):
        return []
    named = {
        str(row.id): f"{row.created_at:%d %b %H:%M} {row.kind} {row.amount:,}: "
        f"{row.giver_username or row.giver_id} to {row.receiver_username or row.receiver_id}"[:70]
        for row in rows
        if row.amount and row.kind not in {"starting", "reversal"}
    }
    found = [(key, name) for key, name in named.items() if typed.casefold() in name.casefold()]
    return [app_commands.Choice(name=name, value=key) for key, name in found[:25]]


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
        money = await currency(interaction)
        await book(interaction, ops.grant, member, amount, reason)
        await say(interaction, f"{member.mention} has received {amount:,} {money}.")
        await update_roles(member)

    @app_commands.command(description="Take bytes from a member")
    async def charge(
        self, interaction: Interaction, member: Member, amount: Amount, reason: Reason = None
    ) -> None:
        money = await currency(interaction)
        await book(interaction, ops.charge, member, amount, reason)
        await say(interaction, f"{member.mention} has paid {amount:,} {money}.")

    @app_commands.command(description="Take back a movement, once")
    @app_commands.autocomplete(movement=movement_choices)
    async def reverse(self, interaction: Interaction, movement: str, reason: Reason = None) -> None:
        guild, money = member_of(interaction).guild, await currency(interaction)
        notes = notes_of(interaction, reason)
        row = await ops.reverse_transaction(guild.id, movement, **notes)
        ids = [each for each in (row.giver_id, row.receiver_id) if each != bs.SYSTEM_ID]
        names = " and ".join(f"<@{each}>" for each in ids)
        await say(interaction, f"{row.amount:,} {money} went back ({names}).")
        for each in ids:
            with failures_logged(f"the roles of member {each} were not updated"):
                await update_roles(await guild.fetch_member(int(each)))

    @app_commands.command(description="Give every member the same balance")
    async def reset(
        self,
        interaction: Interaction,
        sure: bool,
        balance: ZeroOrMore | None = None,
        reason: Reason = None,
    ) -> None:
        if not sure:
            raise Refusal("Nothing was changed.")
        guild_id, money = member_of(interaction).guild.id, await currency(interaction)
        notes = notes_of(interaction, reason)
        changed = await ops.reset_balances(guild_id, balance, **notes)
        what = "the starting balance" if balance is None else f"{balance:,} {money}"
        await say(interaction, f"Every member has {what} now; {changed:,} balances have changed.")

    @app_commands.command(description="How the economy goes")
    async def stats(
        self, interaction: Interaction, days: app_commands.Range[int, 1, 365] = 30
    ) -> None:
        guild_id, money = member_of(interaction).guild.id, await currency(interaction)
        found = await guilds.get_statistics(guild_id, now() - timedelta(days=days))
        lines = [
            f"members: {found.members:,}",
            f"in circulation: {found.circulation:,} {money}",
            f"of the richest tenth: {found.richest_tenth_share:.0%}",
            f"**The last {days} days**",
            f"created: {found.created:,}",
            f"retired: {found.retired:,}",
            f"sent: {found.transferred:,}",
        ]
        lines += [f"{kind}: {each.count:,} times" for kind, each in found.kinds.items()]
        embed, picture = listing("Economy", lines), None
        if HAS_CHARTS and found.days:
            from bytes_squads.charts import draw_economy  # noqa: PLC0415  # takes a second

            config = await ops.get_config(guild_id)
            png = await asyncio.to_thread(  # the event loop goes on meanwhile
                draw_economy, found, currency=config.currency_name, image_format="png", dark=True
            )
            picture = discord.File(io.BytesIO(png), "economy.png")
            embed.set_image(url="attachment://economy.png")
        await say(interaction, embed=embed, picture=picture)

    @app_commands.command(description="Show the settings, and change those that you give")
    async def config(
        self,
        interaction: Interaction,
        starting_balance: ZeroOrMore | None = None,
        daily_amount: ZeroOrMore | None = None,
        max_transfer: ZeroOrMore | None = None,
        transfer_cooldown_hours: app_commands.Range[int, 0, 1_000_000] | None = None,
        streak_grace_days: app_commands.Range[int, 0, 365] | None = None,
        timezone: app_commands.Range[str, 1, 64] | None = None,
        currency_name: app_commands.Range[str, 1, 32] | None = None,
        currency_emoji: app_commands.Range[str, 1, 64] | None = None,
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
            "streak_grace_days": streak_grace_days,
        }
        texts = {
            "timezone": timezone,
            "currency_name": currency_name,
            "currency_emoji": currency_emoji,
        }
        given = numbers | texts
        changes: dict[str, object] = {k: v for k, v in given.items() if v is not None}
        async with one_at_a_time(guild_id, 0):  # rewards are read, changed, written
            rewards = dict((await ops.get_config(guild_id)).role_rewards)
            if reward_role and reward_from:
                refuse_higher(interaction, reward_role)
                changes["role_rewards"] = rewards | {str(reward_role.id): reward_from}
            update = bs.BytesConfigUpdate.model_validate(changes)
            config = await ops.update_config(guild_id, update)
        lines = [f"{name}: {getattr(config, name):,}" for name in numbers]
        lines += [f"{name}: {getattr(config, name) or 'none'}" for name in texts]
        lines += [
            f"<@&{role}>: from {n:,} {config.currency_name}"
            for role, n in config.role_rewards.items()
        ]
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
        money = await currency(interaction)
        await squads.create_squad(bs.SquadCreate.model_validate(ids | terms))
        await say(interaction, f"{role.mention} is a squad now; joining costs {price:,} {money}.")


async def book(
    interaction: Interaction, order: Order, member: Member, amount: int, reason: str | None
) -> None:
    """Grant or charge, and record the moderator."""
    notes = notes_of(interaction, reason)
    await order(no_bot(member).guild.id, member.id, amount, username=member.name, **notes)


class Notes(TypedDict):
    reason: str | None
    actor_id: int
    idempotency_key: int


def notes_of(interaction: Interaction, reason: str | None) -> Notes:
    """Return what the ledger records of a moderator's order."""
    return {"reason": reason, "actor_id": interaction.user.id, "idempotency_key": interaction.id}


if __name__ == "__main__":
    EconomyBot().run(
        os.environ.get("DISCORD_TOKEN") or sys.exit("Set DISCORD_TOKEN to the token of the bot.")
    )
