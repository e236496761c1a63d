"""Draw the charts on the page docs/reference/charts.md: ``python docs/draw_charts.py``."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

from bytes_squads import EconomyStatistics
from bytes_squads.charts import draw_economy
from bytes_squads.schemas import DayTotal

IMAGES = Path(__file__).parent / "images" / "charts"
DAYS = 150


def main() -> None:
    """Draw five months of a guild that grows."""
    chance = random.Random(7)
    days = [
        DayTotal(
            date(2026, 3, 2) + timedelta(days=number),
            created=chance.randrange(300, 700 + 4 * number),
            retired=chance.randrange(100, 300 + 4 * number),
            transferred=chance.randrange(200, 600 + 5 * number),
            active_members=chance.randrange(20, 60),
        )
        for number in range(DAYS)
    ]
    created, retired = sum(day.created for day in days), sum(day.retired for day in days)
    statistics = EconomyStatistics(
        members=180,
        circulation=20_000 + created - retired,
        richest_tenth_share=0.4,
        created=created,
        retired=retired,
        transferred=sum(day.transferred for day in days),
        kinds={},
        days=days,
    )
    for theme in ("light", "dark"):
        image = draw_economy(statistics, currency="coins", dark=theme == "dark")
        (IMAGES / f"economy-{theme}.svg").write_bytes(image)


if __name__ == "__main__":
    main()
