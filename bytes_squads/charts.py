"""Charts of a guild's `EconomyStatistics`, as SVG or PNG.

Not imported by the package: it needs matplotlib, which the extra ``charts`` installs. The charts
are drawn without a display and without matplotlib's global state, so any thread may draw them: use
`asyncio.to_thread`, which does not block the bot's event loop.
"""

from __future__ import annotations

import io
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from .schemas import EconomyStatistics

try:
    from matplotlib import font_manager, ft2font, ticker
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError(
        "bytes_squads.charts needs matplotlib: pip install 'bytes_squads[charts]'", name=error.name
    ) from error

__all__ = ["draw_circulation", "draw_economy", "draw_flows"]

ImageFormat = Literal["svg", "png"]

_MAX_BARS = 62
_MIN_WIDTH, _MAX_WIDTH = 300, 4000
_PIXELS_PER_INCH = 100
# Heights and margins in pixels; above the axes are the title and the legend.
_PANEL, _TITLE, _LEGEND, _BELOW, _LEFT, _RIGHT = 320, 34, 28, 46, 66, 16
_NO_LEGEND = 10
_lock = threading.Lock()  # fonts and their caches are shared by all figures


@dataclass(frozen=True, slots=True)
class _Colors:
    background: str
    text: str
    muted: str
    grid: str
    circulation: str
    created: str
    retired: str
    transferred: str


# Blue and orange differ for every kind of colour vision.
_LIGHT = _Colors(
    "#ffffff", "#1f2328", "#59636e", "#e1e4e8", "#2563eb", "#2563eb", "#c2410c", "#57606a"
)
_DARK = _Colors(
    "#151a21", "#e6edf3", "#9ba5b0", "#2b323b", "#6ea8fe", "#6ea8fe", "#fb923c", "#c3ccd5"
)

_Panel = Callable[[Axes, EconomyStatistics, str, _Colors], None]


def draw_circulation(
    statistics: EconomyStatistics,
    *,
    currency: str = "bytes",
    image_format: ImageFormat = "svg",
    dark: bool = False,
    title: bool = True,
    width: int = 800,
) -> bytes:
    """Draw the bytes in circulation at the end of each date.

    They are computed backwards from ``statistics.circulation``, which is the present one: the
    period of the statistics has to end now (no ``until``).

    Args:
        statistics: Of `bytes_squads.GuildOperations.get_statistics`.
        currency: What the guild calls its bytes, its ``currency_name``. Characters that
            matplotlib's font does not have, such as emoji, are left out.
        image_format: ``"svg"`` or ``"png"``.
        dark: Whether to draw it on a dark background.
        title: Whether it has a title.
        width: In pixels, 300 … 4000; the text keeps its size.

    Returns:
        The image.

    Raises:
        ValueError: The format is neither ``"svg"`` nor ``"png"``, or the width is out of range.
    """
    return _draw([_draw_circulation], statistics, currency, image_format, dark, title, width)


def draw_flows(
    statistics: EconomyStatistics,
    *,
    currency: str = "bytes",
    image_format: ImageFormat = "svg",
    dark: bool = False,
    title: bool = True,
    width: int = 800,
) -> bytes:
    """Draw the bytes created, retired and transferred by date; long periods by week or month.

    Parameters, result and errors are those of `draw_circulation`; any period is valid.
    """
    return _draw([_draw_flows], statistics, currency, image_format, dark, title, width)


def draw_economy(
    statistics: EconomyStatistics,
    *,
    currency: str = "bytes",
    image_format: ImageFormat = "svg",
    dark: bool = False,
    title: bool = True,
    width: int = 800,
) -> bytes:
    """Draw the circulation and, below it, the flows, in one image.

    Parameters, result, errors and the condition on the period are those of `draw_circulation`.
    """
    panels = [_draw_circulation, _draw_flows]
    return _draw(panels, statistics, currency, image_format, dark, title, width)


def _draw(
    panels: Sequence[_Panel],
    statistics: EconomyStatistics,
    currency: str,
    image_format: ImageFormat,
    dark: bool,
    title: bool,
    width: int,
) -> bytes:
    if image_format not in ("svg", "png"):
        raise ValueError(f"{image_format!r} is not a format of charts (svg, png)")
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        raise ValueError(f"{width!r} is not a width of charts ({_MIN_WIDTH} … {_MAX_WIDTH} pixels)")
    panel_height = _PANEL if title else _PANEL - _TITLE
    height = panel_height * len(panels)
    colors = _DARK if dark else _LIGHT
    with _lock:
        name = _drawable(currency) or "bytes"
        figure = Figure(
            figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH),
            dpi=_PIXELS_PER_INCH,
            facecolor=colors.background,
        )
        for number, panel in enumerate(reversed(panels)):  # from the bottom up
            above = _TITLE + _LEGEND
            if not title:
                above = _LEGEND if panel is _draw_flows else _NO_LEGEND
            left, bottom = _LEFT / width, (number * panel_height + _BELOW) / height
            right, top = 1 - _RIGHT / width, ((number + 1) * panel_height - above) / height
            axes = figure.add_axes((left, bottom, right - left, top - bottom))
            _style(axes, colors)
            panel(axes, statistics, name, colors)
            if not title:
                axes.set_title("", loc="left")
        image = io.BytesIO()
        figure.savefig(
            image,
            format=image_format,
            facecolor=colors.background,
            metadata={"Date": None} if image_format == "svg" else None,
        )
    return image.getvalue()


