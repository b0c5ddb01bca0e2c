"""What a profile says of each metric, with the band that it is good to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinysim.simulator.profile import LayerProfile, Profile, RegionUse

#: Standard deviations of a 95 % interval.
_Z = 1.959963984540054


@dataclass(frozen=True)
class Measured:
    """A value in a metric's unit, and the band in which it lies on the board."""

    value: float
    low: float
    high: float

    @staticmethod
    def exact(value: float) -> Measured:
        """Return what has no band."""
        return Measured(value, value, value)


def measure(profile: Profile, metric: str) -> Measured | None:
    """Return a cost of the whole model, or None for energy that is not known."""
    if metric in _BYTES:
        return Measured.exact(_BYTES[metric](profile))
    return _of_cycles(profile, profile.cycles, metric)


def measure_layer(profile: Profile, layer: LayerProfile, metric: str) -> Measured | None:
    """Return the latency, cycles or energy of a layer: its share of all."""
    return _of_cycles(profile, layer.counters.cycles, metric)


def earlier(data: Mapping[str, Any], metric: str) -> float | None:
    """Return a cost of an earlier profile (``report.json.as_data``), or None if it has none."""
    group, key = PLACES[metric]
    table = data.get(group)
    value = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def samples_wanted(share: float, limit: float) -> int:
    """Return about how many samples make the interval of a share end at a limit."""
    return math.ceil(_Z**2 * limit * (1 - limit) / (share - limit) ** 2)


def wilson(share: float, samples: int) -> Measured:
    """Return a share of so many samples with its Wilson interval: what other samples may give."""
    weight = _Z**2 / samples
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / samples + weight / (4 * samples))
    return Measured(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def free_share(region: RegionUse) -> float:
    """Return the share of a region that is free; less than 0 if it overflows."""
    return (region.usable_bytes - region.used_bytes) / max(1, region.usable_bytes)


def _of_cycles(profile: Profile, cycles: int, metric: str) -> Measured | None:
    """Return what cycles mean in a metric; the error is (simulated - measured) / measured."""
    energy, timing = profile.energy, profile.timing
    if metric == "energy":
        share = cycles / max(1, profile.cycles)
        if energy is None:
            return None
        return Measured(energy.typical_j * share, energy.low_j * share, energy.high_j * share)
    value = cycles / profile.clock_hz if metric == "latency" else cycles
    return Measured(value, value / (1 + timing.error_high), value / (1 + timing.error_low))


_BYTES: Mapping[str, Callable[[Profile], int]] = {
    "ram": lambda profile: profile.used_bytes("ram"),
    "arena": lambda profile: profile.used_bytes("ram", "arena"),
    "stack": lambda profile: profile.stack_bytes,
    "static": lambda profile: profile.used_bytes("ram", "static"),
    "flash": lambda profile: profile.used_bytes("flash"),
    "weights": lambda profile: profile.used_bytes("flash", "weights"),
    "code": lambda profile: profile.used_bytes("flash", "code"),
    "fits": lambda profile: sum(region.overflow_bytes for region in profile.overflows),
}
#: Where a profile's data has the same cost.
PLACES = {
    "latency": ("totals", "latency_s"),
    "cycles": ("totals", "cycles"),
    "energy": ("totals", "energy_j"),
    "ram": ("ram", "total_bytes"),
    "arena": ("ram", "arena_bytes"),
    "stack": ("ram", "stack_bytes"),
    "static": ("ram", "static_bytes"),
    "flash": ("flash", "total_bytes"),
    "weights": ("flash", "weights_bytes"),
    "code": ("flash", "code_bytes"),
}
