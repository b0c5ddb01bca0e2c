"""RSQRT on float32: the reciprocal of the square root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Rsqrt(FloatFunction):
    """``out = 1 / sqrt(x)``, the root rounded to single precision first."""

    tflite = "RSQRT"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        y: Array = np.float32(1) / np.sqrt(values)
        return y
