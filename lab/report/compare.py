"""Our methods in the tables of Loureiro et al., with a simulated board in place of a computer.

Their tables 2 (pruning) and 3 (quantization) set each model against what it was before. So does
this: each stage of a recipe against the first that has the same start.
"""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files

from tinysim.errors import RecipeError
from tinysim.lab.measure import Row
from tinysim.lab.report.table import NOTHING, Spread, Table, boards_of, by_stage, on_board

_HEADINGS = ("recipe", "technique", "inference time", "accuracy", "sparsity", "size (.tflite)")


def compared(recipes: Mapping[str, Sequence[Row]], board: str) -> tuple[Table, Table]:
    """Return our table 2, of models that are still floats, and table 3, of converted ones.

    Parameters
    ----------
    recipes
        The rows of finished recipes, by name.
    board
        Whose inference time counts; every recipe must have it.
    """
    lines: dict[bool, list[tuple[str, ...]]] = {False: [], True: []}
    for name, rows in recipes.items():
        if board not in boards_of(rows):
            raise RecipeError(
                f"was not measured on {board}",
                where=name,
                fix=f"add it to the recipe's boards and run it, or take {_all(boards_of(rows))}",
            )
        firsts: dict[str, Sequence[Row]] = {}
        for repeats in by_stage(rows).values():
            first = firsts.setdefault(repeats[0].chain[0], repeats)
            if first is not repeats:
                line = (name, *_line(first, repeats, board))
                lines[repeats[0].is_converted].append(line)
    of = f"against the recipe's first stage, on {board}"
    return (
        Table(f"Pruning, {of}", _HEADINGS, tuple(lines[False]), labels=2),
        Table(f"Quantization, {of}", _HEADINGS, tuple(lines[True]), labels=2),
    )


def published() -> tuple[Table, Table]:
    """Return the tables of the study."""
    headings = ("library", "model", "technique", "inference time", "accuracy", "sparsity", "size")
    found = tomllib.loads((files("tinysim.lab.report") / "loureiro.toml").read_text())
    tables = []
    for number in (2, 3):
        lines = tuple(
            (
                one["library"],
                one["model"],
                one["technique"],
                f"{one['time_percent']:+g} %",
                f"{one['accuracy_percent']:+g} %",
                f"{one['sparsity_percent']} %" if "sparsity_percent" in one else NOTHING,
                one["size"],
            )
            for one in found["result"]
            if one["table"] == number
        )
        title = f"On a computer: {found['source']}, table {number}"
        tables.append(Table(title, headings, lines, labels=3))
    return tables[0], tables[1]


def _line(first: Sequence[Row], repeats: Sequence[Row], board: str) -> tuple[str, ...]:
    """Return what a stage has changed, each repeat against its own beginning."""
    pairs = list(zip(first, repeats, strict=True))
    technique = " + ".join(repeats[0].chain[len(first[0].chain) :]) or repeats[0].stage
    return (
        technique,
        _spread([_slower(before, after, board) for before, after in pairs], "{:+.1f} %"),
        _spread([_better(before, after) for before, after in pairs], "{:+.2f} points"),
        _spread([_sparsity(before, after) for before, after in pairs], "{:.1f} %"),
        _factor([after.tflite_bytes / before.tflite_bytes for before, after in pairs]),
    )


def _slower(before: Row, after: Row, board: str) -> float | None:
    """Return by how many percent the latency has grown."""
    was, is_ = ([one.typical_s for one in on_board([row], board)] for row in (before, after))
    if not was or not is_ or was[0] is None or is_[0] is None:
        return None
    return 100 * (is_[0] / was[0] - 1)


def _better(before: Row, after: Row) -> float | None:
    """Return by how many points the accuracy has grown."""
    if before.accuracy is None or after.accuracy is None:
        return None
    return 100 * (after.accuracy.value - before.accuracy.value)


def _sparsity(before: Row, after: Row) -> float | None:
    """Return how many percent of the first model's parameters are zero, or not there any more."""
    if not before.parameters or after.nonzero_parameters is None:
        return None
    return 100 * (1 - after.nonzero_parameters / before.parameters)


def _spread(values: Sequence[float | None], form: str) -> str:
    spread = Spread.of(values)
    if spread is None:
        return NOTHING
    deviation = form.replace("+", "").format(spread.deviation).split()[0]
    return form.format(spread.mean) + (f" (± {deviation})" if spread.deviation else "")


def _factor(ratios: Sequence[float]) -> str:
    ratio = statistics.fmean(ratios)
    return f"{ratio:.2f}x larger" if ratio > 1 else f"{1 / ratio:.2f}x smaller"


def _all(names: Sequence[str]) -> str:
    return " or ".join(names) or "none"
