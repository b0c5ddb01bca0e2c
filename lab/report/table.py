"""All rows of a recipe as tables: mean and standard deviation over the repeats.

Two tables, because stored size and what a board must have are two things: ``models`` has a line a
stage, ``boards`` one for each stage and board.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinysim.budget.measure import wilson
from tinysim.budget.units import write
from tinysim.errors import RecipeError
from tinysim.lab.measure import OnBoard, Row
from tinysim.records import loads
from tinysim.report.csv import harmless
from tinysim.report.markdown import escaped

if TYPE_CHECKING:
    from rich.table import Table as RichTable

NOTHING = "-"
#: Share of a mean below which a deviation is one of floating point.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a sample; the latter is 0 if there is only one value."""

    mean: float
    deviation: float

    @staticmethod
    def of(values: Iterable[float | None]) -> Spread | None:
        """Return None if one of the values is not known."""
        found = list(values)
        known = [value for value in found if value is not None]
        if not known or len(known) < len(found):
            return None
        mean = statistics.fmean(known)
        deviation = statistics.stdev(known) if known[1:] else 0.0
        return Spread(mean, deviation if deviation > abs(mean) * _ROUNDING else 0.0)


@dataclass(frozen=True)
class Table:
    """Text in lines and columns; the first ``labels`` columns are no numbers."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    labels: int = 1


#: Heading -> unit and value; the accuracy stands apart, as it has an interval.
_OF_MODELS: dict[str, tuple[str, Callable[[Row], float | None]]] = {
    "parameters": ("", lambda row: row.parameters),
    "non-zero": ("", lambda row: row.nonzero_parameters),
    "as float32": ("B", lambda row: row.float32_bytes),
    ".tflite": ("B", lambda row: row.tflite_bytes),
    "gzip": ("B", lambda row: row.tflite_gzip_bytes),
    "Huffman": ("B", lambda row: row.stored_bytes),
    "accuracy": ("share", lambda row: row.accuracy_share),
    "precision": ("share", lambda row: row.precision),
    "recall": ("share", lambda row: row.recall),
    "F1": ("share", lambda row: row.f1),
}
_OF_BOARDS: dict[str, tuple[str, Callable[[OnBoard], float | None]]] = {
    "flash": ("B", lambda one: one.flash_bytes),
    "RAM": ("B", lambda one: one.ram_bytes),
    "arena": ("B", lambda one: one.arena_bytes),
    "cycles": ("", lambda one: one.cycles),
    "latency": ("s", lambda one: one.typical_s),
    "from": ("s", lambda one: one.latency_s.low if one.latency_s else None),
    "to": ("s", lambda one: one.latency_s.high if one.latency_s else None),
    "energy": ("J", lambda one: one.typical_j),
    "at least": ("J", lambda one: one.energy_j.low if one.energy_j else None),
    "at most": ("J", lambda one: one.energy_j.high if one.energy_j else None),
}

#: Ends of bands: how far they scatter is said by what lies between them.
_ENDS = ("from", "to", "at least", "at most")


def by_stage(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Return the repeats of each stage, by its chain, in the order of the recipe."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(row.chain, []).append(row)
    return found


def on_board(rows: Sequence[Row], board: str) -> list[OnBoard]:
    """Return what each repeat takes of a board."""
    return [one for row in rows for one in row.boards if one.board == board]


def boards_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of all boards."""
    return list(dict.fromkeys(one.board for row in rows for one in row.boards))


def model_table(rows: Sequence[Row]) -> Table:
    """Return a line a stage: what is stored, and how well it does.

    Columns that no stage has anything for are left out.
    """
    columns = {
        heading: how
        for heading, how in _OF_MODELS.items()
        if any(how[1](r) is not None for r in rows)
    }
    lines = []
    for repeats in by_stage(rows).values():
        cells = [repeats[0].stage]
        for heading, (unit, value) in columns.items():
            spread = Spread.of(map(value, repeats))
            cells.append(cell(spread, unit))
            if heading == "accuracy" and spread:
                interval = wilson(spread.mean, repeats[0].samples)
                cells.append(f"{interval.low * 100:.2f} to {interval.high * 100:.2f} %")
        lines.append(tuple(cells))
    headings = list(columns)
    if "accuracy" in headings:
        headings.insert(headings.index("accuracy") + 1, "95 % interval")
    count = len({row.repeat for row in rows})
    title = "Stored size, and accuracy" + (f" (mean ± deviation of {count})" if count > 1 else "")
    return Table(title, ("stage", *headings), tuple(lines))


