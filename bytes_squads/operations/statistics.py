"""Build a guild's statistics from the rows of `sql.guilds.GET_STATISTICS`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ..schemas import DayTotal, EconomyStatistics, KindTotal
from ..sql.queries import join_halves


def build_statistics(rows: Iterable[Mapping[str, Any]], dates: Sequence[date]) -> EconomyStatistics:
    """Return the statistics.

    Args:
        rows: The rows of `sql.guilds.GET_STATISTICS`.
        dates: The dates, by their number in the rows.
    """
    members: Counter[str] = Counter()  # by part
    balances: Counter[str] = Counter()
    counts: Counter[str] = Counter()  # by kind
    amounts: Counter[str] = Counter()
    active: Counter[int] = Counter()  # by number of the date
    flows: Counter[tuple[int, str]] = Counter()
    for row in rows:
        part, day, count = row["part"], row["day"], int(row["count"])
        total = join_halves(int(row["high"] or 0), int(row["low"] or 0))
        if part == "entries":
            counts[row["kind"]] += count
            amounts[row["kind"]] += total
            flows[day, "created"] += total if row["from_system"] else 0
            flows[day, "retired"] += total if row["to_system"] else 0
            flows[day, "transferred"] += total if row["kind"] == "transfer" else 0
        elif part == "active members":
            active[day] += count
        else:
            members[part] += count
            balances[part] += total
    days = [
        DayTotal(
            dates[day],
            flows[day, "created"],
            flows[day, "retired"],
            flows[day, "transferred"],
            active[day],
        )
        for day in sorted({day for day, _ in flows}, key=dates.__getitem__)
    ]
    here = balances["members"]
    return EconomyStatistics(
        members=members["members"],
        circulation=here + balances["members who left"],
        richest_tenth_share=balances["richest tenth"] / here if here else 0.0,
        created=sum(day.created for day in days),
        retired=sum(day.retired for day in days),
        transferred=sum(day.transferred for day in days),
        kinds={kind: KindTotal(count, amounts[kind]) for kind, count in sorted(counts.items())},
        days=days,
    )
