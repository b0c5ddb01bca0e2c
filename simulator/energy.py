"""Joules from the board's measured power: time decides, power varies little between networks."""

from __future__ import annotations

from tinysim.boards import Power
from tinysim.simulator.profile import Energy


def energy_of(latency_s: float, power: Power | None) -> Energy | None:
    """Return the energy of a run, or None for a board without measured power."""
    if power is None:
        return None
    return Energy(
        low_j=latency_s * power.low_w,
        typical_j=latency_s * power.typical_w,
        high_j=latency_s * power.high_w,
        mode=power.mode,
        source=power.source,
    )
