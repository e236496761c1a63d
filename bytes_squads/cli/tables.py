"""Tables for the terminal, readable from 60 columns. In a pipe rich prints them as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from .. import (
    SYSTEM_ID,
    BytesBalance,
    BytesConfig,
    BytesTransaction,
    EconomyStatistics,
    LeaderboardEntry,
    LedgerReport,
    SquadStanding,
    SquadSummary,
)
from ..operations.read_only import GuildSummary
from .currency import Currency
from .sanitize import escape_control_characters

SHOWN_DISCREPANCIES = 50
SHOWN_DAYS = 31

WIDE = 110
"""Columns of a terminal in which the tables also show ids."""

MEDIUM = 76
"""Columns of a terminal in which the parts of an entry have a column each."""


@dataclass(frozen=True)
class Leader:
    """A line of the leaderboard; the balance in whole bytes, the streak in days."""

    rank: int
    name: str
    balance: int
    streak: int
    roles: Sequence[str]


@dataclass(frozen=True)
class Status:
    """The state of a database.

    Attributes:
        database: Its description, without a password.
        server: PostgreSQL or SQLite, with the version.
        version: The version of this package.
        migrations_missing: Those of this package that are not applied, oldest first.
        rules: The expected number of checks and triggers.
        rules_missing: The missing ones.
        distribution: The number of shards and of nodes; None if it is not distributed.
        pool: The least and the largest number of connections; None without a pool.
    """

    database: str
    server: str
    version: str
    migrations_missing: list[str]
    rules: int
    rules_missing: list[str]
    distribution: tuple[int, int] | None
    pool: tuple[int, int] | None


class _ByWidth:
    """Layouts of one result; the terminal's width selects the first that fits.

    Args:
        layouts: The least width in columns and the table of each layout, widest first.
    """

    def __init__(self, *layouts: tuple[int, Table]) -> None:
        self._layouts = layouts

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield next(table for width, table in self._layouts if options.max_width >= width)


def _table(
    title: str, *columns: str, numbers: Sequence[str] = (), words: Sequence[str] = ()
) -> Table:
    """Return an empty table.

    Args:
        title: The title.
        columns: The columns' headers.
        numbers: Columns that are right-aligned and never wrapped.
        words: Columns that are never wrapped.
    """
    table = Table(
        title=Text(escape_control_characters(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        no_wrap = column in numbers or column in words
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if no_wrap else "fold"
        table.add_column(Text(column), justify=justify, no_wrap=no_wrap, overflow=overflow)
    return table


def _user_text(text: str) -> Text:
    """Return text of a user so that neither the terminal nor rich interprets it."""
    return Text(escape_control_characters(text))


def leaderboard(leaders: Sequence[Leader]) -> Table:
    """Return the table of the members with the most bytes."""
    table = _table(
        f"Leaderboard: the first {len(leaders)}",
        *("#", "member", "bytes", "streak", "roles earned"),
        numbers=("#", "bytes", "streak"),
    )
    for leader in leaders:
        table.add_row(
            str(leader.rank),
            _user_text(leader.name),
            f"{leader.balance:,}",
            f"{leader.streak} d",
            _user_text(", ".join(leader.roles)),
        )
    return table


def standings(squads: Sequence[SquadStanding]) -> Table:
    """Return the table of the squads by their members' total balance."""
    table = _table(
        "Squad leaderboard",
        *("#", "squad", "members", "total bytes", "cost"),
        numbers=("#", "members", "total bytes", "cost"),
    )
    for standing in squads:
        limit = standing.squad.max_members
        members = str(standing.member_count)
        table.add_row(
            str(standing.rank),
            _user_text(standing.squad.name),
            members if limit is None else f"{members} of {limit}",
            f"{standing.total_balance:,}",
            f"{standing.squad.switch_cost:,}",
        )
    return table


def history(
    name: str, user_id: str, rows: Sequence[BytesTransaction], balance: int
) -> RenderableType:
    """Return the table of a member's ledger rows, with the balance after each.

    Args:
        name: The member's name.
        user_id: The member (snowflake).
        rows: The newest rows, newest first.
        balance: The member's current balance in whole bytes.
    """
    title = f"History of {name}: the last {len(rows)}"
    entry = ("when (UTC)", "kind", "bytes", "after")
    numbers = ("when (UTC)", "bytes", "after")
    wide = _table(title, *entry, "with", "reason", numbers=numbers, words=("kind",))
    narrow = _table(title, *entry, "with: reason", numbers=numbers, words=("kind",))
    for row in rows:
        received = row.receiver_id == user_id
        change = row.amount if received else -row.amount
        other_id = row.giver_id if received else row.receiver_id
        other = row.giver_username if received else row.receiver_username
        if other_id == SYSTEM_ID:
            other = ""
        cells = (
            f"{row.created_at:%d %b %H:%M}",
            row.kind,
            Text(f"{change:+,}", style="green" if received else "red"),
            f"{balance:,}",
        )
        wide.add_row(*cells, _user_text(other), _user_text(row.reason or ""))
        narrow.add_row(*cells, _details(other, row.reason))
        balance -= change
    return _ByWidth((MEDIUM, wide), (0, narrow))