def _style(axes: Axes, colors: _Colors) -> None:
    axes.set_facecolor(colors.background)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(colors.grid)
    axes.grid(axis="y", color=colors.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=colors.muted, length=0, labelsize=9)
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(_format_amount))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=5, integer=True))
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    labels = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(labels)
    axes.xaxis.get_offset_text().set(color=colors.muted, fontsize=9)


def _set_title(axes: Axes, text: str, colors: _Colors) -> None:
    axes.set_title(
        text,
        loc="left",
        pad=22,  # points, above the legend
        color=colors.text,
        fontsize=12,
        fontweight="bold",
        parse_math=False,
    )


def _draw_circulation(
    axes: Axes, statistics: EconomyStatistics, currency: str, colors: _Colors
) -> None:
    _set_title(axes, f"{currency} in circulation", colors)
    days = statistics.days
    if not days:
        _say_empty(axes, colors)
        return
    total = statistics.circulation
    amounts = [total]  # from the last date back to the one before the first
    for day in reversed(days):
        total += day.retired - day.created
        amounts.append(total)
    dates = [_number(days[0].date - timedelta(days=1)), *(_number(day.date) for day in days)]
    heights = [float(amount) for amount in reversed(amounts)]
    axes.fill_between(dates, heights, step="post", color=colors.circulation, alpha=0.14, lw=0)
    axes.plot(dates, heights, drawstyle="steps-post", color=colors.circulation, linewidth=2)
    axes.plot(dates[-1:], heights[-1:], marker="o", markersize=5, color=colors.circulation)
    axes.set_ylim(bottom=0, top=max(*heights, 1) * 1.1)
    _set_dates(axes, dates, 0.5)


def _draw_flows(axes: Axes, statistics: EconomyStatistics, currency: str, colors: _Colors) -> None:
    period, sums = sum_by_period(statistics)
    _set_title(axes, f"{currency} created, retired and transferred by {period}", colors)
    if not sums:
        _say_empty(axes, colors)
        return
    dates = [_number(day) for day in sums]
    width = {"date": 0.8, "week": 5.6, "month": 24}[period]
    created, retired, transferred = (
        [float(amounts[part]) for amounts in sums.values()] for part in range(3)
    )
    losses = [-amount for amount in retired]
    for heights, color, label in (
        (created, colors.created, "created"),
        (losses, colors.retired, "retired"),
    ):
        bars = [
            [(x - width / 2, 0), (x - width / 2, y), (x + width / 2, y), (x + width / 2, 0)]
            for x, y in zip(dates, heights, strict=True)
        ]  # one collection: ten times as fast as a patch for each
        axes.add_collection(PolyCollection(bars, facecolors=color, label=label))
    axes.plot(
        dates,
        transferred,
        color=colors.transferred,
        linestyle="none",
        marker="o",
        markersize=6,
        markeredgecolor=colors.background,  # seen on a bar as well
        label="transferred",
    )
    axes.axhline(0, color=colors.muted, linewidth=0.8)
    highest, lowest = max(*created, *transferred, 1), min(*losses, 0)
    margin = (highest - lowest) * 0.06
    axes.set_ylim(lowest - margin if lowest else 0, highest + margin)
    _set_dates(axes, dates, width)
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.3,
        borderpad=0,
        columnspacing=1.2,
        fontsize=9,
        frameon=False,
        handlelength=1,
        ncols=3,
    )
    for text in legend.get_texts():
        text.set_color(colors.text)


def sum_by_period(
    statistics: EconomyStatistics,
) -> tuple[Literal["date", "week", "month"], dict[date, list[int]]]:
    """Return created, retired and transferred by the shortest period with few enough bars."""
    days = statistics.days
    length = (days[-1].date - days[0].date).days + 1 if days else 0
    period: Literal["date", "week", "month"] = "month"
    if length <= _MAX_BARS:
        period = "date"
    elif length <= 7 * _MAX_BARS:
        period = "week"
    sums: dict[date, list[int]] = {}
    for day in days:
        first = day.date
        if period == "week":
            first -= timedelta(days=first.weekday())
        elif period == "month":
            first = first.replace(day=1)
        amounts = sums.setdefault(first, [0, 0, 0])
        for part, amount in enumerate((day.created, day.retired, day.transferred)):
            amounts[part] += amount
    return period, sums


def _say_empty(axes: Axes, colors: _Colors) -> None:
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    axes.text(
        0.5,
        0.5,
        "Nothing in this period",
        color=colors.muted,
        ha="center",
        transform=axes.transAxes,
    )


def _set_dates(axes: Axes, dates: Sequence[float], margin: float) -> None:
    # At least a week, or the axis would show hours.
    axes.set_xlim(dates[0] - margin, max(dates[-1] + margin, dates[0] + 7))


def _number(day: date) -> float:
    return float(date2num(day))  # type: ignore[no-untyped-call]


def _format_amount(value: float, _: object) -> str:
    """Return an amount for an axis: ``950``, ``12.5k``, ``3M``; retired bytes without a minus."""
    size = abs(value)
    for limit, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit:
            return f"{size / limit:.4g}{unit}"
    return f"{size:.4g}"


def _drawable(text: str) -> str:
    """Return the text without what the font does not have and without control characters."""
    font = ft2font.FT2Font(font_manager.findfont(font_manager.FontProperties()))
    glyphs = font.get_charmap()
    kept = (
        character
        for character in text
        if ord(character) in glyphs and unicodedata.category(character)[0] != "C"
    )
    return "".join(kept).strip()
