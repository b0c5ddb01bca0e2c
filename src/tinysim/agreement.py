"""How far two computations of the same tensor lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.simulator.profile import OutputCheck

#: Name of the host's own inference in reports.
ORACLE = "numpy reference (TFLite Micro semantics)"

#: Floats no further apart than this are rounded otherwise: passes move scales into weights.
FLOAT_STEPS = 64

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


def check_outputs(expected: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]) -> OutputCheck:
    """Compare the device's outputs with the host's own."""
    worst = 0
    for want, got in zip(expected, found, strict=True):
        worst = max(worst, int(distances(want, got).max(initial=0)))
    if worst == 0:
        return OutputCheck("exact", ORACLE)
    are_floats = all(want.dtype.kind == "f" for want in expected)
    return OutputCheck(
        "close" if are_floats and worst <= FLOAT_STEPS else "mismatch", ORACLE, worst
    )
