"""LOG on float32: natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Log(FloatFunction):
    """``out = log(x)``, rounded once from double."""

    tflite = "LOG"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.log(values.astype(np.float64))
