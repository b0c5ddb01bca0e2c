"""ROUND on float32: rounded to nearest, halves to even."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinysim.compiler.graph import Array, Tensor
from tinysim.compiler.ops._unary import FloatFunction


@dataclass(frozen=True)
class Round(FloatFunction):
    """``out`` is the nearest whole number, of two the even one."""

    tflite = "ROUND"

    def compute(self, values: Array, x: Tensor, out: Tensor) -> Array:
        """Compute in numpy."""
        return np.rint(values)
