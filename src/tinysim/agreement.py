"""How far two computations of the same tensor lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.simulator.profile import OutputCheck

#: Name of the host's own inference in reports.
ORACLE = "numpy reference (TFLite Micro semantics)"

#: Floats no further apart than this are rounded otherwise: passes move scales into weights.
FLOAT_STEPS = 64
#: Or no further than so many times what rounding the inputs otherwise makes of them: where a sum is
#: much smaller than what it is of, its last digits mean nothing.
NEARBY_SHARE = 8

_FAR = 2**31


def distances(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.int64]:
    """Return how far each element lies off.

    Integers: in steps. Floats: in units in the last place of the largest finite magnitude that is
    expected, rounded up; what is a number on one side only is as far as can be.
    """
    if expected.dtype.kind != "f":
        apart: NDArray[np.int64] = np.abs(expected.astype(np.int64) - found.astype(np.int64))
        return apart
    a, b = expected.astype(np.float64), found.astype(np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    unit = float(np.spacing(np.float32(finite.max(initial=np.finfo(np.float32).tiny))))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b) / unit)
    near = np.ceil(np.nan_to_num(gap, nan=_FAR, posinf=_FAR))
    steps: NDArray[np.int64] = near.clip(max=_FAR).astype(np.int64)
    return steps


Outputs = Sequence[NDArray[Any]]


def check_outputs(
    expected: Outputs, found: Outputs, nearby: Callable[[], Iterable[Outputs]] = tuple
) -> OutputCheck:
    """Compare the device's outputs with the host's own.

    ``nearby`` gives what the host computes of inputs that differ in their last digits; it is asked
    if floats lie further apart than ``FLOAT_STEPS``.
    """
    worst = _worst(expected, found)
    if worst == 0:
        return OutputCheck("exact", ORACLE)
    are_floats = all(want.dtype.kind == "f" for want in expected)
    is_close = are_floats and worst <= FLOAT_STEPS
    if are_floats and not is_close:
        apart = max((_worst(expected, other) for other in nearby()), default=0)
        is_close = worst <= NEARBY_SHARE * apart < _FAR
    return OutputCheck("close" if is_close else "mismatch", ORACLE, worst)


def nudged(inputs: Outputs, seed: int) -> tuple[NDArray[Any], ...]:
    """Return inputs whose floats are the next ones above or below, at random."""
    random = np.random.default_rng(seed)
    return tuple(
        np.nextafter(x, np.where(random.random(x.shape) < 0.5, -np.inf, np.inf).astype(x.dtype))
        if x.dtype.kind == "f"
        else x
        for x in inputs
    )


def _worst(expected: Outputs, found: Outputs) -> int:
    pairs = zip(expected, found, strict=True)
    return max((int(distances(want, got).max(initial=0)) for want, got in pairs), default=0)
