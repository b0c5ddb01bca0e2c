"""Which structures to remove so that a model costs no more than a limit, and hardly less.

What the first so many rungs of a ladder leave is tried on the board, by bisection. Where the next
rung to be put back is too dear (it belongs to the layer that takes the time, say), its group stays
as it is, and bisection goes on among the others. What is gone without need is put back.

Costs come in steps, as kernels work in fours. If the limit falls into a wide one, a group loses
less in exchange for others that lose more; then units are put back in finer steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinysim.lab.prune.elements import Scope
from tinysim.lab.prune.ladder import Kept, Rung, Scores, kept_units, ladder


@dataclass(frozen=True)
class Found:
    """The rungs that are taken, what is left costs, and whether that is within the limit."""

    rungs: tuple[Rung, ...]
    cost: float
    is_reached: bool = True

    @property
    def kept(self) -> dict[str, int]:
        """How many units groups keep that lose some; those last that were hardest to lose."""
        kept: dict[str, int] = {}
        for rung in sorted(self.rungs, key=lambda one: (one.rank, -one.kept)):
            kept.pop(rung.group, None)
            kept[rung.group] = rung.kept
        return kept


class Search:
    """Tries what rungs of a ladder leave.

    Parameters
    ----------
    cost_of
        What a model costs without some rungs.
    limit
        What it may cost.
    tolerance
        Share of the limit that need not be used: the search ends there.
    most_tries
        How often ``cost_of`` may be asked; then the best so far will do.
    """

    def __init__(
        self,
        cost_of: Callable[[Sequence[Rung]], float],
        limit: float,
        *,
        tolerance: float,
        most_tries: int,
    ) -> None:
        self._cost_of, self._limit, self._floor = cost_of, limit, limit * (1 - tolerance)
        self._most_tries, self.tries = most_tries, 0

    def ends_with(self, found: Found) -> bool:
        """Whether there is nothing more to look for, or no more tries."""
        hit = self._floor <= found.cost <= self._limit
        return hit or not (found.rungs and found.is_reached) or self.tries >= self._most_tries

    def down(self, rungs: Sequence[Rung]) -> Found:
        """Return the first so many rungs that are enough, those apart that are not needed."""
        if (whole := self._cost(())) <= self._limit:
            return Found((), whole)
        if (least := self._cost(rungs)) > self._limit:
            return Found(tuple(rungs), least, is_reached=False)
        return self._spared(self._put_back(rungs, least, too_few=0))

    def finer(self, found: Found, rungs: Sequence[Rung]) -> Found:
        """Return what was found with units put back in the smaller steps of another ladder."""
        kept = found.kept
        within = [rung for rung in rungs if rung.kept >= kept.get(rung.group, rung.kept + 1)]
        return self._better(found, self._put_back(within, found.cost))

    def exchanged(self, found: Found, rungs: Sequence[Rung]) -> Found:
        """Return what was found, or better: a group loses less, and others more for it."""
        for group, kept in reversed(found.kept.items()):
            allowed = [rung for rung in rungs if rung.group != group or rung.kept > kept]
            if self.ends_with(found):
                break
            if (cost := self._cost(allowed)) <= self._limit:
                found = self._better(found, self._put_back(allowed, cost))
        return found

    @staticmethod
    def _better(one: Found, other: Found) -> Found:
        """Return what makes more of the limit, which both keep."""
        return max(one, other, key=lambda found: found.cost)

    def _put_back(self, movable: Sequence[Rung], cost: float, too_few: int = -1) -> Found:
        """Put back what keeps the limit, what matters most first.

        With all rungs taken, it is kept at ``cost``; with ``too_few`` it is known to be broken.
        """
        fixed, movable = list[Rung](), [*movable]
        best = Found(tuple(movable), cost)
        while movable and not self.ends_with(best):
            enough = len(movable)
            while enough - too_few > 1 and not self.ends_with(best):
                middle = (too_few + enough) // 2
                tried = (*fixed, *movable[:middle])
                if (now := self._cost(tried)) <= self._limit:
                    enough, best = middle, Found(tried, now)
                else:
                    too_few = middle
            movable = movable[:enough]
            needed = movable[-1].group if movable else ""
            fixed += [rung for rung in movable if rung.group == needed]
            movable = [rung for rung in movable if rung.group != needed]
            too_few = -1  # those that are fixed may be enough
        return best

    def _spared(self, found: Found) -> Found:
        """Put whole groups back that are gone without need, what matters most first."""
        for group in reversed(found.kept):
            rest = tuple(rung for rung in found.rungs if rung.group != group)
            if self.tries < self._most_tries and (now := self._cost(rest)) <= self._limit:
                found = Found(rest, now)
        return found

    def _cost(self, rungs: Sequence[Rung]) -> float:
        self.tries += 1
        return self._cost_of(rungs)


def fitted(
    scores: Scores,
    cost_of: Callable[[Kept], float],
    limit: float,
    *,
    scope: Scope = "global",
    multiples: Sequence[int] = (1,),
    least: int = 1,
    tolerance: float,
    most_tries: int,
) -> tuple[Kept, Found]:
    """Return the units that groups keep so that a limit is kept, too; and how it was found.

    Units are removed in multiples of the first number, and put back in those of the others.
    """
    search = Search(
        lambda rungs: cost_of(kept_units(scores, rungs)),
        limit,
        tolerance=tolerance,
        most_tries=most_tries,
    )
    best = None
    for multiple in multiples:
        rungs = ladder(scores, scope=scope, multiple_of=multiple, least=least)
        best = search.down(rungs) if best is None else search.finer(best, rungs)
        if search.ends_with(best):
            break
        best = search.exchanged(best, rungs)
    assert best is not None
    return kept_units(scores, best.rungs), best
