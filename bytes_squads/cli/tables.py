"""Tables for the terminal. In a pipe they are plain text, as rich does it by itself."""

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
from .sanitize import printable

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
    """A table with a title; the columns named in `numbers` stand flush right."""
    table = Table(
        title=Text(printable(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        number = column in numbers
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
    return table


def _said(text: str) -> Text:
    """What somebody wrote: neither the terminal nor rich finds an order in it."""
    return Text(printable(text))


def leaderboard(leaders: Sequence[Leader]) -> Table:
    """The members with the most bytes."""
    table = _table(
        f"Leaderboard: the first {len(leaders)}",
        *("#", "member", "bytes", "streak", "roles earned"),
        numbers=("#", "bytes", "streak"),
    )
    for leader in leaders:
        table.add_row(
            str(leader.rank),
            _said(leader.name),
            f"{leader.balance:,}",
            f"{leader.streak} d",
            _said(", ".join(leader.roles)),
        )
    return table


def standings(squads: Sequence[SquadStanding]) -> Table:
    """The squads by what their members have together."""
    table = _table(
        "Squads: the standing",
        *("#", "squad", "members", "bytes together", "costs"),
        numbers=("#", "members", "bytes together", "costs"),
    )
    for standing in squads:
        places = standing.squad.max_members
        members = str(standing.member_count)
        table.add_row(
            str(standing.rank),
            _said(standing.squad.name),
            members if places is None else f"{members} of {places}",
            f"{standing.total_balance:,}",
            f"{standing.squad.switch_cost:,}",
        )
    return table


def history(
    name: str, user_id: str, rows: Sequence[BytesTransaction], balance: int
) -> RenderableType:
    """A member's ledger rows, newest first, with the balance after each.

    Args:
        name: The member's name.
        user_id: The member (snowflake).
        rows: The newest rows, newest first.
        balance: The member's present balance in whole bytes.
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
            "" if other_id == SYSTEM_ID else _said(other),
            _said(row.reason or ""),
        )
        balance -= change
    return table


def ranking(entries: Sequence[LeaderboardEntry]) -> Table:
    """A page of the leaderboard as the database has it: members by their ids."""
    table = _table("Leaderboard", "#", "member", "bytes", numbers=("#", "member", "bytes"))
    for entry in entries:
        table.add_row(f"{entry.rank:,}", entry.user_id, f"{entry.balance:,}")
    return table


def member(row: BytesBalance, rank: int) -> Table:
    """What a member has.

    Args:
        row: The member's row.
        rank: The member's place on the leaderboard.
    """
    return _pairs(
        f"Member {row.user_id} of guild {row.guild_id}",
        ("balance", f"{row.balance:,} bytes"),
        ("rank", f"{rank:,}"),
        ("received in all", f"{row.total_received:,}"),
        ("sent in all", f"{row.total_sent:,}"),
        ("last daily claim", "never" if row.last_daily is None else row.last_daily.isoformat()),
        ("streak", f"{row.streak_count:,} d"),
    )


def ledger(rows: Sequence[BytesTransaction], user_id: str | None) -> Table:
    """A page of the ledger.

    Args:
        rows: The rows, newest first.
        user_id: The member (snowflake) from whose side they are seen; None for neither side.
    """
    parties = ("from", "to") if user_id is None else ("with",)
    table = _table(
        "Ledger" if user_id is None else f"Ledger of member {user_id}",
        *("when (UTC)", "kind", "bytes", *parties, "reason"),
        numbers=("when (UTC)", "bytes", *parties),
    )
    for row in rows:
        both, change = [row.giver_id, row.receiver_id], f"{row.amount:,}"
        if user_id is not None:
            received = row.receiver_id == user_id
            del both[received]
            change = f"{'+' if received else '-'}{change}"
        when = f"{row.created_at:%Y-%m-%d %H:%M}"
        table.add_row(when, row.kind, change, *both, _said(row.reason or ""))
    return table


def config(row: BytesConfig, stored: bool) -> Table:
    """A guild's settings.

    Args:
        row: The settings.
        stored: Whether the guild has any; if not, these are the defaults.
    """
    bonuses = ",".join(f"{days}={factor}" for days, factor in sorted(row.streak_bonuses.items()))
    rewards = ",".join(f"{role}={total}" for role, total in sorted(row.role_rewards.items()))
    return _pairs(
        f"Settings of guild {row.guild_id}{'' if stored else ': none stored, the defaults hold'}",
        ("starting balance", f"{row.starting_balance:,}"),
        ("daily amount", f"{row.daily_amount:,}"),
        ("streak bonuses", bonuses or "none"),
        ("max transfer", f"{row.max_transfer:,}"),
        ("transfer cooldown hours", f"{row.transfer_cooldown_hours:,}"),
        ("role rewards", rewards or "none"),
    )


def _pairs(title: str, *pairs: tuple[str, str]) -> Table:
    table = _table(title, "", "")
    table.show_header = False
    for name, value in pairs:
        table.add_row(name, value)
    return table


def squads(summaries: Sequence[SquadSummary]) -> Table:
    """The squads of a guild, with what is needed to address them."""
    table = _table(
        "Squads",
        *("squad", "members", "costs", "role", "id", "takes members"),
        numbers=("members", "costs", "role", "id"),
    )
    for summary in summaries:
        squad = summary.squad
        of = "" if squad.max_members is None else f" of {squad.max_members:,}"
        table.add_row(
            _said(squad.name),
            f"{summary.member_count:,}{of}",
            f"{squad.switch_cost:,}",
            squad.role_id,
            str(squad.id),
            "yes" if squad.is_active else "no",
        )
    return table


def refusals(counts: Mapping[str, int], examples: Mapping[str, str]) -> Table:
    """What was refused, by error class, most frequent first.

    Args:
        counts: How often, by error class.
        examples: One message of each.
    """
    table = _table(
        "Refused: nothing was changed by these", "times", "error", "for example", numbers=("times",)
    )
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(str(count), name, _said(examples[name]))
    return table


def report(found: LedgerReport) -> RenderableType:
    """What the check of balances against the ledger found."""
    checked = f"{found.members:,} balances against {found.transactions:,} ledger rows"
    if found.ok:
        return Text(f"Verified {checked}: all agree.", style="green")
    off = found.discrepancies
    table = _table(
        "Off: the balance row says one thing, the ledger another",
        *("guild", "member", "field", "ledger says", "row says"),
        numbers=("guild", "member", "ledger says", "row says"),
    )
    for line in off[:SHOWN_DISCREPANCIES]:
        table.add_row(
            line.guild_id, line.user_id, line.field, f"{line.expected:,}", f"{line.found:,}"
        )
    left = f" (the first {SHOWN_DISCREPANCIES} are shown)" if len(off) > SHOWN_DISCREPANCIES else ""
    number = f"{len(off):,} number{'' if len(off) == 1 else 's'} off{left}"
    return Group(table, Text(f"Verified {checked}: {number}.", style="bold red"))
