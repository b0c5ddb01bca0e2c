"""FLOOR on float32: rounded down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Floor(FloatFunction):
    """``out`` is the largest whole number that is not above ``x``."""

    tflite = "FLOOR"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.floor(values)
