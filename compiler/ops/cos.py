"""COS on float32: cosine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Cos(FloatFunction):
    """``out = cos(x)``, rounded once from double."""

    tflite = "COS"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.cos(values.astype(np.float64))