BYTES = Currency()


def leaderboard_page(entries: Sequence[LeaderboardEntry], currency: Currency = BYTES) -> Table:
    """Return the table of a leaderboard page, with members by id."""
    columns = ("#", "member", currency.header)
    table = _table("Leaderboard", *columns, numbers=columns)
    for entry in entries:
        table.add_row(f"{entry.rank:,}", entry.user_id, f"{entry.balance:,}")
    return table


def member_summary(row: BytesBalance, rank: int | None, currency: Currency = BYTES) -> Table:
    """Return the table of a member's balance and totals.

    Args:
        row: The member's row.
        rank: The member's rank on the leaderboard; None for one who left the guild.
        currency: The guild's currency.
    """
    return _key_value_table(
        f"Member {row.user_id} of guild {row.guild_id}",
        ("balance", _user_text(currency.format(row.balance))),
        ("rank", "none, left the guild" if rank is None else f"{rank:,}"),
        ("total received", f"{row.total_received:,}"),
        ("total sent", f"{row.total_sent:,}"),
        ("last daily claim", "never" if row.last_daily is None else row.last_daily.isoformat()),
        ("streak", f"{row.streak_count:,} d"),
    )


def ledger(
    rows: Sequence[BytesTransaction], user_id: str | None, currency: Currency = BYTES
) -> RenderableType:
    """Return the table of a ledger page.

    A narrow terminal shows the parties by name, in front of the reason.

    Args:
        rows: The rows, newest first.
        user_id: Show signed amounts from this member's side (snowflake); None shows both sides.
        currency: The guild's currency.
    """
    title = "Ledger" if user_id is None else f"Ledger of member {user_id}"
    parties = ("from", "to") if user_id is None else ("with",)
    entry = ("when (UTC)", "kind", currency.header)
    numbers = ("when (UTC)", currency.header, *parties)
    wide = _table(title, *entry, *parties, "reason", numbers=numbers, words=("kind",))
    details = "giver to receiver: reason" if user_id is None else "with: reason"
    narrow = _table(title, *entry, details, numbers=numbers, words=("kind",))
    for row in rows:
        ids, change = [row.giver_id, row.receiver_id], f"{row.amount:,}"
        names = [row.giver_username or row.giver_id, row.receiver_username or row.receiver_id]
        if user_id is not None:
            received = row.receiver_id == user_id
            del ids[received], names[received]
            change = f"{'+' if received else '-'}{change}"
        cells = f"{row.created_at:%Y-%m-%d %H:%M}", row.kind, change
        wide.add_row(*cells, *ids, _user_text(row.reason or ""))
        narrow.add_row(*cells, _details(" to ".join(names), row.reason))
    return _ByWidth((WIDE, wide), (0, narrow))


def _details(parties: str, reason: str | None) -> Text:
    """Return parties and reason as one cell, either of which may be missing."""
    return _user_text(": ".join(filter(None, (parties, reason))))


def config(row: BytesConfig, stored: bool) -> Table:
    """Return the table of a guild's settings.

    Args:
        row: The settings.
        stored: Whether they are stored; if not, they are the defaults.
    """
    bonuses = ", ".join(f"{days}={factor}" for days, factor in sorted(row.streak_bonuses.items()))
    rewards = ", ".join(f"{role}={total}" for role, total in sorted(row.role_rewards.items()))
    return _key_value_table(
        f"Settings of guild {row.guild_id}{'' if stored else ' (defaults, not stored)'}",
        ("starting balance", f"{row.starting_balance:,}"),
        ("daily amount", f"{row.daily_amount:,}"),
        ("streak bonuses", bonuses or "none"),
        ("max transfer", f"{row.max_transfer:,}"),
        ("transfer cooldown hours", f"{row.transfer_cooldown_hours:,}"),
        ("role rewards", rewards or "none"),
        ("timezone", row.timezone),
        ("streak grace days", f"{row.streak_grace_days:,}"),
        ("currency name", _user_text(row.currency_name)),
        ("currency emoji", _user_text(row.currency_emoji or "none")),
    )


def _key_value_table(title: str, *pairs: tuple[str, str | Text]) -> Table:
    table = _table(title, "", "")
    table.show_header = False
    for name, value in pairs:
        table.add_row(name, value)
    return table


def squads(summaries: Sequence[SquadSummary]) -> RenderableType:
    """Return the table of a guild's squads; a narrow terminal shows no ids."""
    columns = ("squad", "members", "cost", "active", "role", "id")
    numbers = ("members", "cost", "role", "id")
    layouts = [
        (width, _table("Squads", *columns[:count], numbers=numbers))
        for width, count in ((WIDE, 6), (MEDIUM, 5), (0, 4))
    ]
    for summary in summaries:
        squad = summary.squad
        limit = "" if squad.max_members is None else f" of {squad.max_members:,}"
        cells = (
            _user_text(squad.name),
            f"{summary.member_count:,}{limit}",
            f"{squad.switch_cost:,}",
            "yes" if squad.is_active else "no",
            squad.role_id,
            str(squad.id),
        )
        for _, table in layouts:
            table.add_row(*cells[: len(table.columns)])
    return _ByWidth(*layouts)


