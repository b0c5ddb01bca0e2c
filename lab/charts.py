"""The charts of a recipe: accuracy of all stages, and what they take of each board."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinysim.boards import load_board
from tinysim.lab.chart import Chart, Limit, Point, Series, svg
from tinysim.lab.measure import OnBoard, Row
from tinysim.lab.table import Spread, boards_of, by_stage, on_board

#: What is drawn of boards: name -> axis, value, and the kind of memory that limits it.
_COSTS: dict[str, tuple[str, Callable[[OnBoard], float | None], str]] = {
    "flash": ("flash [B]", lambda one: one.flash_bytes, "flash"),
    "ram": ("RAM [B]", lambda one: one.ram_bytes, "ram"),
    "latency": ("latency [s]", lambda one: one.latency_s.value if one.latency_s else None, ""),
    "energy": ("energy [J]", lambda one: one.energy_j.value if one.energy_j else None, ""),
}


def charts(rows: Sequence[Row], boards: Sequence[str]) -> dict[str, str]:
    """Return name of a file -> SVG; bars are means, their bands one deviation each way.

    ``boards`` are the recipe's: names, or paths of board files.
    """
    stages = by_stage(rows)
    accuracy = {
        repeats[0].stage: Spread.of(row.accuracy.value * 100 for row in repeats)
        for repeats in stages.values()
    }
    drawn = {"accuracy.svg": _bars("Accuracy", "accuracy [%]", {"accuracy": accuracy})}
    found = {load_board(board).name: load_board(board) for board in boards}
    for name, (axis, value, kind) in _COSTS.items():
        by_board = {
            board: {
                repeats[0].stage: Spread.of(map(value, on_board(repeats, board)))
                for repeats in stages.values()
            }
            for board in boards_of(rows)
        }
        limits = [
            Limit(
                f"{kind} of {board}",
                sum(one.usable_bytes for one in of.regions if one.kind == kind),
            )
            for board, of in found.items()
            if kind
        ]
        if any(spread for spreads in by_board.values() for spread in spreads.values()):
            drawn[f"{name}.svg"] = _bars(axis.partition(" [")[0], axis, by_board, limits)
    return {file: svg(chart) for file, chart in drawn.items()}


def _bars(
    title: str,
    axis: str,
    groups: dict[str, dict[str, Spread | None]],
    limits: Sequence[Limit] = (),
) -> Chart:
    """Return a chart with a bar for each stage of each group."""
    series = tuple(
        Series(
            name,
            tuple(
                Point(
                    stage,
                    spread.mean,
                    spread.mean - spread.deviation,
                    spread.mean + spread.deviation,
                )
                for stage, spread in spreads.items()
                if spread is not None
            ),
        )
        for name, spreads in groups.items()
        if any(spreads.values())
    )
    said = "; ".join(
        f"{one.name}: " + ", ".join(f"{point.x} {point.y:.6g}" for point in one.points)
        for one in series
    )
    heading = f"{title[0].upper()}{title[1:]} after each stage"
    return Chart(heading, f"{axis}. {said}.", "", axis, series, _near(series, limits))


def _near(series: Sequence[Series], limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return the limits that are of the size of what is drawn: others would flatten it."""
    most = max((point.y for one in series for point in one.points), default=0.0)
    return tuple(limit for limit in limits if limit.y <= 4 * most)
