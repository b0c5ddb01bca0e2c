"""What github-action-benchmark takes with ``tool: customSmallerIsBetter``: a list of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tinysim.report._stacks import layer_label
from tinysim.report._table import printable, si
from tinysim.simulator.profile import Profile


def render(profile: Profile) -> str:
    """Render one profile."""
    return render_all([profile])


def render_all(profiles: Sequence[Profile]) -> str:
    """Render several profiles as one list; the names say model and board."""
    entries = [entry for profile in profiles for entry in _entries(profile)]
    return json.dumps(entries, indent=2) + "\n"


def _entries(profile: Profile) -> Iterator[dict[str, Any]]:
    """Yield the totals, then the cycles of each layer."""
    fastest, slowest = profile.latency_band_s
    yield _entry(profile, "cycles", "cycles", profile.cycles)
    band = f"{si(fastest, 's')} to {si(slowest, 's')}"
    yield _entry(profile, "latency", "s", profile.latency_s, band)
    if profile.energy is not None:
        band = f"{si(profile.energy.low_j, 'J')} to {si(profile.energy.high_j, 'J')}"
        yield _entry(profile, "energy", "J", profile.energy.typical_j, band)
    yield _entry(profile, "ram", "B", profile.used_bytes("ram"))
    yield _entry(profile, "arena", "B", profile.arena_bytes)
    yield _entry(profile, "stack", "B", profile.stack_bytes)
    yield _entry(profile, "flash", "B", profile.used_bytes("flash"))
    for layer in profile.layers:
        yield _entry(profile, f"layer {layer_label(layer)}", "cycles", layer.counters.cycles)


def _entry(
    profile: Profile, what: str, unit: str, value: float, band: str | None = None
) -> dict[str, Any]:
    extra = f"tinysim {profile.tinysim_version}, grade {profile.timing.grade}"
    return {
        "name": f"{printable(profile.model_name)} on {profile.board}: {what}",
        "unit": unit,
        "value": value,
        **({} if band is None else {"range": band}),
        "extra": f"{extra}\nmodel {profile.model_sha256[:16]}\n{profile.toolchain.version}",
    }
