"""Where cycles went, as stacks of names: a layer, and the functions that it called."""

from __future__ import annotations

from tinysim.report._table import short
from tinysim.simulator.profile import LayerProfile, Profile

Stack = tuple[str, ...]

#: Name of what is spent between layers.
BETWEEN = "between layers"


def layer_label(layer: LayerProfile) -> str:
    """Return what a layer is called where it is a bar among others."""
    return f"{layer.index} {layer.op} {short(layer.name)}"


def layer_stacks(profile: Profile) -> list[list[tuple[Stack, int]]]:
    """Return, for each layer, the functions below it with their own cycles, callers first.

    The cycles of a layer's stacks add up to the layer's; the empty stack is its own code.
    """
    found: list[list[tuple[Stack, int]]] = [[] for _ in profile.layers]
    numbers = {f"ts_layer_{layer.index:03d}": layer.index for layer in profile.layers}
    for path, cycles in profile.paths:
        place = next((depth for depth, name in enumerate(path) if name in numbers), None)
        if place is not None and cycles:
            found[numbers[path[place]]].append((path[place + 1 :], cycles))
    for layer, stacks in zip(profile.layers, found, strict=True):
        rest = layer.counters.cycles - sum(cycles for _, cycles in stacks)
        if rest:
            stacks.insert(0, ((), rest))
    return found


def stacks(profile: Profile) -> list[tuple[Stack, int]]:
    """Return the stacks of the whole inference; their cycles add up to its."""
    rows = [
        ((layer_label(layer), *functions), cycles)
        for layer, below in zip(profile.layers, layer_stacks(profile), strict=True)
        for functions, cycles in below
    ]
    return [*rows, ((BETWEEN,), profile.runtime.cycles)] if profile.runtime.cycles else rows
