"""Collapsed stacks: a line a call path, ``main;work;leaf 1234``, in cycles.

The format that flame graph tools read (flamegraph.pl, speedscope, inferno).
"""

from __future__ import annotations

from tinysim.report._stacks import stacks
from tinysim.report._table import printable
from tinysim.simulator.profile import FirmwareProfile, Profile


def render(profile: Profile | FirmwareProfile) -> str:
    """Render the call tree, of a model below its layers, with each function's own cycles."""
    rows = profile.paths if isinstance(profile, FirmwareProfile) else stacks(profile)
    lines = [
        f"{';'.join(_frame(name) for name in path)} {cycles}" for path, cycles in rows if cycles
    ]
    return "\n".join(lines) + "\n" if lines else ""


def _frame(name: str) -> str:
    """Return a function's name without what separates frames and counts."""
    return printable(name).replace(";", ":").replace(" ", "_")
