"""What others have found, beside what a recipe finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinysim.lab.measure import OnBoard, Row
from tinysim.lab.report.table import NOTHING, Spread, Table, cell, on_board, shown

#: Keys of a ``[[published]]`` besides quantities.
PUBLISHED_KEYS = ("stage", "board", "source")


@dataclass(frozen=True)
class Quantity:
    """What may be compared: its unit, and its value of a row or of what that takes of a board."""

    unit: str
    of_row: Callable[[Row], float | None] | None = None
    of_board: Callable[[OnBoard], float | None] | None = None

    @property
    def is_of_board(self) -> bool:
        """Whether it differs from board to board."""
        return self.of_board is not None


@dataclass(frozen=True)
class Published:
    """One value; ``board`` is empty for what does not depend on one."""

    stage: str
    board: str
    quantity: str
    value: float
    source: str


QUANTITIES = {
    "parameters": Quantity("count", of_row=lambda row: row.nonzero_parameters),
    "float32": Quantity("B", of_row=lambda row: row.float32_bytes),
    "tflite": Quantity("B", of_row=lambda row: row.tflite_bytes),
    "gzip": Quantity("B", of_row=lambda row: row.tflite_gzip_bytes),
    "accuracy": Quantity("share", of_row=lambda row: row.accuracy_share),
    "flash": Quantity("B", of_board=lambda one: one.flash_bytes),
    "ram": Quantity("B", of_board=lambda one: one.ram_bytes),
    "latency": Quantity("s", of_board=lambda one: one.typical_s),
    "energy": Quantity("J", of_board=lambda one: one.typical_j),
    "power": Quantity(
        "W",
        of_board=lambda one: (
            one.energy_j.value / one.latency_s.value if one.energy_j and one.latency_s else None
        ),
    ),
}


def published_table(rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """Return a line for each published value: ours, theirs and the quotient."""
    lines = []
    for one in published:
        quantity = QUANTITIES[one.quantity]
        repeats = [row for row in rows if row.stage == one.stage]
        if quantity.of_board is not None:
            ours = Spread.of(map(quantity.of_board, on_board(repeats, one.board)))
        else:
            assert quantity.of_row is not None
            ours = Spread.of(map(quantity.of_row, repeats))
        lines.append(
            (
                one.stage,
                one.board or NOTHING,
                one.quantity,
                cell(ours, quantity.unit),
                shown(one.value, quantity.unit),
                f"{ours.mean / one.value:.3g}" if ours and one.value else NOTHING,
                one.source,
            )
        )
    headings = ("stage", "board", "quantity", "ours", "published", "ours / published", "source")
    return Table("Beside what was published", headings, tuple(lines), labels=3)
