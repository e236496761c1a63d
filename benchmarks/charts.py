"""Charts as SVG, on a ground of their own: legible wherever they are shown, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .results import Ratio, Results
from .tables import number

_WIDTH = 760
_LEFT = 330
_RIGHT = 90
_TOP = 64
_STEP = 26
_BOTTOM = 46

_LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#7d6608", "#57606a")
_DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#f778ba", "#d4a72c", "#9198a1")


def _colors(colors: Sequence[str]) -> str:
    return " ".join(
        f".c{number} .dot {{ fill: {color} }} .c{number} .line {{ stroke: {color} }}"
        for number, color in enumerate(colors)
    )


_STYLE = f"""
  .ground {{ fill: #ffffff }} .grid {{ stroke: #d8dee4 }} .even {{ stroke: #57606a }}
  text {{ fill: #24292f; font: 13px system-ui, sans-serif }} .small {{ fill: #57606a }}
  .title {{ font-weight: 600; font-size: 15px }} .small {{ font-size: 12px }}
  .end {{ text-anchor: end }} .mid {{ text-anchor: middle }}
  .line {{ fill: none; stroke-width: 2 }} .even {{ stroke-width: 1.5 }}
  {_colors(_LIGHT)}
  @media (prefers-color-scheme: dark) {{
    .ground {{ fill: #0d1117 }} .grid {{ stroke: #30363d }} .even {{ stroke: #8b949e }}
    text {{ fill: #e6edf3 }} .small {{ fill: #9198a1 }}
    {_colors(_DARK)}
  }}
"""


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis from 10 to the power of `low` to that of `high`, between two pixels."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value is."""
        share = (log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def marks(self) -> list[float]:
        """The values 1, 2 and 5 times powers of ten that are on it."""
        powers = range(floor(self.low), ceil(self.high) + 1)
        values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        around = 1e-9
        return [v for v in values if self.low - around <= log10(v) <= self.high + around]


def _axis(values: Sequence[float], begin: float, end: float) -> _Axis:
    """An axis on which all values and 1 have room."""
    least, most = min(*values, 1.0), max(*values, 1.0)
    return _Axis(log10(least) - 0.08, log10(most) + 0.08, begin, end)


def _svg(title: str, subtitle: str, height: float, body: list[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            '<rect class="ground" width="100%" height="100%" rx="6"/>',
            f'<text class="title" x="16" y="26">{escape(title)}</text>',
            f'<text class="small" x="16" y="45">{escape(subtitle)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def ratios(title: str, subtitle: str, groups: dict[str, dict[str, Ratio]]) -> str:
    """Ratios as dots with their range, on an axis where 1 is marked.

    Args:
        title: Above it.
        subtitle: Below the title.
        groups: By group and name.
    """
    everything = [ratio for group in groups.values() for ratio in group.values()]
    ends = [end for ratio in everything for end in (ratio.least, ratio.most)]
    axis = _axis(ends, _LEFT, _WIDTH - _RIGHT)
    rows: list[str] = []
    y = float(_TOP)
    for color, (group, members) in enumerate(groups.items()):
        y += _STEP
        rows.append(f'<text class="small" x="16" y="{y:.0f}">{escape(group)}</text>')
        for name, ratio in members.items():
            y += _STEP - 4
            low, mid, high = (axis.at(v) for v in (ratio.least, ratio.median, ratio.most))
            rows += [
                f'<g class="c{color % len(_LIGHT)}">',
                f'<text class="end" x="{_LEFT - 14}" y="{y:.0f}">{escape(name)}</text>',
                f'<path class="line" d="M{low:.1f} {y - 4:.1f}H{high:.1f}"/>',
                f'<circle class="dot" cx="{mid:.1f}" cy="{y - 4:.1f}" r="5"/>',
                f'<text x="{_WIDTH - _RIGHT + 16}" y="{y:.0f}">{number(ratio.median)}</text>',
                "</g>",
            ]
    bottom = y + 14
    grid = []
    for mark in axis.marks():
        x = axis.at(mark)
        kind = "even" if mark == 1 else "grid"
        grid += [
            f'<path class="{kind}" d="M{x:.1f} {_TOP}V{bottom:.0f}"/>',
            f'<text class="small mid" x="{x:.1f}" y="{bottom + 18:.0f}">{mark:g}</text>',
        ]
    return _svg(title, subtitle, bottom + _BOTTOM - 14, grid + rows)


def lines(
    title: str, subtitle: str, places: Sequence[str], series: Mapping[str, Sequence[float]]
) -> str:
    """Lines over places that are equally far apart, on an axis where 1 is marked.

    Args:
        title: Above it.
        subtitle: Below the title.
        places: Names, from left to right.
        series: A value for each place, by name.
    """
    height, left = 300.0, 60.0
    axis = _axis([v for values in series.values() for v in values], _TOP + height, _TOP + 10.0)
    step = (_WIDTH - left - _RIGHT) / max(len(places) - 1, 1)
    body = []
    for mark in axis.marks():
        y = axis.at(mark)
        kind = "even" if mark == 1 else "grid"
        body += [
            f'<path class="{kind}" d="M{left:.0f} {y:.1f}H{_WIDTH - 30}"/>',
            f'<text class="small end" x="{left - 8:.0f}" y="{y + 4:.1f}">{mark:g}</text>',
        ]
    for number_of, place in enumerate(places):
        x, y = left + 10 + number_of * step, _TOP + height + 22
        body.append(f'<text class="small mid" x="{x:.1f}" y="{y:.0f}">{escape(place)}</text>')
    legend = _TOP + height + 52
    for color, (name, values) in enumerate(series.items()):
        points = [(left + 10 + n * step, axis.at(value)) for n, value in enumerate(values)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        y = legend + (color // 2) * 22
        x = 24 + (color % 2) * _WIDTH / 2
        body += [
            f'<g class="c{color % len(_LIGHT)}"><path class="line" d="M{path}"/>',
            *(f'<circle class="dot" cx="{px:.1f}" cy="{py:.1f}" r="4"/>' for px, py in points),
            f'<circle class="dot" cx="{x:.0f}" cy="{y - 4:.0f}" r="5"/>',
            f'<text x="{x + 14:.0f}" y="{y:.0f}">{escape(name)}</text></g>',
        ]
    return _svg(title, subtitle, legend + (len(series) + 1) // 2 * 22, body)


def draw(results: Results) -> dict[str, str]:
    """The charts that the run has figures for, by file name."""
    charts = {}
    for name, title, keys in (
        ("transfers", "Transfers on PostgreSQL", _keys(results, "transfer-")),
        ("operations", "Other operations, one client", _others(results)),
    ):
        groups = {
            results.contests[key].title: {
                peer: ratio
                for peer in results.peers(key)
                if (ratio := results.ratio(key, peer)) is not None
            }
            for key in keys
        }
        if groups:
            subtitle = "ours : theirs; right of 1 we are faster. Median and range of the rounds."
            charts[f"{name}.svg"] = ratios(title, subtitle, groups)
    sizes, keys = results.sizes(), _keys(results, "growth-")
    if keys:
        series = {
            results.contests[key].title: [
                ratio.median for size in sizes if (ratio := results.growth(key, size)) is not None
            ]
            for key in keys
        }
        subtitle = f"cost of one operation; 1 is its cost with {sizes[0]}"
        charts["growth.svg"] = lines("Growing guilds", subtitle, sizes, series)
    return charts


def _keys(results: Results, beginning: str) -> list[str]:
    return [key for key in results.contests if key.startswith(beginning)]


def _others(results: Results) -> list[str]:
    return [key for key in results.contests if not key.startswith(("transfer-", "growth-"))]
