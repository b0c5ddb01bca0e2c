"""The charts of a recipe: accuracy of all stages, and what they take of each board.

A recipe without ``each`` has bars, one a stage. One with it has lines: over the parameters that
remain if it prunes to several shares, else over the first numbers that it goes through.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tinysim.boards import load_board
from tinysim.lab.measure import OnBoard, Row
from tinysim.lab.report.chart import Chart, Limit, Point, Series, svg
from tinysim.lab.report.table import Spread, boards_of, by_stage, on_board

#: What is drawn of boards: name -> axis, value, and the kind of memory that limits it.
_COSTS: dict[str, tuple[str, Callable[[OnBoard], float | None], str]] = {
    "flash": ("flash [B]", lambda one: one.flash_bytes, "flash"),
    "ram": ("RAM [B]", lambda one: one.ram_bytes, "ram"),
    "latency": ("latency [s]", lambda one: one.typical_s, ""),
    "energy": ("energy [J]", lambda one: one.typical_j, ""),
}
#: The value of ``each`` that pruning falls short of, or beyond: what remains is drawn instead.
_REMAINING = "remaining"


@dataclass(frozen=True)
class _Place:
    """The repeats of a stage, and where they are drawn."""

    rows: Sequence[Row]
    series: str
    x: float | str


def charts(rows: Sequence[Row], boards: Sequence[str]) -> dict[str, str]:
    """Return name of a file -> SVG; points are means, their bands one deviation each way.

    ``boards`` are the recipe's: names, or paths of board files.
    """
    axis, places = _placed(rows)
    drawn = {}
    if rows[0].accuracy is not None:
        drawn["accuracy.svg"] = _chart("accuracy [%]", axis, _series(places, _accuracy))
        if lost := _series(places, _changed_by_conversion(rows)):
            drawn["quantization.svg"] = _chart("change by quantization [points]", axis, lost)
    stored = _series(places, _mean(lambda row: row.tflite_bytes))
    drawn["size.svg"] = _chart("size of the .tflite [B]", axis, stored, is_cost=True)
    for name, (label, value, kind) in _COSTS.items():
        series = _of_boards(places, boards_of(rows), value)
        if series:
            limits = _limits(boards, kind) if kind else []
            drawn[f"{name}.svg"] = _chart(label, axis, series, limits, is_cost=True)
    return {file: svg(chart) for file, chart in drawn.items()}


#: What is drawn of the repeats of a stage.
_Drawn = Callable[[Sequence[Row]], Spread | None]


def _placed(rows: Sequence[Row]) -> tuple[str, list[_Place]]:
    """Return the axis, and all stages by their places on it; it has no name if there are bars."""
    stages = [*by_stage(rows).values()]
    keys = [key for repeats in stages for key in _numbers(repeats[0].values)]
    if not keys:
        return "", [_Place(repeats, "", repeats[0].stage) for repeats in stages]
    axis = _REMAINING if _REMAINING in keys else keys[0]
    places = []
    for repeats in stages:
        first = repeats[0]
        if axis in first.values:
            others = [value for key, value in first.values.items() if key != axis]
            x = (
                _remaining_percent(repeats, rows)
                if axis == _REMAINING
                else float(first.values[axis])
            )
            places.append(_Place(repeats, " ".join((first.group, *others)), x))
    places.sort(key=lambda place: place.x)
    return "parameters that remain [%]" if axis == _REMAINING else axis, places


def _numbers(values: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys of those values that are numbers."""
    for key, value in values.items():
        with suppress(ValueError):
            float(value)
            yield key


def _remaining_percent(repeats: Sequence[Row], rows: Sequence[Row]) -> float:
    """Return the share of the largest model's parameters that are there and not zero."""
    whole = max(row.parameters or 0 for row in rows)
    return 100 * statistics.fmean(row.nonzero_parameters or 0 for row in repeats) / whole


def _series(places: Sequence[_Place], drawn: _Drawn) -> list[Series]:
    """Return what is drawn of each series; stages that have nothing of it are left out."""
    found: dict[str, list[Point]] = {}
    for place in places:
        if spread := drawn(place.rows):
            low, high = spread.mean - spread.deviation, spread.mean + spread.deviation
            found.setdefault(place.series, []).append(Point(place.x, spread.mean, low, high))
    return [Series(name, tuple(points)) for name, points in found.items()]


def _of_boards(
    places: Sequence[_Place], boards: Sequence[str], value: Callable[[OnBoard], float | None]
) -> list[Series]:
    """Return the series of every board."""
    return [
        replace(one, name=", ".join(filter(None, (one.name, board if boards[1:] else ""))))
        for board in boards
        for one in _series(
            places,
            lambda rows, board=board: Spread.of(map(value, on_board(rows, board))),  # type: ignore[misc]
        )
    ]


def _mean(value: Callable[[Row], float | None]) -> _Drawn:
    return lambda repeats: Spread.of(map(value, repeats))


def _accuracy_percent(row: Row) -> float | None:
    return 100 * row.accuracy.value if row.accuracy else None


_accuracy = _mean(_accuracy_percent)


def _changed_by_conversion(rows: Sequence[Row]) -> _Drawn:
    """Return what says by how many points a converted stage is better than the one before it."""
    stages = by_stage(rows)

    def drawn(repeats: Sequence[Row]) -> Spread | None:
        before = stages.get(repeats[0].chain[:-1], [])
        if not before or before[0].is_converted or not repeats[0].is_converted:
            return None
        pairs = zip(before, repeats, strict=True)
        return Spread.of(
            100 * (b.accuracy.value - a.accuracy.value)
            for a, b in pairs
            if a.accuracy and b.accuracy
        )

    return drawn


def _limits(boards: Sequence[str], kind: str) -> list[Limit]:
    """Return how much memory of a kind boards have."""
    return [
        Limit(
            f"{kind} of {board.name}",
            sum(one.usable_bytes for one in board.regions if one.kind == kind),
        )
        for board in map(load_board, boards)
    ]


def _chart(
    label: str,
    axis: str,
    series: Sequence[Series],
    limits: Sequence[Limit] = (),
    *,
    is_cost: bool = False,
) -> Chart:
    """Return a chart: bars if there is no axis, else lines; those of costs are logarithmic."""
    said = "; ".join(
        f"{one.name or label.partition(' [')[0]}: "
        + ", ".join(
            f"{point.x if isinstance(point.x, str) else f'{point.x:.3g}'} {point.y:.6g}"
            for point in one.points
        )
        for one in series
    )
    title = label.partition(" [")[0]
    title = f"{title[0].upper()}{title[1:]} " + (
        f"over {axis.partition(' [')[0]}" if axis else "after each stage"
    )
    is_log = bool(axis) and is_cost
    if is_log:
        series = [replace(one, points=tuple(map(_above_zero, one.points))) for one in series]
    return Chart(
        title=title,
        description=f"{label}. {said}.",
        x_label=axis,
        y_label=label,
        series=tuple(series),
        limits=_near(series, limits),
        is_log_x=axis.startswith("parameters"),
        is_log_y=is_log,
    )


def _above_zero(point: Point) -> Point:
    """Return a point whose band has a place on a logarithmic axis, however wide it is."""
    return replace(point, low=None if point.low is None else max(point.low, point.y / 10))


def _near(series: Sequence[Series], limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return the limits that are of the size of what is drawn: others would flatten it."""
    most = max((point.y for one in series for point in one.points), default=0.0)
    return tuple(limit for limit in limits if limit.y <= 4 * most)
