"""SQRT on float32: square root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Sqrt(FloatFunction):
    """``out = sqrt(x)``."""

    tflite = "SQRT"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.sqrt(values)
