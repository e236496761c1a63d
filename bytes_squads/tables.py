"""Tables for the terminal. In a pipe they are plain text, as rich does it by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from . import SYSTEM_ID, BytesTransaction, LedgerReport, SquadStanding

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
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        number = column in numbers
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
    return table


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
            escape(leader.name),
            f"{leader.balance:,}",
            f"{leader.streak} d",
            ", ".join(leader.roles),
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
            escape(standing.squad.name),
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
            "" if other_id == SYSTEM_ID else escape(other),
            escape(row.reason or ""),
        )
        balance -= change
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
        table.add_row(str(count), name, escape(examples[name]))
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