def board_table(rows: Sequence[Row]) -> Table:
    """Return a line for each stage and board: what it takes at run time."""
    lines = []
    for repeats in by_stage(rows).values():
        for board in boards_of(rows):
            if not (found := on_board(repeats, board)):
                continue
            cells = []
            for heading, (unit, value) in _OF_BOARDS.items():
                spread = Spread.of(map(value, found))
                if spread and heading in _ENDS:
                    spread = Spread(spread.mean, 0.0)
                cells.append(cell(spread, unit))
            worst = max(found, key=lambda one: (one.problem is not None, one.overflow_bytes or 0))
            lines.append((repeats[0].stage, board, *cells, worst.problem or worst.verdict))
    headings = ("stage", "board", *_OF_BOARDS, "verdict")
    return Table("On the boards, at run time", headings, tuple(lines), labels=2)


def confusion_tables(rows: Sequence[Row]) -> list[Table]:
    """Return a table a stage: which classes (lines) are taken for which (columns), all repeats."""
    tables = []
    for repeats in by_stage(rows).values():
        if repeats[0].accuracy is None:
            continue
        classes = repeats[0].classes
        lines = tuple(
            (
                name,
                *(f"{sum(row.confusion[i][j] for row in repeats):,}" for j in range(len(classes))),
            )
            for i, name in enumerate(classes)
        )
        tables.append(Table(f"Confusion after {repeats[0].stage}", ("class", *classes), lines))
    return tables


def as_rich(table: Table) -> RichTable:
    """Return a table for the terminal."""
    from rich.table import Table as RichTable

    made = RichTable(
        box=None, pad_edge=False, header_style="bold", title=table.title, title_justify="left"
    )
    for i, heading in enumerate(table.headings):
        is_text = i < table.labels or heading == "verdict"
        made.add_column(heading, justify="left" if is_text else "right")
    for line in table.lines:
        made.add_row(*line)
    return made


def as_markdown(table: Table) -> str:
    """Return a table of Markdown, without its title."""
    rule = ["---" if i < table.labels else "---:" for i in range(len(table.headings))]
    headings, *cells = ([*map(escaped, line)] for line in (table.headings, *table.lines))
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rule, *cells))


def to_csv(rows: Sequence[Row]) -> str:
    """Return a line for each repeat, stage and board, with plain numbers in the base units."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    units = [
        f"{heading} [{unit}]" if unit else heading for heading, (unit, _) in _OF_MODELS.items()
    ]
    of_boards = [f"{head} [{unit}]" if unit else head for head, (unit, _) in _OF_BOARDS.items()]
    writer.writerow(
        ["repeat", "stage", *units, "evaluator", "board", *of_boards, "overflow [B]", "verdict"]
    )
    for row in rows:
        values = [_plain(value(row)) for _, value in _OF_MODELS.values()]
        for one in row.boards:
            costs = [_plain(value(one)) for _, value in _OF_BOARDS.values()]
            end = [_plain(one.overflow_bytes), harmless(one.problem or one.verdict)]
            writer.writerow(
                [
                    row.repeat + 1,
                    harmless("/".join(row.chain)),
                    *values,
                    row.evaluator,
                    one.board,
                    *costs,
                    *end,
                ]
            )
    return stream.getvalue()


def to_json(rows: Sequence[Row]) -> str:
    """Return every row whole."""
    return json.dumps(asdict(_Rows(tuple(rows))), indent=1) + "\n"


def read_rows(folder: Path) -> tuple[Row, ...]:
    """Return the rows of a recipe that was followed to the end.

    Raises
    ------
    RecipeError
        If there are none in the folder.
    """
    path = folder / ROWS
    try:
        return loads(_Rows, path.read_bytes()).rows
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"holds no rows of a recipe ({error})",
            where=str(path),
            fix="run the recipe to the end: tinysim lab run RECIPE --out " + str(folder),
        ) from error


@dataclass(frozen=True)
class _Rows:
    """What is in ``ROWS``."""

    rows: tuple[Row, ...]


#: The file that has all rows whole, and is there only if a recipe was followed to its end.
ROWS = "table.json"


def cell(spread: Spread | None, unit: str) -> str:
    """Return a mean, with its deviation if it has any."""
    if spread is None:
        return NOTHING
    mean = shown(spread.mean, unit)
    if not spread.deviation:
        return mean
    deviation = shown(spread.deviation, unit)
    number, _, written = mean.rpartition(" ")
    is_alike = number and deviation.endswith(f" {written}")
    return f"{number if is_alike else mean} ± {deviation}"


def shown(value: float, unit: str) -> str:
    """Write a value."""
    if unit == "share":
        return f"{value * 100:.2f} %"
    return f"{round(value):,}" if unit in ("", "count") else write(value, unit)


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)
