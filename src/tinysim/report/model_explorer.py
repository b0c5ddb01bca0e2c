"""Node data for Model Explorer: what each layer cost, laid over the graph of the model file.

Model Explorer takes one value a node from a file, so each of ``DATA_SETS`` is a file; ``render``
makes the cycles. Nodes are found by the name of their output tensor: how nodes are numbered differs
between its readers. A layer that passes made of several operators lies on the last of them; the
others, and operators that were taken out, have no value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tinysim.simulator.profile import LayerProfile, Profile

Value = Callable[[Profile, LayerProfile], float | None]

#: What can be shown: name -> a layer's value.
DATA_SETS: Mapping[str, Value] = {
    "cycles": lambda profile, layer: layer.counters.cycles,
    "stall_cycles": lambda profile, layer: sum(layer.counters.stalls.values()),
    "energy_j": lambda profile, layer: profile.energy_j(layer.counters.cycles),
}

#: From cheap to expensive.
GRADIENT = ((0, "#ffffff"), (1, "#e8590c"))


def render(profile: Profile) -> str:
    """Render the cycles."""
    return data_sets(profile)["cycles"]


def data_sets(profile: Profile) -> dict[str, str]:
    """Return every data set that the profile has numbers for."""
    return {name: text for name in DATA_SETS if (text := _data_set(profile, name))}


def _data_set(profile: Profile, name: str) -> str:
    results: dict[str, dict[str, float]] = {}
    for layer in profile.layers:
        value = DATA_SETS[name](profile, layer)
        if value is None:
            return ""
        results[layer.tensor or layer.name] = {"value": value}
    data = {
        "name": f"{name} on {profile.board}",
        "results": results,
        "gradient": [{"stop": stop, "bgColor": color} for stop, color in GRADIENT],
    }
    return json.dumps(data, indent=2) + "\n"
