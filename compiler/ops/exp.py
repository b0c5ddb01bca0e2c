"""EXP on float32: exponential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Exp(FloatFunction):
    """``out = exp(x)``, rounded once from double."""

    tflite = "EXP"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.exp(values.astype(np.float64))
