"""`bytes_squads.charts`: what the images show, and that the package does not import it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from helpers.paths import ROOT

from bytes_squads import EconomyStatistics
from bytes_squads.schemas import DayTotal, KindTotal

pytest.importorskip("matplotlib")

from bytes_squads import charts  # after the check for matplotlib

START = date(2026, 3, 2)
DRAW = [charts.draw_circulation, charts.draw_flows, charts.draw_economy]
PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '$x_{2}$ <script>alert(1)</script> & "\u202e\x1b[31m 🎲'


def make_statistics(length: int, *, scale: int = 1, circulation: int = 500) -> EconomyStatistics:
    """Return the statistics of some days: each creates 5, retires 2 and transfers 3."""
    days = [
        DayTotal(START + timedelta(days=number), 5 * scale, 2 * scale, 3 * scale, 1)
        for number in range(length)
    ]
    totals = [5 * scale * length, 2 * scale * length, 3 * scale * length]
    kinds = {"transfer": KindTotal(length, totals[2])}
    return EconomyStatistics(3, circulation, 0.5, *totals, kinds=kinds, days=days)


def texts(image: bytes) -> str:
    """Return the texts of an SVG, which matplotlib writes as comments beside the shapes."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", image.decode()))


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a new process."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("length", [0, 1, 30, 300, 1500])
@pytest.mark.parametrize("dark", [False, True])
def test_draw_returns_an_image_for_any_period(draw: object, length: int, dark: bool) -> None:
    """SVG is well-formed; PNG is a PNG; no warning, whatever the number of days."""
    statistics = make_statistics(length)

    svg = draw(statistics, dark=dark)  # type: ignore[operator]
    png = draw(statistics, dark=dark, image_format="png", width=300)  # type: ignore[operator]

    assert ET.fromstring(svg).tag == f"{SVG}svg"
    assert png.startswith(PNG)
    assert ("Nothing in this period" in texts(svg)) == (length == 0)


def test_draw_circulation_counts_back_from_now() -> None:
    """The line ends at the circulation of now, and began lower by what came since."""
    figures: list[list[float]] = []
    plot = charts.Axes.plot

    def spy(axes: charts.Axes, x: list[float], y: list[float], **options: object) -> object:
        figures.append(y)
        return plot(axes, x, y, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts.Axes, "plot", spy)
        charts.draw_circulation(make_statistics(3, circulation=500))

    assert figures == [[491.0, 494.0, 497.0, 500.0], [500.0]]


@pytest.mark.parametrize(
    ("length", "period", "count"), [(62, "date", 62), (63, "week", 9), (1500, "month", 50)]
)
def test_draw_flows_adds_up_long_periods(length: int, period: str, count: int) -> None:
    """Bars are few enough to see, and nothing is lost in them."""
    statistics = make_statistics(length)
    found, sums = charts.sum_by_period(statistics)

    assert (found, len(sums)) == (period, count)
    assert sum(amounts[0] for amounts in sums.values()) == statistics.created
    assert f"transferred by {period}" in texts(charts.draw_flows(statistics))


def test_draw_titles_name_the_currency() -> None:
    """A hostile name is text: neither markup nor a formula, without what the font lacks."""
    image = charts.draw_economy(make_statistics(3), currency=HOSTILE)

    assert ET.fromstring(image).findall(f".//{SVG}script") == []
    assert '$x_{2}$ &lt;script&gt;alert(1)&lt;/script&gt; &amp; "[31m in circulation' in texts(
        image
    )


@pytest.mark.parametrize("currency", ["🎲", "", "\u202e"])
def test_draw_titles_fall_back_to_bytes(currency: str) -> None:
    """A name of which nothing can be drawn is replaced."""
    assert "bytes in circulation" in texts(
        charts.draw_circulation(make_statistics(3), currency=currency)
    )


def test_draw_leaves_the_title_out() -> None:
    """A page that has its own heading needs none."""
    assert "circulation" not in texts(charts.draw_circulation(make_statistics(3), title=False))


def test_draw_shows_sums_beyond_64_bits() -> None:
    """Sums of many members may pass 2⁶³."""
    image = charts.draw_economy(make_statistics(3, scale=2**64, circulation=2**70))

    assert re.search(r"\d+E", texts(image))


def test_draw_themes_differ_and_images_repeat() -> None:
    """The same statistics give the same PNG, light and dark different ones."""
    light, again, dark = (
        charts.draw_economy(make_statistics(9), image_format="png", dark=dark)
        for dark in (False, False, True)
    )

    assert light == again != dark


@pytest.mark.parametrize("options", [{"image_format": "pdf"}, {"width": 299}, {"width": 4001}])
def test_draw_refuses_other_formats_and_sizes(options: dict[str, object]) -> None:
    """The error names what was given."""
    (value,) = options.values()
    with pytest.raises(ValueError, match=str(value)):
        charts.draw_flows(make_statistics(1), **options)  # type: ignore[arg-type]


def test_charts_without_matplotlib_names_the_extra() -> None:
    """An ImportError that says what to install."""
    result = run("import sys; sys.modules.update(matplotlib=None); import bytes_squads.charts")

    assert "bytes_squads.charts needs matplotlib: pip install 'bytes_squads[charts]'" in (
        result.stderr
    )


def test_package_does_not_import_charts() -> None:
    """A bot's start does not pay for matplotlib; nor do charts for pyplot, which has a state."""
    program = "import sys, bytes_squads{}; print('matplotlib{}' in sys.modules)"

    assert run(program.format("", "")).stdout == "False\n"
    assert run(program.format(".charts", ".pyplot")).stdout == "False\n"
