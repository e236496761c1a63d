"""Tables are readable on terminals of 60, 80 and 120 columns."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime

import pytest
from helpers import ALICE, BOB, GUILD

from bytes_squads import (
    BytesBalance,
    BytesConfig,
    BytesTransaction,
    EconomyStatistics,
    LeaderboardEntry,
    LedgerReport,
    Squad,
    SquadStanding,
)

pytest.importorskip("rich")

from rich.console import Console, RenderableType

from bytes_squads.cli import tables
from bytes_squads.cli.currency import Currency
from bytes_squads.operations.read_only import GuildSummary
from bytes_squads.schemas import DayTotal, KindTotal, LedgerDiscrepancy, SquadSummary

WIDTHS = (60, 80, 120)
REASON = "explained another stack trace during Friday night"
NAMES = ("Night Owls", "The Early Birds of Tuesday", "Bug Hunters")


def render(table: RenderableType, width: int) -> str:
    """Render a table on a terminal of this width; no line may be longer, nothing is cut off."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    return text


def entry(kind: str, amount: int, reason: str | None) -> BytesTransaction:
    """Make a ledger entry from Alice to Bob."""
    return BytesTransaction(
        guild_id=GUILD,
        giver_id=ALICE,
        giver_username="alice",
        receiver_id=BOB,
        receiver_username="bob",
        amount=amount,
        reason=reason,
        kind=kind,
        created_at=datetime(2026, 3, 2, 12, 30, tzinfo=UTC),
    )


ENTRIES = [entry("transfer", 9_999, REASON), entry("starting", 100, None)]


@pytest.mark.parametrize("width", WIDTHS)
def test_squads_shows_whole_names_at_every_width(width: int) -> None:
    """Ids are shown where they fit: the role from 80 columns on, the squad's at 120."""
    squads = [
        Squad(guild_id=GUILD, role_id=f"92000000000000000{number}", name=name, max_members=1_000)
        for number, name in enumerate(NAMES)
    ]
    text = render(tables.squads([SquadSummary(squad, 120) for squad in squads]), width)
    for squad in squads:
        (line,) = [line for line in text.splitlines() if squad.name in line]
        assert "120 of 1,000" in line
        assert (squad.role_id in line, str(squad.id) in line) == (width >= 80, width == 120)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("user", [None, ALICE])
def test_history_breaks_no_word_at_any_width(width: int, user: str | None) -> None:
    """Kind and amount are on the entry's first line; a reason is only wrapped between words."""
    text = render(tables.ledger(ENTRIES, user), width)
    sign = "" if user is None else "-"
    assert re.search(rf"2026-03-02 12:30 +transfer +{sign}9,999 ", text)
    assert re.search(rf"2026-03-02 12:30 +starting +{sign}100 ", text)
    assert set(REASON.split()) <= set(text.split())
    assert (BOB in text, "bob" in text) == (width == 120, width < 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_history_of_the_demo_breaks_no_word_at_any_width(width: int) -> None:
    """With the balance after each entry."""
    text = render(tables.history("alice", ALICE, ENTRIES, 12_345), width)
    assert re.search(r"02 Mar 12:30 +transfer +-9,999 +12,345 +bob", text)
    assert re.search(r"02 Mar 12:30 +starting +-100 +22,344 ", text)
    assert set(REASON.split()) <= set(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_verify_shows_ids_and_numbers_whole_at_every_width(width: int) -> None:
    """Ids and numbers are not truncated at any width."""
    found = LedgerDiscrepancy(GUILD, ALICE, "total_received", 1_234_567, 1_234_568)
    text = render(tables.ledger_report(LedgerReport(1, 1, (found,))), width)
    for part in (GUILD, ALICE, "total_received", "1,234,567", "1,234,568", "1 discrepancy"):
        assert part in text


@pytest.mark.parametrize("width", WIDTHS)
def test_config_breaks_no_number_at_any_width(width: int) -> None:
    """Bonuses and rewards are wrapped between their pairs."""
    rewards = {f"91000000000000000{number}": 100 * number for number in range(1, 5)}
    config = BytesConfig(guild_id=GUILD, role_rewards=rewards)
    words = render(tables.config(config, stored=True), width).replace(",", "").split()
    assert {f"{role}={total}" for role, total in rewards.items()} <= set(words)


@pytest.mark.parametrize("width", WIDTHS)
def test_leaderboards_show_names_and_numbers_whole_at_every_width(width: int) -> None:
    """Of members, by name and by id, and of squads."""
    squad = Squad(guild_id=GUILD, role_id="92", name=NAMES[1], switch_cost=25, max_members=1_000)
    leader = tables.Leader(1, "katarina", 12_345_678, 365, ("Pillar", "Regular"))
    shown = {
        tables.leaderboard([leader]): ("katarina", "12,345,678", "365 d"),
        tables.leaderboard_page([LeaderboardEntry(1, ALICE, 12_345_678)]): (ALICE, "12,345,678"),
        tables.standings([SquadStanding(1, squad, 120, 12_345_678)]): (
            "120 of 1000",
            "12,345,678",
            "25",
        ),
    }
    for table, parts in shown.items():
        text = render(table, width)
        assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_guilds_and_statistics_show_numbers_whole_at_every_width(width: int) -> None:
    """In the guild's currency."""
    summary = GuildSummary(GUILD, 1_234, 12_345_678, datetime(2026, 3, 2, 12, 30, tzinfo=UTC))
    text = render(tables.guilds([summary]), width)
    assert re.search(rf"{GUILD} +1,234 +12,345,678 +2026-03-02", text)
    assert ("12:30" in text) == (width >= 80)

    sums = 12_345_678, 2_345_678, 34_567_890
    days = [DayTotal(date(2026, 3, day), *sums, 1_234) for day in range(1, 32)]
    found = EconomyStatistics(
        1_234, 12_345_678, 0.423, *sums, {"transfer": KindTotal(9_999, 12_345_678)}, [*days, *days]
    )
    text = render(tables.statistics(found, Currency("shiny gems", "💎")), width)
    assert "12,345,678 shiny gems 💎" in text
    assert "42%" in text
    assert "the last 31" in text
    assert re.search(r"transfer +9,999 +12,345,678", text)
    assert re.search(r"2026-03-31 +12,345,678 +2,345,678 +34,567,890 +1,234", text)


@pytest.mark.parametrize("width", WIDTHS)
def test_balance_and_refusals_break_no_word_at_any_width(width: int) -> None:
    """An example of a refusal is wrapped between words, next to the error's whole name."""
    row = BytesBalance(guild_id=GUILD, user_id=ALICE, balance=12_345_678, streak_count=3)
    example = "the daily reward of 2026-03-02 has been claimed"
    refusals = render(
        tables.refusals({"DailyAlreadyClaimedError": 37}, {"DailyAlreadyClaimedError": example}),
        width,
    )

    assert "12,345,678 bytes" in render(tables.member_summary(row, 1_234), width)
    assert re.search("37 +DailyAlreadyClaimedError +the daily", refusals)
    assert set(example.split()) <= set(refusals.split())


def test_long_word_is_folded_and_not_cut_off() -> None:
    """A reason without spaces is still shown whole."""
    text = render(tables.ledger([entry("grant", 1, "x" * 90)], None), 60)
    assert text.count("x") == 90
