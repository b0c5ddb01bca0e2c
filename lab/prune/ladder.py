"""All structures of a model on one ladder, what matters least first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.prune.elements import Scope

#: Name of a group -> how much each of its units matters.
Scores = Mapping[str, NDArray[np.float64]]
#: Name of a group that loses units -> indices of those that it keeps.
Kept = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Rung:
    """``group`` keeps only its ``kept`` best units; ``rank`` is how much those before matter."""

    group: str
    kept: int
    rank: float


def ladder(
    scores: Scores, *, scope: Scope = "global", multiple_of: int = 1, least: int = 1
) -> tuple[Rung, ...]:
    """Return all that may be removed, what matters least first.

    Groups go down to multiples of a number of units, and to no fewer than ``least``. A rung goes
    with its best unit: one threshold holds for all groups, and rounds up to the multiples. With
    the scope ``layer`` all groups lose about the same share.
    """
    rungs = []
    for group, units in scores.items():
        best = np.sort(units)[::-1]
        size = len(units)
        for kept in range(size - 1, least - 1, -1):
            if kept % multiple_of == 0:
                rank = float(best[kept]) if scope == "global" else (size - kept) / size
                rungs.append(Rung(group, kept, rank))
    return tuple(sorted(rungs, key=lambda rung: rung.rank))


def kept_units(scores: Scores, rungs: Iterable[Rung]) -> Kept:
    """Return the indices of the units that groups keep that lose some; of equal ones the first."""
    counts: dict[str, int] = {}
    for rung in rungs:
        counts[rung.group] = min(counts.get(rung.group, rung.kept), rung.kept)
    return {
        group: np.sort(np.argsort(-scores[group], kind="stable")[:count])
        for group, count in counts.items()
    }