def guilds(summaries: Sequence[GuildSummary]) -> RenderableType:
    """Return the table of the guilds of a database; a narrow terminal shows dates without times."""
    columns = ("guild", "members", "bytes", "last activity")
    wide, narrow = (_table("Guilds", *columns, numbers=columns) for _ in range(2))
    for guild in summaries:
        cells = guild.guild_id, f"{guild.members:,}", f"{guild.circulation:,}"
        last = guild.last_activity
        utc = last and last.astimezone(UTC)
        wide.add_row(*cells, f"{utc:%Y-%m-%d %H:%M}" if utc else "never")
        narrow.add_row(*cells, f"{utc:%Y-%m-%d}" if utc else "never")
    return _ByWidth((MEDIUM, wide), (0, narrow))


def statistics(found: EconomyStatistics, currency: Currency) -> RenderableType:
    """Return the tables of a guild's statistics: the sums, by kind, and by date."""
    summary = _key_value_table(
        "Economy",
        ("members", f"{found.members:,}"),
        ("circulation", _user_text(currency.format(found.circulation))),
        ("of the richest tenth", f"{found.richest_tenth_share:.0%}"),
        ("created", f"{found.created:,}"),
        ("retired", f"{found.retired:,}"),
        ("transferred", f"{found.transferred:,}"),
    )
    amount = currency.header
    kinds = _table("By kind", "kind", "rows", amount, numbers=("rows", amount), words=("kind",))
    for kind, total in found.kinds.items():
        kinds.add_row(kind, f"{total.count:,}", f"{total.amount:,}")
    shown = found.days[-SHOWN_DAYS:]
    hidden = len(found.days) - len(shown)
    columns = ("date", "created", "retired", "transferred", "active")
    title = f"By date: the last {len(shown)}" if hidden else "By date"
    days = _table(title, *columns, numbers=columns)
    for day in shown:
        sums = (day.created, day.retired, day.transferred, day.active_members)
        days.add_row(day.date.isoformat(), *map("{:,}".format, sums))
    return Group(summary, kinds, days)


def status(found: Status) -> Table:
    """Return the table of the state of a database."""
    missing = ", ".join(found.migrations_missing)
    rules = ", ".join(found.rules_missing)
    pool = "one connection" if found.pool is None else "{} to {} connections".format(*found.pool)
    nodes = found.distribution
    return _key_value_table(
        "Status",
        ("database", _user_text(found.database)),
        ("server", found.server),
        ("package", found.version),
        ("migrations missing", _user_text(missing or "none")),
        ("checks and triggers", f"missing: {rules}" if rules else f"all {found.rules} present"),
        ("distributed", f"{nodes[0]:,} shards on {nodes[1]:,} nodes" if nodes else "no"),
        ("pool", pool),
    )


def refusals(counts: Mapping[str, int], examples: Mapping[str, str]) -> Table:
    """Return the table of refused operations, most frequent first.

    Args:
        counts: The number of refusals by error class.
        examples: One message of each class.
    """
    table = _table(
        "Refused operations (nothing changed)",
        *("times", "error", "example"),
        numbers=("times",),
        words=("error",),
    )
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(str(count), name, _user_text(examples[name]))
    return table


def ledger_report(report: LedgerReport) -> RenderableType:
    """Return the result of `verify`: a sentence, and a table of what differs."""
    checked = f"{report.members:,} balances against {report.transactions:,} ledger rows"
    if report.ok:
        return Text(f"Verified {checked}: all agree.", style="green")
    discrepancies = report.discrepancies
    title = "Discrepancies between the ledger and the balances"
    columns = ("guild", "member", "field", "ledger", "balance row")
    wide = _table(title, *columns, numbers=columns)
    stacked = ("guild\nmember", "field", "ledger\nbalance row")  # two lines in each row
    narrow = _table(title, *stacked, numbers=stacked)
    for line in discrepancies[:SHOWN_DISCREPANCIES]:
        numbers = f"{line.expected:,}", f"{line.found:,}"
        wide.add_row(line.guild_id, line.user_id, line.field, *numbers)
        narrow.add_row(f"{line.guild_id}\n{line.user_id}", line.field, "\n".join(numbers))
    count = len(discrepancies)
    truncation_note = (
        f" (the first {SHOWN_DISCREPANCIES} are shown)" if count > SHOWN_DISCREPANCIES else ""
    )
    summary = f"{count:,} discrepanc{'y' if count == 1 else 'ies'}{truncation_note}"
    return Group(
        _ByWidth((WIDE, wide), (0, narrow)),
        Text(f"Verified {checked}: {summary}.", style="bold red"),
    )
