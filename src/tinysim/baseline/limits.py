"""How much totals may grow: ``2 %`` of what they were, or ``100 cycles``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinysim.baseline import Comparison, Delta
from tinysim.baseline.words import change, share
from tinysim.budget.units import FAMILIES, is_share, read_unit


@dataclass(frozen=True)
class Growth:
    """A limit of growth: a share of every total, or an amount for those with its unit."""

    text: str
    unit: str
    value: float

    def is_exceeded_by(self, delta: Delta) -> bool:
        """Whether a total grew more; one that is no longer known may have."""
        if delta.before is None or self.unit not in ("share", delta.unit):
            return False
        if delta.change is None:
            return True
        return delta.change > self.value * (delta.before if self.unit == "share" else 1)


def read_growth(text: str) -> Growth:
    """Read a limit.

    Raises
    ------
    ValueError
        If it is no share or quantity, or could be of several units.
    """
    if is_share(text):
        return Growth(text, "share", read_unit(text, "share"))
    found = []
    for unit in FAMILIES:
        try:
            found.append(Growth(text, unit, read_unit(text, unit)))
        except ValueError:
            continue
    if len(found) != 1:
        raise ValueError(f"{text!r} is no growth like 2%, 100 cycles, 1 KiB, 0.5 ms or 10 uJ")
    return found[0]


def exceeded(comparison: Comparison, limits: Sequence[Growth]) -> Iterator[str]:
    """Say which totals grew more than a limit allows."""
    for delta in comparison.totals:
        for limit in limits:
            if limit.is_exceeded_by(delta):
                grown = f"{change(delta)} ({share(delta)})" if share(delta) else change(delta)
                yield f"{delta.name}: {grown} is more than {limit.text}"
