"""RAM and flash: how full each region is, and of what."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.report._html.costs import Piece, pieces
from tinysim.simulator.profile import Profile, RegionUse


@dataclass(frozen=True)
class Filled:
    """A region that is used: its bar, with where it is full (of 100), and the parts by size."""

    region: RegionUse
    bar: tuple[Piece, ...]
    full_at: float
    parts: tuple[tuple[str, int], ...]

    @property
    def free_bytes(self) -> int:
        """Bytes that are left."""
        return max(0, self.region.usable_bytes - self.region.used_bytes)


def filled(profile: Profile) -> tuple[Filled, ...]:
    """Return the regions that are used, RAM first."""
    used = [region for region in profile.regions if region.used_bytes]
    return tuple(map(_fill, sorted(used, key=lambda region: region.kind != "ram")))


def empty(profile: Profile) -> tuple[RegionUse, ...]:
    """Return the regions that nothing lies in."""
    return tuple(region for region in profile.regions if not region.used_bytes)


def _fill(region: RegionUse) -> Filled:
    whole = max(region.used_bytes, region.usable_bytes)
    parts = sorted(((c, n) for c, n in region.used.items() if n), key=lambda part: -part[1])
    full_at = 100 * region.usable_bytes / max(1, whole)
    return Filled(region, pieces(dict(parts), whole), round(full_at, 3), tuple(parts))
