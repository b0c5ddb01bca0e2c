"""Call paths -> the frames of a flame graph, the caller above what it calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from tinysim.simulator.profile import Profile

#: Shares of all cycles below which a frame is left out.
SHARE_MIN = 0.0002


@dataclass(frozen=True)
class Frame:
    """A function in one call path. ``start`` and ``width`` are shares of all cycles."""

    name: str
    depth: int
    start: float
    width: float
    cycles: int
    own_cycles: int

    @property
    def own_share(self) -> float:
        """How much of it is spent in itself."""
        return self.own_cycles / max(1, self.cycles)


def frames(profile: Profile) -> tuple[Frame, ...]:
    """Return the frames from left to right, callers before what they call."""
    inclusive: Counter[tuple[str, ...]] = Counter()
    own: Counter[tuple[str, ...]] = Counter()
    children: defaultdict[tuple[str, ...], dict[tuple[str, ...], None]] = defaultdict(dict)
    for path, cycles in profile.paths:
        own[path] += cycles
        for depth in range(1, len(path) + 1):
            inclusive[path[:depth]] += cycles
            children[path[: depth - 1]][path[:depth]] = None
    whole = sum(own.values())
    made: list[Frame] = []
    waiting: list[tuple[tuple[str, ...], int]] = [((), 0)] if whole else []
    while waiting:
        path, start = waiting.pop()
        if path:
            where = round(start / whole, 6), round(inclusive[path] / whole, 6)
            made.append(Frame(path[-1], len(path) - 1, *where, inclusive[path], own[path]))
        below = []
        for called in children[path]:
            if inclusive[called] >= SHARE_MIN * whole:
                below.append((called, start))
            start += inclusive[called]
        waiting += reversed(below)
    return tuple(made)
