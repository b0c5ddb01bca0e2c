"""A comparison as rich renderables: what the terminal shows."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinysim.baseline import Comparison, Delta
from tinysim.baseline.words import (
    HEADINGS,
    changed_layers,
    remark_on_layers,
    row,
    title,
    verdict,
)
from tinysim.report._table import printable


def report(comparison: Comparison) -> Group:
    """Return the whole report."""
    parts: list[RenderableType] = [Text(printable(title(comparison)), style="bold"), Text()]
    totals = _table("total")
    for delta in comparison.totals:
        totals.add_row(*_cells(delta.name, delta=delta))
    parts += [totals, Text()]
    causes = _table("cycles by cause")
    for delta in comparison.causes:
        if delta.is_changed:
            causes.add_row(*_cells(delta.name, delta=delta))
    if causes.row_count:
        parts += [causes, Text()]
    layers = _table("#", "layer", "op", "kernel")
    for *names, delta in changed_layers(comparison):
        layers.add_row(*_cells(*names, delta=delta))
    if layers.row_count:
        parts.append(layers)
    parts.append(Text(printable(remark_on_layers(comparison))))
    for condition in comparison.conditions:
        line = f"{condition.name}: {condition.before} → {condition.after}"
        parts.append(Text(printable(line), style="yellow"))
    return Group(*parts, Text(verdict(comparison), style="bold"))


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(*names: str, delta: Delta) -> list[Text]:
    grown = delta.change or 0
    style = "red" if grown > 0 else "green" if grown < 0 else ""
    return [*(Text(printable(name)) for name in names), *(Text(cell, style) for cell in row(delta))]
