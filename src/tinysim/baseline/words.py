"""Quantities and sentences as all renderings of a comparison show them."""

from __future__ import annotations

from tinysim.baseline import Comparison, Delta
from tinysim.report._table import short, si

UNKNOWN = "unknown"
HEADINGS = ("before", "after", "change", "share")


def title(comparison: Comparison) -> str:
    """Name both sides."""
    after = comparison.after
    return f"{after.model_name} on {after.board}: {comparison.before.where} and {after.where}"


def verdict(comparison: Comparison) -> str:
    """Say in a line what became of the cycles."""
    if not comparison.is_changed:
        return "nothing has changed"
    cycles = comparison.total("cycles")
    return f"cycles {change(cycles)} ({share(cycles)})" if cycles.is_changed else "cycles unchanged"


def quantity(value: float | None, unit: str) -> str:
    """Write a quantity: counts in full, times and energies with a prefix."""
    if value is None:
        return UNKNOWN
    if unit in ("s", "J"):
        return si(value, unit)
    return f"{value:,} B" if unit == "B" else f"{value:,}"


def change(delta: Delta) -> str:
    """Write by how much it grew, with its sign."""
    if delta.change is None:
        return UNKNOWN if delta.is_changed else ""
    if delta.change == 0:
        return "0"
    return ("+" if delta.change > 0 else "-") + quantity(abs(delta.change), delta.unit)


def share(delta: Delta) -> str:
    """Write the growth in per cent; nothing where that makes no sense."""
    return f"{delta.share:+.2%}" if delta.is_changed and delta.share is not None else ""


def row(delta: Delta) -> tuple[str, str, str, str]:
    """Return what stands under ``HEADINGS``."""
    before, after = (quantity(value, delta.unit) for value in (delta.before, delta.after))
    return before, after, change(delta), share(delta)


def changed_layers(comparison: Comparison) -> list[tuple[str, str, str, str, Delta]]:
    """Return number, name, operator, kernel and cycles of every layer that has changed.

    The cycles between layers come last, if they have.
    """
    rows = []
    for layer in comparison.layers:
        old, new = layer.before.kernel, layer.after.kernel
        kernel = new if old == new else f"{old} → {new}"
        if layer.is_changed:
            one = layer.after
            rows.append((str(one.index), short(one.name), one.op, kernel, layer.cycles))
    if comparison.between_layers.is_changed:
        rows.append(("", comparison.between_layers.name, "", "", comparison.between_layers))
    return rows


def remark_on_layers(comparison: Comparison) -> str:
    """Say which layers are not in the table, and why."""
    if comparison.topology:
        return f"layers are not compared, they are not the same: {comparison.topology}"
    unchanged = sum(not layer.is_changed for layer in comparison.layers)
    return f"{unchanged} of {len(comparison.layers)} layers unchanged"
