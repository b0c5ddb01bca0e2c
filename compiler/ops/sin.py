"""SIN on float32: sine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Sin(FloatFunction):
    """``out = sin(x)``, rounded once from double."""

    tflite = "SIN"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.sin(values.astype(np.float64))
