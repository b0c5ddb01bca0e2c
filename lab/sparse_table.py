"""The numbers of ``sparse`` as tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinysim.compiler.sparse import ENCODINGS
from tinysim.lab.sparse import DENSE, Comparison, Cost, Curve

#: What is compared, by field of ``Cost``; energy is in proportion to cycles.
WON = {"flash_bytes": "flash", "cycles": "cycles and energy"}


def comparison_table(found: Comparison) -> str:
    """Return a table of the layers, and one of the whole model."""
    ways = (DENSE, *ENCODINGS)
    heads = ("layer", "weights", "density", *(f"{way}, B" for way in ways), "leanest")
    heads += tuple(f"{way}, cycles" for way in ways)
    rows = [heads]
    for layer in found.layers:
        sizes = (_count(layer.constant_bytes.get(way)) for way in ways)
        cycles = (_count(layer.cycles.get(way)) for way in ways)
        start = (f"{layer.index} {_plain(layer.name)}", f"{layer.weights:,}")
        rows.append((*start, f"{layer.density:.1%}", *sizes, layer.leanest, *cycles))
    whole = _costs({**found.whole, "--sparse auto": found.auto})
    title = f"{found.board}, --optimize {found.optimize}"
    return (
        f"{title}; weights and tables of a layer\n\n{_table(rows)}\n\nThe whole image\n\n{whole}\n"
    )


def curve_table(found: Curve) -> str:
    """Return a table of every density, and where each encoding begins to win."""
    parts = [f"{found.shape}, {found.board}, --optimize {found.optimize}"]
    for density, costs in sorted(found.costs.items()):
        parts.append(f"{density:.0%} are not zero\n\n{_costs(costs)}")
    rows = [("wins below a density of", *WON.values())]
    for way in ENCODINGS:
        rows.append((way, *(_win(found, way, cost) for cost in WON)))
    return "\n\n".join([*parts, _table(rows)]) + "\n"


def _win(found: Curve, way: str, cost: str) -> str:
    """Return where a way begins to win; beyond what was measured nothing is known."""
    at = found.wins_below(way, cost)
    measured = [density for density, costs in found.costs.items() if way in costs]
    if at == 0:
        return f"not at {min(measured, default=0):.0%}"
    return f"{at:.0%}" if at < max(measured) else f"over {at:.0%}"


def _costs(costs: Mapping[str, Cost]) -> str:
    heads = ("weights", "flash, B", "weights and tables, B", "RAM, B", "cycles", "energy, uJ")
    rows: list[tuple[str, ...]] = [heads]
    for way, one in costs.items():
        counts = (one.flash_bytes, one.weights_bytes, one.ram_bytes, one.cycles)
        energy = "-" if one.energy_j is None else f"{one.energy_j * 1e6:,.1f}"
        rows.append((way, *map(_count, counts), energy))
    return _table(rows)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    return "\n".join(lines)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _plain(name: str) -> str:
    """Return a name from a model file as a cell holds it."""
    return "".join(char if char.isprintable() and char != "|" else " " for char in name)[:40]
