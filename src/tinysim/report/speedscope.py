"""speedscope (speedscope.app): layers over time, and functions below layers by their cycles."""

from __future__ import annotations

import json
from typing import Any

from tinysim.report._stacks import BETWEEN, layer_label, stacks
from tinysim.report._table import printable
from tinysim.simulator.profile import Profile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def render(profile: Profile) -> str:
    """Render both profiles in one file; functions are shown first."""
    frames = _Frames()
    where = f"{profile.model_name} on {profile.board}"
    profiles = [_functions(profile, frames), _layers(profile, frames)]
    data = {
        "$schema": SCHEMA,
        "name": printable(where),
        "exporter": f"tinysim@{profile.tinysim_version}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames.numbers]},
        "profiles": profiles,
    }
    return json.dumps(data) + "\n"


class _Frames:
    """Numbers of names, in the order in which they come up."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self.numbers.setdefault(printable(name), len(self.numbers))


def _functions(profile: Profile, frames: _Frames) -> dict[str, Any]:
    """Return one sample a call path, as heavy as its own cycles."""
    rows = stacks(profile)
    return {
        "type": "sampled",
        "name": "functions (cycles)",
        "unit": "none",
        "startValue": 0,
        "endValue": profile.cycles,
        "samples": [[frames.number(name) for name in stack] for stack, _ in rows],
        "weights": [cycles for _, cycles in rows],
    }


def _layers(profile: Profile, frames: _Frames) -> dict[str, Any]:
    """Return layers one behind the other on simulated time; what lies between them comes last."""
    rows = [(layer_label(layer), layer.counters.cycles) for layer in profile.layers]
    rows.append((BETWEEN, profile.runtime.cycles))
    events: list[dict[str, Any]] = []
    now = 0
    for label, cycles in rows:
        frame = frames.number(label)
        events.append({"type": "O", "frame": frame, "at": _nanoseconds(profile, now)})
        now += cycles
        events.append({"type": "C", "frame": frame, "at": _nanoseconds(profile, now)})
    return {
        "type": "evented",
        "name": "layers (simulated time)",
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": _nanoseconds(profile, now),
        "events": events,
    }


def _nanoseconds(profile: Profile, cycles: int) -> int:
    return round(cycles * 1_000_000_000 / profile.clock_hz)
