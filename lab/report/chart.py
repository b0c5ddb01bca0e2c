"""Charts as SVG for documents: lines or bars, linear or logarithmic, with error bars and limits.

A file needs nothing else, is dark where the reader's screen is, and says in words what it shows.
Series differ in colour and in the shape of their points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tinysim.lab.report.axis import Axis

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 44, 64
_LEGEND_LINE = 18
#: Colours that can be told apart without seeing red or green, on light and on dark ground.
_LIGHT = ("#0060c7", "#b34700", "#00796b", "#8a2be2", "#a0006b", "#5c5c00")
_DARK = ("#5aa9ff", "#ff9b57", "#3fd0bd", "#c79bff", "#ff7fc8", "#d6d65c")


@dataclass(frozen=True)
class Point:
    """A value at ``x``: a number, or a word in charts of bars. ``low`` to ``high`` is its band."""

    x: float | str
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points of one name, in order."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Limit:
    """A horizontal line with its name, as the flash of a board."""

    name: str
    y: float


@dataclass(frozen=True)
class Chart:
    """What to draw. ``description`` is for those who cannot see it.

    All ``x`` are words, and there are bars; or all are numbers, and there are lines.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    limits: tuple[Limit, ...] = ()
    is_log_x: bool = False
    is_log_y: bool = False


def svg(chart: Chart) -> str:
    """Draw a chart.

    Raises
    ------
    ValueError
        If there is nothing to draw, words and numbers are mixed, or a logarithm has nothing to
        be of.
    """
    points = [point for series in chart.series for point in series.points]
    words = [isinstance(point.x, str) for point in points]
    if not points or any(words) != all(words):
        raise ValueError("a chart wants points, and either words or numbers for x")
    numbers = [point.x for point in points if not isinstance(point.x, str)]
    y = Axis.over(_heights(chart, points), chart.is_log_y, _HEIGHT - _BOTTOM, _TOP, all(words))
    if numbers:
        x = Axis.over(numbers, chart.is_log_x, _LEFT, _WIDTH - _RIGHT, False)
        marks = [*_x_ticks(x), *_lines(chart, x, y)]
    else:
        places = list(dict.fromkeys(str(point.x) for point in points))
        marks = [*_bars(chart, places, y), *_x_words(places)]
    height = _HEIGHT + _LEGEND_LINE * (len(chart.series) if chart.series[1:] else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">',
        f'<title id="title">{escape(chart.title)}</title>',
        f'<desc id="desc">{escape(chart.description)}</desc>',
        f"<style>{_style()}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        _text(_LEFT, 24, chart.title, weight="bold"),
        *_y_ticks(y),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, chart.x_label, "middle"),
        f'<g transform="rotate(-90 18 {_HEIGHT / 2})">'
        f"{_text(18, _HEIGHT / 2, chart.y_label, 'middle')}</g>",
        *marks,
        *_limits(chart, y),
        *_legend(chart),
    ]
    return "\n".join(parts) + "\n</svg>\n"


def _heights(chart: Chart, points: Sequence[Point]) -> list[float]:
    """Return all heights that must be on the chart."""
    bands = [end for point in points for end in (point.low, point.high) if end is not None]
    return [*(point.y for point in points), *bands, *(limit.y for limit in chart.limits)]


def _lines(chart: Chart, x: Axis, y: Axis) -> Iterator[str]:
    for i, series in enumerate(chart.series):
        spots = [(x.at(float(point.x)), point) for point in series.points]
        path = " ".join(f"{left},{y.at(point.y)}" for left, point in spots)
        yield f'<polyline class="line s{i % len(_LIGHT)}" points="{path}"/>'
        for left, point in spots:
            yield from _band(left, point, y, i)
            yield _mark(left, y.at(point.y), i, f"{series.name}: {point.x:g}, {point.y:g}")


def _bars(chart: Chart, places: Sequence[str], y: Axis) -> Iterator[str]:
    slot = (_WIDTH - _RIGHT - _LEFT) / len(places)
    width = 0.7 * slot / len(chart.series)
    base = y.at(y.low if y.is_log else max(y.low, 0.0))
    for i, series in enumerate(chart.series):
        for point in series.points:
            left = _LEFT + slot * (places.index(str(point.x)) + 0.15) + width * i
            top = y.at(point.y)
            yield (
                f'<rect class="bar s{i % len(_LIGHT)}" x="{left:.1f}" y="{min(top, base)}" '
                f'width="{width:.1f}" height="{abs(base - top):.1f}">'
                f"<title>{escape(f'{series.name}: {point.x}, {point.y:g}')}</title></rect>"
            )
            yield from _band(round(left + width / 2, 1), point, y, i)


