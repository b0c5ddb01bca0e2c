"""What choosing kernels by simulation found, as reports show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TunedLayer:
    """A layer that another candidate computes than the cost rule's, and what both took in trials.

    ``kernel`` is the candidate's name, which tells variants of one kernel apart.
    """

    index: int
    kernel: str
    cycles: int
    rule_cycles: int


@dataclass(frozen=True)
class Tuning:
    """What choosing kernels by simulation found, in so many trials of whole firmware.

    Cycles are of the inference in the trial: the best firmware's and the cost rule's.
    """

    trials: int
    rule_cycles: int
    cycles: int
    layers: tuple[TunedLayer, ...]
