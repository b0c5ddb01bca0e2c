"""How much is pruned from step to step; between the steps the model is trained again."""

from __future__ import annotations

from typing import Literal, get_args

#: ``one_shot`` prunes everything at once, ``agp`` (automated gradual pruning, Zhu & Gupta) much in
#: the first steps and less and less in later ones.
Schedule = Literal["one_shot", "agp"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


def gradual_sparsity(
    t: float, *, start: float, interval: float, steps: int, initial: float, final: float
) -> float:
    """Return the share that is pruned at ``t``: equation 1 of Deutel et al., section 3.1.

    ``t`` is from ``start`` to ``start + steps * interval``; the share grows from ``initial`` to
    ``final``.
    """
    return final + (initial - final) * (1 - (t - start) / (steps * interval)) ** 3


def sparsities(
    schedule: Schedule, final: float, *, steps: int, initial: float = 0.0
) -> tuple[float, ...]:
    """Return the share that is pruned after each step; the last one is ``final``.

    Equation 1 also has a step that prunes no more than ``initial``: it is left out.
    """
    if schedule == "one_shot":
        return (final,)
    return tuple(
        gradual_sparsity(step, start=0, interval=1, steps=steps, initial=initial, final=final)
        for step in range(1, steps + 1)
    )
