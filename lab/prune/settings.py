"""What a recipe or the command line may say of pruning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from tinysim.errors import TinysimError
from tinysim.lab.prune import elements, importance
from tinysim.lab.prune.schedule import Schedule
from tinysim.lab.prune.target import COUNTED, Target, parse_target

#: ``elements``: single weights become zero, in place. All others are removed, with all that goes
#: with them: units of any layer, judged by the weights that make them (``filters``) or read them
#: (``channels``); or of dense layers only, by the same (``columns`` and ``rows``).
Structure = Literal["elements", "filters", "channels", "columns", "rows"]


@dataclass(frozen=True)
class Settings:
    """How to prune.

    Parameters
    ----------
    structure
        What is pruned, see ``Structure``.
    heuristic
        ``l1``, ``l2``, ``gradient``, ``activation`` or ``random``; of elements ``magnitude``,
        ``gradient`` or ``random``. The first of them if not given.
    remaining
        Share of the parameters that is left.
    target
        What to aim at instead, as ``parse_target`` reads it: ``latency<50ms@nano33ble``.
    schedule, steps
        All at once, or in so many steps of equation 1 of Deutel et al. with training between.
    scope
        Whether what is pruned competes within the whole ``global`` model, or its own ``layer``.
    epochs, final_epochs
        How long to train after each step, and after the last one.
    multiple_of, least
        Layers that lose units keep a multiple of so many, and at least so many. Kernels work in
        fours.
    finest
        Where such multiples would leave more than the tolerance of the target unused, layers keep
        multiples of a half of them, and so on down to this.
    tolerance
        Share of a target that need not be used up.
    most_tries
        How many models may be tried in each step.
    depthwise
        Whether elements of depthwise kernels are pruned, too.
    """

    structure: Structure = "filters"
    heuristic: str | None = None
    remaining: float | None = None
    target: str | None = None
    schedule: Schedule = "agp"
    steps: int = 4
    scope: elements.Scope = "global"
    epochs: int = 1
    final_epochs: int = 3
    learning_rate: float = 1e-3
    batch_size: int = 64
    multiple_of: int = 4
    finest: int = 1
    least: int = 1
    tolerance: float = 0.05
    most_tries: int = 50
    depthwise: bool = False

    def __post_init__(self) -> None:
        if wrong := [*self._problems()]:
            raise ValueError("; ".join(wrong))

    @property
    def aim(self) -> Target:
        """What is aimed at; a share that remains is one of parameters."""
        if self.target is not None:
            return parse_target(self.target)
        assert self.remaining is not None
        return Target("parameters", self.remaining)

    @property
    def has_boards(self) -> bool:
        """Whether what is left depends on what a board takes."""
        return self.aim.metric not in COUNTED

    @property
    def heuristics(self) -> tuple[str, ...]:
        """What may tell how much the chosen structure matters."""
        return elements.HEURISTICS if self.structure == "elements" else importance.HEURISTICS

    @property
    def chosen_heuristic(self) -> str:
        """The heuristic, or the usual one."""
        return self.heuristic or self.heuristics[0]

    @property
    def multiples(self) -> tuple[int, ...]:
        """What numbers of units are multiples of: at first, and in finer steps."""
        found = [self.multiple_of]
        while found[-1] > self.finest:
            found.append(max(self.finest, found[-1] // 2))
        return tuple(found)

    def _problems(self) -> Iterator[str]:
        for name, kind in (
            ("structure", Structure),
            ("schedule", Schedule),
            ("scope", elements.Scope),
        ):
            if getattr(self, name) not in get_args(kind):
                yield f"{name} is {getattr(self, name)!r}, not one of {', '.join(get_args(kind))}"
        if self.chosen_heuristic not in self.heuristics:
            yield f"heuristic is {self.heuristic!r}, not one of {', '.join(self.heuristics)}"
        for name, least in (
            *(("steps", 1), ("epochs", 0), ("final_epochs", 0), ("batch_size", 1)),
            *(("multiple_of", 1), ("least", 1), ("most_tries", 2)),
        ):
            if getattr(self, name) < least:
                yield f"{name} is {getattr(self, name)}, not {least} or more"
        if not self.learning_rate > 0:
            yield f"learning_rate is {self.learning_rate}, not above 0"
        if not 0 <= self.tolerance < 1:
            yield f"tolerance is {self.tolerance}, not from 0 to below 1"
        if (self.remaining is None) == (self.target is None):
            yield "give either remaining or target"
        elif self.remaining is not None and not 0 < self.remaining <= 1:
            yield f"remaining is {self.remaining}, not above 0 and up to 1"
        elif self.target is not None:
            yield from self._problems_of_target(self.target)

    def _problems_of_target(self, target: str) -> Iterator[str]:
        try:
            metric = parse_target(target).metric
        except TinysimError as error:
            yield str(error)
            return
        if self.structure == "elements" and metric != COUNTED[0]:
            yield f"elements that are zero cost as much {metric} as others: remove structures"
