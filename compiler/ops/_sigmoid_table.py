"""The table that int16 sigmoid and tanh interpolate in."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tinysim.compiler.graph import Array

#: Entries (as bits) where TFLite's table stands one above the rounded function, for the sake of
#: interpolation.
_RAISED = 0x800000000000000000000000000000800011009020440005C0467BAEFA7BD110


@lru_cache
def sigmoid_table() -> Array:
    """Return ``sigmoid(i / 24)`` in Q0.16 for i below 256, as the reference has it."""
    exact = np.rint(65536 / (1 + np.exp(-np.arange(256) / 24)))
    raised = [(_RAISED >> i) & 1 for i in range(256)]
    return (exact + raised).astype(np.uint16)
