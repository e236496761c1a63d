"""Tables for the terminal. In a pipe rich prints them as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .. import (
    SYSTEM_ID,
    BytesBalance,
    BytesConfig,
    BytesTransaction,
    LeaderboardEntry,
    LedgerReport,
    SquadStanding,
    SquadSummary,
)
from .sanitize import escape_control_characters

SHOWN_DISCREPANCIES = 50


@dataclass(frozen=True)
class Leader:
    """A line of the leaderboard; the balance in whole bytes, the streak in days."""

    rank: int
    name: str
    balance: int
    streak: int
    roles: Sequence[str]


def _table(title: str, *columns: str, numbers: Sequence[str] = ()) -> Table:
    """Return an empty table; the columns in `numbers` are right-aligned and never wrapped."""
    table = Table(
        title=Text(escape_control_characters(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        number = column in numbers
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
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
    table = _table(
        f"History of {name}: the last {len(rows)}",
        *("when (UTC)", "kind", "bytes", "after", "with", "reason"),
        numbers=("when (UTC)", "bytes", "after"),
    )
    for row in rows:
        received = row.receiver_id == user_id
        change = row.amount if received else -row.amount
        other_id = row.giver_id if received else row.receiver_id
        other = row.giver_username if received else row.receiver_username
        table.add_row(
            f"{row.created_at:%d %b %H:%M}",
            row.kind,
            Text(f"{change:+,}", style="green" if received else "red"),
            f"{balance:,}",
            "" if other_id == SYSTEM_ID else _user_text(other),
            _user_text(row.reason or ""),
        )
        balance -= change
    return table


def leaderboard_page(entries: Sequence[LeaderboardEntry]) -> Table:
    """Return the table of a leaderboard page, with members by id."""
    table = _table("Leaderboard", "#", "member", "bytes", numbers=("#", "member", "bytes"))
    for entry in entries:
        table.add_row(f"{entry.rank:,}", entry.user_id, f"{entry.balance:,}")
    return table


def member_summary(row: BytesBalance, rank: int) -> Table:
    """Return the table of a member's balance and totals.

    Args:
        row: The member's row.
        rank: The member's rank on the leaderboard.
    """
    return _key_value_table(
        f"Member {row.user_id} of guild {row.guild_id}",
        ("balance", f"{row.balance:,} bytes"),
        ("rank", f"{rank:,}"),
        ("total received", f"{row.total_received:,}"),
        ("total sent", f"{row.total_sent:,}"),
        ("last daily claim", "never" if row.last_daily is None else row.last_daily.isoformat()),
        ("streak", f"{row.streak_count:,} d"),
    )


def ledger(rows: Sequence[BytesTransaction], user_id: str | None) -> Table:
    """Return the table of a ledger page.

    Args:
        rows: The rows, newest first.
        user_id: Show signed amounts from this member's side (snowflake); None shows both sides.
    """
    parties = ("from", "to") if user_id is None else ("with",)
    table = _table(
        "Ledger" if user_id is None else f"Ledger of member {user_id}",
        *("when (UTC)", "kind", "bytes", *parties, "reason"),
        numbers=("when (UTC)", "bytes", *parties),
    )
    for row in rows:
        ids, change = [row.giver_id, row.receiver_id], f"{row.amount:,}"
        if user_id is not None:
            received = row.receiver_id == user_id
            del ids[received]
            change = f"{'+' if received else '-'}{change}"
        when = f"{row.created_at:%Y-%m-%d %H:%M}"
        table.add_row(when, row.kind, change, *ids, _user_text(row.reason or ""))
    return table


def config(row: BytesConfig, stored: bool) -> Table:
    """Return the table of a guild's settings.

    Args:
        row: The settings.
        stored: Whether they are stored; if not, they are the defaults.
    """
    bonuses = ",".join(f"{days}={factor}" for days, factor in sorted(row.streak_bonuses.items()))
    rewards = ",".join(f"{role}={total}" for role, total in sorted(row.role_rewards.items()))
    return _key_value_table(
        f"Settings of guild {row.guild_id}{'' if stored else ' (defaults, not stored)'}",
        ("starting balance", f"{row.starting_balance:,}"),
        ("daily amount", f"{row.daily_amount:,}"),
        ("streak bonuses", bonuses or "none"),
        ("max transfer", f"{row.max_transfer:,}"),
        ("transfer cooldown hours", f"{row.transfer_cooldown_hours:,}"),
        ("role rewards", rewards or "none"),
    )


def _key_value_table(title: str, *pairs: tuple[str, str]) -> Table:
    table = _table(title, "", "")
    table.show_header = False
    for name, value in pairs:
        table.add_row(name, value)
    return table


def squads(summaries: Sequence[SquadSummary]) -> Table:
    """Return the table of a guild's squads and their ids."""
    table = _table(
        "Squads",
        *("squad", "members", "cost", "role", "id", "active"),
        numbers=("members", "cost", "role", "id"),
    )
    for summary in summaries:
        squad = summary.squad
        limit = "" if squad.max_members is None else f" of {squad.max_members:,}"
        table.add_row(
            _user_text(squad.name),
            f"{summary.member_count:,}{limit}",
            f"{squad.switch_cost:,}",
            squad.role_id,
            str(squad.id),
            "yes" if squad.is_active else "no",
        )
    return table


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
    table = _table(
        "Discrepancies between the ledger and the balances",
        *("guild", "member", "field", "ledger", "balance row"),
        numbers=("guild", "member", "ledger", "balance row"),
    )
    for line in discrepancies[:SHOWN_DISCREPANCIES]:
        table.add_row(
            line.guild_id, line.user_id, line.field, f"{line.expected:,}", f"{line.found:,}"
        )
    count = len(discrepancies)
    truncation_note = (
        f" (the first {SHOWN_DISCREPANCIES} are shown)" if count > SHOWN_DISCREPANCIES else ""
    )
    summary = f"{count:,} discrepanc{'y' if count == 1 else 'ies'}{truncation_note}"
    return Group(table, Text(f"Verified {checked}: {summary}.", style="bold red"))
