"""The numbers of ``sparse`` as tables."""

from __future__ import annotations

from collections.abc import Mapping

from tinysim.budget.units import write
from tinysim.lab.report.table import NOTHING, Table
from tinysim.lab.sparse import Comparison, Curve, Layer
from tinysim.lab.sparse_bench import DENSE, Shape

#: Heading -> the field of ``Cost`` that is won. Code is left out, as layers share it; energy is in
#: proportion to cycles.
WON = {"smaller below": "weights_bytes", "faster below": "cycles"}


def layer_table(found: Comparison, curves: Mapping[Shape, Curve]) -> Table:
    """Return a line for each layer and way to store it, and where that way begins to win."""
    lines = []
    for layer in found.layers:
        curve = curves[layer.shape]
        ways = dict.fromkeys(way for costs in curve.costs.values() for way in costs)
        for way in ways:
            begins = (f"{layer.index} {_plain(layer.name)}", write(layer.density, "share"))
            lines.append(
                (
                    *(begins if way == DENSE else ("", "")),
                    f"{way}, chosen" if way == layer.chosen else way,
                    *_costs(layer, way),
                    *(_win(curve, way, cost) for cost in WON.values()),
                )
            )
    return Table(
        f"Layers on {found.board}, --optimize {found.optimize}",
        ("layer", "non-zero", "stored as", "weights, tables", "cycles", "energy", *WON),
        tuple(lines),
        labels=3,
    )


def image_table(found: Comparison) -> Table:
    """Return a line for each way to store all layers that can be stored so."""
    lines = tuple(
        (
            way,
            write(one.flash_bytes, "B"),
            write(one.weights_bytes, "B"),
            write(one.ram_bytes, "B"),
            f"{one.cycles:,}",
            _joules(one.energy_j),
        )
        for way, one in {**found.whole, "--sparse auto": found.auto}.items()
    )
    headings = ("stored as", "flash", "of it weights, tables", "RAM", "cycles", "energy")
    return Table("The whole image", headings, lines)


def _costs(layer: Layer, way: str) -> tuple[str, str, str]:
    """Return what a layer takes; nothing is known of ways that do not fit its weights."""
    if way not in layer.cycles:
        return (NOTHING, NOTHING, NOTHING)
    size, cycles = layer.constant_bytes[way], layer.cycles[way]
    return write(size, "B"), f"{cycles:,}", _joules(layer.energy_j[way])


def _win(curve: Curve, way: str, cost: str) -> str:
    """Return where a way begins to win; beyond what was measured nothing is known."""
    if way == DENSE:
        return NOTHING
    at = curve.wins_below(way, cost)
    measured = [density for density, costs in curve.costs.items() if way in costs]
    if at == 0:
        return f"not at {min(measured) * 100:g} %"
    return f"{at * 100:.0f} %" if at < max(measured) else f"over {at * 100:g} %"


def _joules(energy_j: float | None) -> str:
    return NOTHING if energy_j is None else write(energy_j, "J")


def _plain(name: str) -> str:
    """Return a name from a model file as a cell holds it."""
    return "".join(char if char.isprintable() else " " for char in name)[:40]
