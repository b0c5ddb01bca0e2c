"""CEIL on float32: rounded up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Ceil(FloatFunction):
    """``out`` is the smallest whole number that is not below ``x``."""

    tflite = "CEIL"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.ceil(values)