def _band(left: float, point: Point, y: Axis, i: int) -> Iterator[str]:
    if point.low is not None and point.high is not None and point.low < point.high:
        top, bottom = y.at(point.high), y.at(point.low)
        path = f"M{left} {top}V{bottom}M{left - 4} {top}h8M{left - 4} {bottom}h8"
        yield f'<path class="band" d="{path}"/>'


def _mark(left: float, top: float, i: int, said: str) -> str:
    """Return a point in the shape of its series."""
    shapes = (
        f"M{left - 4} {top}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        f"M{left - 4} {top - 4}h8v8h-8z",
        f"M{left} {top - 5}l5 9h-10z",
        f"M{left} {top - 5}l5 5l-5 5l-5 -5z",
    )
    path = f'<path class="mark s{i % len(_LIGHT)}" d="{shapes[i % len(shapes)]}">'
    return f"{path}<title>{escape(said)}</title></path>"


def _x_ticks(x: Axis) -> Iterator[str]:
    for value in x.ticks():
        left = x.at(value)
        yield f'<path class="grid" d="M{left} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        yield _text(left, _HEIGHT - _BOTTOM + 18, _number(value), "middle")


def _x_words(places: Sequence[str]) -> Iterator[str]:
    slot = (_WIDTH - _RIGHT - _LEFT) / len(places)
    for i, word in enumerate(places):
        shown = word if len(word) * 7 < slot else word[: max(1, int(slot / 7) - 1)] + "…"
        yield _text(_LEFT + slot * (i + 0.5), _HEIGHT - _BOTTOM + 18, shown, "middle")


def _y_ticks(y: Axis) -> Iterator[str]:
    for value in y.ticks():
        top = y.at(value)
        yield f'<path class="grid" d="M{_LEFT} {top}H{_WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 8, top + 4, _number(value), "end")


def _limits(chart: Chart, y: Axis) -> Iterator[str]:
    places = ((_WIDTH - _RIGHT - 4, "end"), (_LEFT + 4, "start"))  # two may lie close together
    for i, limit in enumerate(chart.limits):
        top = y.at(limit.y)
        left, anchor = places[i % 2]
        yield f'<path class="limit" d="M{_LEFT} {top}H{_WIDTH - _RIGHT}"/>'
        yield _text(left, top - 5, limit.name, anchor)


def _legend(chart: Chart) -> Iterator[str]:
    for i, series in enumerate(chart.series if chart.series[1:] else ()):
        top = _HEIGHT + _LEGEND_LINE * i
        yield _mark(_LEFT, top, i, series.name)
        yield _text(_LEFT + 12, top + 4, series.name)


def _text(left: float, top: float, text: str, anchor: str = "start", weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return f'<text x="{left:g}" y="{top:g}" text-anchor="{anchor}"{bold}>{escape(text)}</text>'


def _number(value: float) -> str:
    """Write a tick: 250, 10k, 2M, 0.01."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:.6g}"


def _style() -> str:
    def colours(ink: str, ground: str, grid: str, series: Sequence[str]) -> str:
        lines = [f"text{{fill:{ink}}}.ground{{fill:{ground}}}.grid{{stroke:{grid}}}"]
        lines += [f".band{{stroke:{ink}}}.limit{{stroke:{ink}}}"]
        lines += [f".s{i}{{--c:{colour}}}" for i, colour in enumerate(series)]
        return "".join(lines)

    dark = colours("#e6edf3", "#0d1117", "#30363d", _DARK)
    return (
        ".line{fill:none;stroke:var(--c);stroke-width:2}.mark,.bar{fill:var(--c)}"
        ".band,.grid,.limit{fill:none}.limit{stroke-dasharray:6 4;stroke-width:1.5}"
        f"{colours('#1f2328', '#ffffff', '#d0d7de', _LIGHT)}"
        f"@media(prefers-color-scheme:dark){{{dark}}}"
    )
