"""Collapsed stacks: a line a call path, ``main;work;leaf 1234``, in cycles.

The format that flame graph tools read (flamegraph.pl, speedscope, inferno).
"""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.report._table import printable
from tinysim.simulator.profile import FirmwareProfile, Profile


def render(profile: Profile | FirmwareProfile) -> str:
    """Render the call tree of firmware, or the layers of a model, with their own cycles."""
    rows = profile.paths if isinstance(profile, FirmwareProfile) else [*_layers(profile)]
    lines = [
        f"{';'.join(_frame(name) for name in path)} {cycles}" for path, cycles in rows if cycles
    ]
    return "\n".join(lines) + "\n" if lines else ""


def _layers(profile: Profile) -> Iterator[tuple[tuple[str, ...], int]]:
    for layer in profile.layers:
        yield ("inference", f"{layer.index} {layer.op}", layer.name), layer.counters.cycles
    yield ("inference", "runtime"), profile.runtime.cycles


def _frame(name: str) -> str:
    """Return a function's name without what separates frames and counts."""
    return printable(name).replace(";", ":").replace(" ", "_")
