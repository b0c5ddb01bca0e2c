"""How far a recipe is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """``share`` of the whole recipe, 0 to 1; ``left_s`` is None as long as nobody can know."""

    share: float
    what: str
    left_s: float | None


class Clock:
    """Takes the time of steps that are repeated: the second time one knows how long they take.

    What has not been seen yet is taken to be as long as the others are on average. Steps that
    need not be done again count with the time that they once took.
    """

    def __init__(
        self,
        steps: Sequence[str],
        repeats: int,
        on_progress: Callable[[Progress], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = list(steps) * repeats
        self._total = max(1, len(self._left))
        self._on_progress, self._now = on_progress, now
        self._taken_s: dict[str, list[float]] = {}
        self._begun_s = now()

    def begin(self) -> None:
        """Begin the next step."""
        self._begun_s = self._now()
        self.tell(0.0, "")

    def tell(self, share: float, what: str) -> None:
        """Say how far the step is."""
        if not self._left:
            return
        step, *later = self._left
        share = min(1.0, max(0.0, share))
        elapsed_s = self._now() - self._begun_s
        this_s = elapsed_s / share if share > 0 else self._expected_s(step)
        later_s = [one for one in map(self._expected_s, later) if one is not None]
        left_s = None
        if this_s is not None:
            usual_s = sum([this_s, *later_s]) / (1 + len(later_s))
            left_s = max(0.0, this_s - elapsed_s) + sum(later_s)
            left_s += usual_s * (len(later) - len(later_s))
        done = self._total - len(self._left) + share
        shown = f"{step}: {what}" if what else step
        self._on_progress(Progress(done / self._total, shown, left_s))

    def end(self, took_s: float | None = None) -> None:
        """End the step; ``took_s`` is what it took when it was done, if that was earlier."""
        step = self._left.pop(0)
        elapsed_s = self._now() - self._begun_s
        self._taken_s.setdefault(step, []).append(elapsed_s if took_s is None else took_s)
        done = self._total - len(self._left)
        if not self._left:
            self._on_progress(Progress(done / self._total, "done", 0.0))

    def _expected_s(self, step: str) -> float | None:
        """Return what a step has taken, or any step if it is new, or None at first."""
        taken = self._taken_s.get(step) or [one for all_ in self._taken_s.values() for one in all_]
        return sum(taken) / len(taken) if taken else None
